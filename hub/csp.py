"""The Content Security Policy of every page: nothing runs or loads but from the hub itself."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from django.utils.decorators import sync_and_async_middleware

HEADER = "Content-Security-Policy"
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)


@sync_and_async_middleware
def content_security_policy(answer: Callable[..., Any]) -> Callable[..., Any]:
    """Give every answer the policy; a middleware."""
    if iscoroutinefunction(answer):

        async def strictly_later(*args: Any, **kwargs: Any) -> Any:
            response = await answer(*args, **kwargs)
            response.headers.setdefault(HEADER, POLICY)
            return response

        return strictly_later

    def strictly(*args: Any, **kwargs: Any) -> Any:
        response = answer(*args, **kwargs)
        response.headers.setdefault(HEADER, POLICY)
        return response

    return strictly
