"""What the OpenAPI schema says of every door alike: what is refused, and who, and how often."""

from __future__ import annotations

from typing import Any

_PROBLEM = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_FIELDS = {
    "application/json": {
        "schema": {"type": "object", "additionalProperties": {}},
    },
}
REFUSALS: dict[str, dict[str, Any]] = {
    "400": {
        "description": "A parameter or a field is not as expected: each with its sentences.",
        "content": _FIELDS,
    },
    "401": {"description": "No token or session, or one that is wrong, ended or expired."},
    "429": {
        "description": "Too many requests: come again after so many seconds.",
        "headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
    },
}
_OF_A_BODY = {"415": {"description": "A body of a kind that is not taken here, or of none."}}


def tell_refusals(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add 400, 401, 429, with a body 415, to every operation; a hook of drf-spectacular."""
    for operations in result.get("paths", {}).values():
        for operation in operations.values():
            of_a_body = _OF_A_BODY if "requestBody" in operation else {}
            for status, answer in (REFUSALS | of_a_body).items():
                operation["responses"].setdefault(status, {"content": _PROBLEM} | answer)
    return result


def close_bodies(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Say of every body that is sent that it has no further fields: they are refused."""
    schemas = result.get("components", {}).get("schemas", {})
    asked = [
        operation["requestBody"]
        for operations in result.get("paths", {}).values()
        for operation in operations.values()
        if "requestBody" in operation
    ]
    seen: set[str] = set()
    while asked:
        for name in _names_in(asked.pop()) - seen:
            seen.add(name)
            shape = schemas.get(name, {})
            if "properties" in shape:
                shape.setdefault("additionalProperties", False)
            asked.append(shape)
    return result


def _names_in(value: Any) -> set[str]:
    """The components that something refers to."""
    if isinstance(value, dict):
        own = {str(value["$ref"]).rpartition("/")[2]} if "$ref" in value else set()
        return own.union(*map(_names_in, value.values()))
    if isinstance(value, list):
        return set().union(*map(_names_in, value))
    return set()
