"""`manage.py listen_hl7`: the MLLP listener."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from hub import heartbeat
from hub.doors import obstacle, told, wait_for_stop
from hub.hl7.gathering import Gathering
from hub.hl7.mllp import MllpServer
from hub.preload import settle
from routing import uploading
from routing.intake import Intake


class Command(BaseCommand):
    """Listen for orders until SIGTERM; messages at hand are answered first."""

    help = "Receive orders by HL7 over MLLP (HUB_BIND, HUB_HL7_PORT)."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Serve until told to stop."""
        intake = Intake()
        gathering = Gathering(intake.take_all)
        try:
            server = MllpServer(
                gathering.take, on_broken=intake.take_broken,
                host=settings.HUB_BIND, port=settings.HUB_HL7_PORT,
            )
        except OSError as fault:
            door = ("HUB_HL7_PORT", settings.HUB_BIND, settings.HUB_HL7_PORT)
            # From Python 3.13 on asyncio does not say which error it was.
            why = obstacle(*door) or told(*door, fault)
            raise CommandError(why, returncode=2) from fault
        settle()
        heartbeat.start(server.is_turning)
        uploading.start()
        wait_for_stop()
        server.close(grace=settings.HUB_DRAIN_SECONDS)
        gathering.close()
        intake.close()
        uploading.finish()
