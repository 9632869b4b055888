"""`manage.py hub`: the whole hub in the foreground."""

import signal
import sys
import threading
import time
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from hub.doors import is_open, obstacle
from hub.management import usable_database
from hub.supervisor import Child, Supervisor

PROCESSES = ("web", "listen_dicom", "listen_hl7", "worker", "beat")


class Command(BaseCommand):
    """Run web, DICOM, HL7, worker and beat; SIGTERM stops them all."""

    help = "Run the whole hub in the foreground; settings come from the environment or .env."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Start everything, say so once all doors are open, and wait."""
        self._require_free_ports()
        with usable_database():
            call_command("migrate", verbosity=0, interactive=False)
        manage = str(settings.BASE_DIR / "manage.py")
        supervisor = Supervisor(
            [Child(name, [sys.executable, manage, name]) for name in PROCESSES],
            longest_wait=settings.HUB_RESTART_SECONDS,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: supervisor.stop())
        supervisor.start()
        threading.Thread(target=self._announce, daemon=True).start()
        if code := supervisor.run():
            raise CommandError("the hub did not start", returncode=code)

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
        while not all(is_open(host, port) for port in self._doors().values()):
            time.sleep(0.05)
        self.stdout.write(
            f"hub is open: http://{host}:{settings.HUB_HTTP_PORT}/, "
            f"DICOM {settings.HUB_AE_TITLE}@{host}:{settings.HUB_DICOM_PORT}, "
            f"HL7 {host}:{settings.HUB_HL7_PORT}"
        )
        self.stdout.flush()
