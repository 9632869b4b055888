"""`manage.py worker`: does the work of the queues."""

import importlib
import secrets
import socket
import sys
import threading
import warnings
from typing import Any

from celery.platforms import SecurityWarning
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from hub import draining, heartbeat, queues
from hub.celery import app
from hub.preload import settle

_CONNECTION_SECONDS = 60


class Command(BaseCommand):
    """Run a Celery worker of threads until SIGTERM."""

    help = (
        "Work through the queues receive, route, run, write_back and billing (all, unless --queues "
        "names some)."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """The queues, and how many threads."""
        parser.add_argument("--queues", default=",".join(queues.QUEUES))
        parser.add_argument("--threads", type=int, default=settings.HUB_WORKER_THREADS)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Work until told to stop; what is at hand is finished first."""
        # It warns of root because of pickle; this worker takes JSON alone.
        warnings.filterwarnings("ignore", category=SecurityWarning)
        try:
            served = queues.read(options["queues"])
        except queues.UnknownQueue as fault:
            raise CommandError(f"--queues: {fault}", returncode=2) from fault
        queues.serve(served)
        settings.HUB_WORKER_THREADS = options["threads"]
        # To open one takes as long as all that a small task asks.
        connections.settings["default"]["CONN_MAX_AGE"] = _CONNECTION_SECONDS
        draining.end_on_sigterm()
        heartbeat.start()
        # All that the tasks import comes first: of modules that import each other, two threads that
        # begin at different ends get halves.
        app.loader.import_default_modules()
        threading.Thread(target=_warm_up, daemon=True).start()
        # Not by Celery's command line, which takes longer to import than all of its worker.
        worker = app.Worker(
            # Several work on one host, and one that was killed may still have its name.
            hostname=f"{secrets.token_hex(6)}@{socket.gethostname()}",
            pool_cls="threads",
            concurrency=options["threads"],
            queues=list(served),
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            loglevel="WARNING",
            quiet=True,
        )
        worker.start()
        sys.exit(worker.exitcode)


def _warm_up() -> None:
    """Import what the first result should not have to wait for."""
    for name in ("jsonschema", "hub.dicom.sr_document"):
        importlib.import_module(name)
    settle()
