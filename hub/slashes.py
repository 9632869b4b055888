"""One rule for the addresses of the REST API: with or without a slash at the end is the same."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from django.http import HttpRequest
from django.urls import is_valid_path
from django.utils.decorators import sync_and_async_middleware

PREFIX = "/api/"


@sync_and_async_middleware
def either_way(answer: Callable[..., Any]) -> Callable[..., Any]:
    """Give a request of the API the address that is there, and no redirect.

    A redirect after a POST is followed by a GET without the body: what was sent would be lost.
    """
    if iscoroutinefunction(answer):

        async def later(request: HttpRequest) -> Any:
            return await answer(_addressed(request))

        return later

    def at_once(request: HttpRequest) -> Any:
        return answer(_addressed(request))

    return at_once


def _addressed(request: HttpRequest) -> HttpRequest:
    asked = request.path_info
    if not asked.startswith(PREFIX) or is_valid_path(asked):
        return request
    other = asked.removesuffix("/") if asked.endswith("/") else f"{asked}/"
    if is_valid_path(other):
        request.path = request.path.removesuffix(asked) + other
        request.path_info = other
    return request
