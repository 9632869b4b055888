"""Keeps a request in one thread from the first of the middleware to its page.

All pages are made by threads. Middleware that can be either is awaited where what it leads to can
be, and Django then takes each step of each of it into the thread and back: a dozen and more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.decorators import sync_only_middleware


@sync_only_middleware
def in_one_thread(answer: Callable[..., Any]) -> Callable[..., Any]:
    """The innermost of the middleware: what is around something that is called is called too."""
    return answer
