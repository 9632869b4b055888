"""The door of the OpenAPI schema, and what it says of every door alike: refusals, how often."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

from django.http import HttpResponse
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

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
_OF_A_NAME = {"404": {"description": "Not there, or not theirs who ask: the same answer."}}
_OF_A_BODY = {"415": {"description": "A body of a kind that is not taken here, or of none."}}


class SchemaView(SpectacularAPIView):
    """The schema in the language of the reader, as YAML or JSON.

    It is the same for everybody, and who asks may be anybody: it is made once, and kept.
    """

    @extend_schema(exclude=True)
    def get(self, request: Request, *_: Any, **__: Any) -> HttpResponse:
        """The schema; ``lang`` is the code of another language."""
        asked, form = request.GET.get("lang", ""), cast(Any, request.accepted_renderer)
        kind: Any = type(form)
        is_known = translation.check_for_language(asked)
        content = _written(asked if is_known else translation.get_language(), kind)
        name = f"{spectacular_settings.TITLE}.{form.format}"
        return HttpResponse(
            content,
            content_type=f"{form.media_type}; charset={form.charset}"
            if form.charset else form.media_type,
            headers={"Content-Disposition": f'inline; filename="{name}"'},
        )  # fmt: skip


@lru_cache(maxsize=32)
def _written(language: str, form: Callable[[], BaseRenderer]) -> bytes:
    """The schema as a renderer of DRF writes it."""
    generator: Any = SchemaGenerator
    with translation.override(language):
        text: Any = form().render(generator().get_schema(public=True), renderer_context={})
    return bytes(text)


def tell_refusals(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add 400, 401, 429, of what is named 404, with a body 415; a hook of drf-spectacular."""
    for path, operations in result.get("paths", {}).items():
        of_a_name = _OF_A_NAME if "{" in path else {}
        for operation in operations.values():
            of_a_body = _OF_A_BODY if "requestBody" in operation else {}
            for status, answer in (REFUSALS | of_a_name | of_a_body).items():
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
