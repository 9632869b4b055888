"""Nothing that a session shows stays in the cache of a browser or a proxy."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.decorators import sync_and_async_middleware

HEADER = "Cache-Control"


@sync_and_async_middleware
def keep_nothing(answer: Callable[..., Any]) -> Callable[..., Any]:
    """Tell caches to keep no answer to who has a session, if the answer says nothing else."""
    if iscoroutinefunction(answer):

        async def later(request: HttpRequest) -> Any:
            return _marked(request, await answer(request))

        return later

    def at_once(request: HttpRequest) -> Any:
        return _marked(request, answer(request))

    return at_once


def _marked(request: HttpRequest, response: Any) -> Any:
    # The cookie, not the session: nothing is asked of the database for this.
    if settings.SESSION_COOKIE_NAME in request.COOKIES:
        response.headers.setdefault(HEADER, "no-store")
    return response
