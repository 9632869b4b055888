"""`manage.py hub`: the whole hub in the foreground."""

import signal
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor

from hub import queues
from hub.doors import is_open, obstacle
from hub.management import run_in_place, usable_database
from hub.preload import preload
from hub.supervisor import Child, Supervisor

# What an ending listener may take for the instance at hand, and a worker for its last send.
_AFTER_DRAINING_SECONDS = 15.0
PROCESSES = ("web", "listen_dicom", "listen_hl7", "worker", "beat")


class Command(BaseCommand):
    """Run web, DICOM, HL7, worker and beat; SIGTERM stops them all."""

    help = "Run the whole hub in the foreground; settings come from the environment or .env."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Start everything, say so once all doors are open, and wait."""
        self._require_free_ports()
        with usable_database():
            _migrate()
        preload()
        supervisor = Supervisor(
            _processes(),
            longest_wait=settings.HUB_RESTART_SECONDS,
            grace=settings.HUB_DRAIN_SECONDS + _AFTER_DRAINING_SECONDS,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: supervisor.stop())
        connections.close_all()
        outcome = supervisor.run(look=self._announce)
        if isinstance(outcome, Child):
            run_in_place(*outcome.words)
        elif outcome:
            raise CommandError("the hub did not start", returncode=outcome)

    _is_announced = False

    def _doors(self) -> dict[str, int]:
        return {
            "HUB_HTTP_PORT": settings.HUB_HTTP_PORT,
            "HUB_DICOM_PORT": settings.HUB_DICOM_PORT,
            "HUB_HL7_PORT": settings.HUB_HL7_PORT,
        }

    def _require_free_ports(self) -> None:
        taken: dict[int, str] = {}
        for name, port in self._doors().items():
            why = obstacle(name, settings.HUB_BIND, port)
            if port in taken:
                why = f"{name}: expected a port of its own, found {port} as in {taken[port]}"
            if why:
                raise CommandError(why, returncode=2)
            taken[port] = name

    def _announce(self) -> None:
        host = settings.HUB_BIND
        if self._is_announced or not all(is_open(host, port) for port in self._doors().values()):
            return
        self._is_announced = True
        self.stdout.write(
            f"hub is open: http://{host}:{settings.HUB_HTTP_PORT}/, "
            f"DICOM {settings.HUB_AE_TITLE}@{host}:{settings.HUB_DICOM_PORT}, "
            f"HL7 {host}:{settings.HUB_HL7_PORT}"
        )
        self.stdout.flush()


def _processes() -> list[Child]:
    once = [Child([name]) for name in PROCESSES if name != "worker"]
    watch = [Child(["watch_cluster"])] if settings.HUB_CLUSTER["namespace"] else []
    return [*once, *_workers(), *watch]


def _workers() -> list[Child]:
    """One for each part of HUB_WORKERS; where there are several, each shows its queues."""
    served = [",".join(names) for names in queues.workers(settings.HUB_WORKERS)]
    return [
        Child(
            ["worker", "--queues", names], title=f"worker {names}" if len(served) > 1 else "worker"
        )
        for names in served
    ]


def _migrate() -> None:
    """Bring the tables up to date; where they are, to find that out is all it costs."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", verbosity=0, interactive=False)
