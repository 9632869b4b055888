"""`manage.py listen_dicom`: the Storage SCP."""

from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from hub import heartbeat
from hub.dicom import scp
from hub.dicom.received import ReceivedInstance
from hub.doors import told, wait_for_stop
from routing import healing, uploading
from routing.peers import Peers
from routing.places import spool
from routing.steps.receive import Receiver

log = structlog.get_logger(__name__)


def take(peers: Peers, receiver: Receiver, received: ReceivedInstance) -> int:
    """The status of one C-STORE. While the database is away the sender is told to come again."""
    try:
        node = peers.node_for(received.calling_ae_title, received.address)
        if node is None:
            log.warning("receive.no_longer_known", ae_title=received.calling_ae_title)
            return scp.NOT_AUTHORISED
        return receiver.take(node, received)
    except DatabaseError:
        log.error("receive.no_database", exc_info=True)
        return scp.OUT_OF_RESOURCES
    finally:
        # The thread of an association may live for days: no connection grows old in it.
        connection.close()


def _port() -> int:
    shared = settings.HUB_LISTENERS > 1
    return scp.SharedPort(settings.HUB_DICOM_PORT) if shared else int(settings.HUB_DICOM_PORT)


class Command(BaseCommand):
    """Listen for C-STORE and C-ECHO until SIGTERM; running associations are drained."""

    help = "Receive studies by DICOM (HUB_BIND, HUB_DICOM_PORT, HUB_AE_TITLE)."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Serve until told to stop."""
        if not settings.HUB_SYNC:
            log.warning("listen_dicom.not_synced", lost_with_power="the last seconds")
        peers, receiver = Peers(), Receiver()
        try:
            server = scp.serve(
                ae_title=settings.HUB_AE_TITLE,
                bind=settings.HUB_BIND,
                port=_port(),
                policy=peers.policy,
                on_store=partial(take, peers, receiver),
                limits=scp.Limits(landing=scp.Landing(spool().open_part, spool().free_bytes)),
            )
        except OSError as fault:
            why = told("HUB_DICOM_PORT", settings.HUB_BIND, settings.HUB_DICOM_PORT, fault)
            raise CommandError(why, returncode=2) from fault
        heartbeat.start(lambda: server.is_accepting)
        healing.start(receiver)
        uploading.start()
        wait_for_stop()
        server.shutdown(grace=settings.HUB_DRAIN_SECONDS)
        receiver.close()
        uploading.finish()
