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
