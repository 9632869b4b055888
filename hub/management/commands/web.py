"""`manage.py web`: pages, API and live events."""

import importlib
import math
from types import FrameType
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from hub import draining
from hub.doors import obstacle
from hub.preload import settle

# More requests at a time than connections wait for one, as PostgreSQL has not many of them.
_CONNECTIONS = {"min_size": 2, "max_size": 20, "timeout": 30}


class Command(BaseCommand):
    """Serve the ASGI application until SIGTERM."""

    help = "Serve pages and API (HUB_BIND, HUB_HTTP_PORT)."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Serve until told to stop."""
        host, port = settings.HUB_BIND, settings.HUB_HTTP_PORT
        if why := obstacle("HUB_HTTP_PORT", host, port):
            raise CommandError(why, returncode=2)
        _share_connections()
        config = uvicorn.Config(
            "hub.asgi:application",
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            # what others say of where they come from is not believed
            forwarded_allow_ips=settings.HUB_TRUSTED_PROXIES,
            timeout_graceful_shutdown=math.ceil(settings.HUB_DRAIN_SECONDS),
        )
        config.load()
        importlib.import_module(settings.ROOT_URLCONF)
        settle()
        server = _Server(config)
        server.run()
        if not server.started:
            raise CommandError("the web process did not start", returncode=3)


class _Server(uvicorn.Server):
    """One that has streams of events end as well, once it is told to stop."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take no more requests; those at hand are answered first."""
        draining.begin()
        super().handle_exit(sig, frame)


def _share_connections() -> None:
    """PostgreSQL: keep connections for the next request, whose thread is another each time.

    To open one takes as long as all questions of a page together.
    """
    given = connections.settings["default"]
    if given["ENGINE"].endswith("postgresql"):
        given["CONN_MAX_AGE"] = 0
        given["OPTIONS"] = given["OPTIONS"] | {"pool": _CONNECTIONS}
