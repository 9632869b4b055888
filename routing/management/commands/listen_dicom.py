"""`manage.py listen_dicom`: the Storage SCP."""

import os
import signal
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from hub import heartbeat
from hub.desk import Desk
from hub.dicom import scp
from hub.doors import told, wait_for_stop
from hub.hands import Hands
from hub.preload import settle
from routing import healing, receiving, uploading
from routing.peers import Peers
from routing.register import Register
from routing.relay import Heard, Reception
from routing.steps.receive import Receiver

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    """Listen for C-STORE and C-ECHO until SIGTERM; running associations are drained."""

    help = "Receive studies by DICOM (HUB_BIND, HUB_DICOM_PORT, HUB_AE_TITLE, HUB_LISTENERS)."
    requires_system_checks = ()

    _has_lost_one = False

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Serve until told to stop."""
        if not settings.HUB_SYNC:
            log.warning("listen_dicom.not_synced", lost_with_power="the last seconds")
        settle()
        # Before there is a thread, or a connection to anything.
        hands = Hands(settings.HUB_LISTENERS, receiving.work)
        register = Register()
        reception = Reception(Peers(), register)
        desk = Desk(
            hands,
            meet=Heard,
            write=reception.write,
            answer=reception.answer,
            on_loss=self._lose,
        )
        try:
            listener = scp.Listener(settings.HUB_BIND, settings.HUB_DICOM_PORT, desk.give)
        except OSError as fault:
            desk.close(0)
            why = told("HUB_DICOM_PORT", settings.HUB_BIND, settings.HUB_DICOM_PORT, fault)
            raise CommandError(why, returncode=2) from fault
        heartbeat.start(lambda: listener.is_accepting and desk.is_open)
        healing.start(Receiver(register))
        uploading.start()
        wait_for_stop(unless=lambda: self._has_lost_one)
        listener.close()
        desk.close(0 if self._has_lost_one else settings.HUB_DRAIN_SECONDS)
        register.close()
        uploading.finish()
        if self._has_lost_one:
            raise CommandError("a process that received has died", returncode=1)

    def _lose(self) -> None:
        """End, and be started again whole: a process with threads cannot be forked anew."""
        self._has_lost_one = True
        os.kill(os.getpid(), signal.SIGTERM)
