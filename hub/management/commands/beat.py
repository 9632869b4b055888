"""`manage.py beat`: nudges the sweep; a single one is enough, and its loss is harmless."""

from typing import Any

from django.core.management.base import BaseCommand

from hub import draining, heartbeat
from hub.beating import is_ticking
from hub.celery import app


class Command(BaseCommand):
    """Run Celery's beat until SIGTERM."""

    help = "Send the periodic nudges."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Beat until told to stop."""
        draining.end_on_sigterm()
        heartbeat.start(is_ticking)
        app.Beat(loglevel="WARNING", quiet=True, schedule=None, pidfile=None).run()
