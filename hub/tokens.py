"""API tokens: who speaks with one, when it was last used, and an end to trying them out."""

from __future__ import annotations

import math
import re
import threading
import time
from datetime import timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.contrib.knox_auth_token import KnoxTokenScheme
from knox.auth import TokenAuthentication as KnoxAuthentication
from knox.models import AuthToken
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from hub import audit
from hub.limiting import Allowance
from hub.models import AuditEvent, User

USED = "token_used"
# Use is noted so often at most: the trail tells of every day, and does not grow with every request.
NOTED_EVERY = timedelta(hours=1)
# Tokens have 256 bits: this is no matter of guessing, but of what each try costs the database.
WRONG_A_MINUTE, WRONG_AT_ONCE = 30, 30
_TOKEN = re.compile(rb"[0-9A-Za-z_-]{16,200}")
_wrong = Allowance(per_minute=WRONG_A_MINUTE, burst=WRONG_AT_ONCE)
_noted: dict[str, float] = {}
_lock = threading.Lock()


class TokenAuthentication(KnoxAuthentication):  # type: ignore[misc]  # knox has no types
    """``Authorization: Token ...``; expired, ended and wrong tokens get the same 401."""

    def authenticate(self, request: Request) -> tuple[User, AuthToken] | None:
        """The user and the row of the token; None without one. Raises AuthenticationFailed."""
        address = address_of(request)
        if "HTTP_AUTHORIZATION" in request.META and (wait := _wrong.wait(address)):
            raise Throttled(math.ceil(wait))
        try:
            known: tuple[User, AuthToken] | None = super().authenticate(request)
        except AuthenticationFailed:
            _wrong.take(address)
            raise
        if known is not None:
            _note_use(known[1], address)
        return known

    def authenticate_credentials(self, token: bytes) -> Any:
        """Refuse what no token can be before a database is asked: bytes that are no text, NUL."""
        if not _TOKEN.fullmatch(token):
            raise AuthenticationFailed(_("Invalid token."))
        return super().authenticate_credentials(token)


class TokenScheme(KnoxTokenScheme):  # type: ignore[no-untyped-call]
    """How the OpenAPI schema tells of it; drf-spectacular finds it by its being there."""

    target_class = "hub.tokens.TokenAuthentication"


class PerCaller(BaseThrottle):
    """Requests to the API of one token, one session, or one address that has neither."""

    def __init__(self) -> None:
        self._wait = 0.0

    def allow_request(self, request: Request, view: Any) -> bool:
        """Whether there is room; otherwise DRF answers 429 with Retry-After."""
        self._wait = _requests(settings.HUB_API_RATE_PER_MINUTE).take(_caller(request))
        return not self._wait

    def wait(self) -> float:
        """Seconds until there is."""
        return self._wait


@lru_cache
def _requests(per_minute: int) -> Allowance:
    return Allowance(per_minute=per_minute, burst=max(per_minute / 6, 1))


def _caller(request: Request) -> str:
    if isinstance(request.auth, AuthToken):
        return f"token {request.auth.digest}"
    if request.user and request.user.is_authenticated:
        return f"user {request.user.pk}"
    return f"address {address_of(request)}"


def address_of(request: HttpRequest | Request) -> str:
    """Where a request comes from: behind one of HUB_TRUSTED_PROXIES what that proxy says."""
    return str(request.META.get("REMOTE_ADDR") or "")


def _note_use(token: AuthToken, address: str) -> None:
    now = time.monotonic()
    with _lock:
        if now - _noted.get(token.digest, -math.inf) < NOTED_EVERY.total_seconds():
            return
        _noted[token.digest] = now
    audit.record(USED, actor=token.user, token_key=token.token_key, address=address)


def last_used(token: AuthToken) -> AuditEvent | None:
    """The last use that was noted, to within an hour; None where the token was never used."""
    events = AuditEvent.objects.filter(action=USED, actor=token.user.username)
    return events.filter(details__token_key=token.token_key).order_by("-at").first()


def is_expired(token: AuthToken) -> bool:
    """Whether its time is over."""
    return token.expiry is not None and token.expiry < timezone.now()
