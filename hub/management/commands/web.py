"""`manage.py web`: pages, API and live events."""

from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from hub.doors import is_free


class Command(BaseCommand):
    """Serve the ASGI application until SIGTERM."""

    help = "Serve pages and API (HUB_BIND, HUB_HTTP_PORT)."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Serve until told to stop."""
        if not is_free(settings.HUB_BIND, settings.HUB_HTTP_PORT):
            raise CommandError(
                f"HUB_HTTP_PORT: port {settings.HUB_HTTP_PORT} is taken by another program",
                returncode=2,
            )
        uvicorn.run(
            "hub.asgi:application",
            host=settings.HUB_BIND,
            port=settings.HUB_HTTP_PORT,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=3,
        )
