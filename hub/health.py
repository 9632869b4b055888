"""Whether the hub lives, whether it can work, and its numbers for Prometheus."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from hub.access import holds_role
from hub.celery import app
from hub.tokens import TokenAuthentication
from routing.metrics import registry

log = structlog.get_logger(__name__)

LOOPBACK = ("127.0.0.1", "::1")
# a proxy on this machine speaks from loopback for strangers, and says so with one of these
FORWARDED = ("X-Forwarded-For", "Forwarded", "Via", "X-Real-Ip")
PING_SECONDS = 2


@require_GET
def live(_request: HttpRequest) -> JsonResponse:
    """The process answers: 200 always."""
    return JsonResponse({"status": "ok"})


@require_GET
def ready(_request: HttpRequest) -> JsonResponse:
    """Everything that taking in a study needs: 200, or 503 naming what failed."""
    checks = {name: _outcome(name, check) for name, check in CHECKS.items()}
    is_ready = all(outcome == "ok" for outcome in checks.values())
    body = {"status": "ok" if is_ready else "not ready", "checks": checks}
    return JsonResponse(body, status=200 if is_ready else 503)


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Numbers of the whole hub out of the database, the same from every process.

    Answered to a direct caller on this machine, and to an administrator of everything by API token
    (``Authorization: Token ...``); nothing in it tells of a patient.
    """
    if not (_is_from_here(request) or _is_administrator(request)):
        return HttpResponse(
            "metrics are for loopback, or for an administrator's API token\n",
            status=401,
            content_type="text/plain",
            headers={"WWW-Authenticate": "Token"},
        )
    return HttpResponse(generate_latest(registry()), content_type=CONTENT_TYPE_LATEST)


def _is_from_here(request: HttpRequest) -> bool:
    is_forwarded = any(name in request.headers for name in FORWARDED)
    return request.META.get("REMOTE_ADDR") in LOOPBACK and not is_forwarded


def _is_administrator(request: HttpRequest) -> bool:
    try:
        known = TokenAuthentication().authenticate(Request(request))
    except (AuthenticationFailed, Throttled):
        return False
    if known is None:
        return False
    user = known[0]
    everywhere = user.memberships.filter(site=None, organisation=None)
    return holds_role(user, roles=("administrator",)) and any(
        membership.role == "administrator" for membership in everywhere
    )


# -- what must be there ------------------------------------------------------------------------
def _outcome(name: str, check: Callable[[], str | None]) -> str:
    """``ok``, or what failed; the text of a foreign error may hold a password and stays out."""
    try:
        return check() or "ok"
    except Exception as error:
        log.warning("health.not_ready", check=name, error=type(error).__name__)
        return type(error).__name__


def database() -> None:
    """The database answers a question."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def migrations() -> str | None:
    """The tables are those that this version of the hub expects."""
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not missing:
        return None
    return "not applied: " + ", ".join(f"{step.app_label}.{step.name}" for step, _ in missing[:5])


def broker() -> None:
    """The broker answers; for the embedded one, its folder can be written."""
    if settings.HUB_BROKER_URL.startswith("filesystem"):
        _write_in(Path(str(settings.CELERY_BROKER_TRANSPORT_OPTIONS["data_folder_in"])))
        return
    with app.connection_for_write(connect_timeout=PING_SECONDS) as wire:
        wire.ensure_connection(max_retries=1, timeout=PING_SECONDS)


def storage() -> str | None:
    """Instances can be written, and there is room for them."""
    folder = storage_folder()
    folder.mkdir(parents=True, exist_ok=True)
    _write_in(folder)
    free = shutil.disk_usage(folder).free
    if free < settings.HUB_MINIMUM_FREE_BYTES:
        return f"{free} bytes free, expected at least {settings.HUB_MINIMUM_FREE_BYTES}"
    return None


def storage_folder() -> Path:
    """The folder in which instances lie, or from which they go to an object store."""
    where = urlsplit(settings.HUB_STORAGE_URL)
    return Path(where.path) if where.scheme == "file" else Path(settings.HUB_STATE_DIR) / "spool"


def _write_in(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(b"ready")


CHECKS: dict[str, Callable[[], str | None]] = {
    "database": database,
    "migrations": migrations,
    "broker": broker,
    "storage": storage,
}
