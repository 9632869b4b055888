"""`manage.py listen_dicom`: the Storage SCP."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from hub.dicom import scp
from hub.dicom.received import ReceivedInstance
from hub.doors import wait_for_stop
from routing import healing
from routing.peers import Peers
from routing.steps.receive import Receiver


class Command(BaseCommand):
    """Listen for C-STORE and C-ECHO until SIGTERM; running associations are drained."""

    help = "Receive studies by DICOM (HUB_BIND, HUB_DICOM_PORT, HUB_AE_TITLE)."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Serve until told to stop."""
        peers, receiver = Peers(), Receiver()

        def on_store(received: ReceivedInstance) -> int:
            node = peers.node_for(received.calling_ae_title, received.address)
            return scp.CANNOT_UNDERSTAND if node is None else receiver.take(node, received)

        try:
            server = scp.serve(
                ae_title=settings.HUB_AE_TITLE,
                bind=settings.HUB_BIND,
                port=settings.HUB_DICOM_PORT,
                policy=peers.policy,
                on_store=on_store,
            )
        except scp.PortTaken as fault:
            raise CommandError(f"HUB_DICOM_PORT: {fault}", returncode=2) from fault
        healing.start(receiver)
        wait_for_stop()
        server.shutdown(grace=20)
        receiver.close()
