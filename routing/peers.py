"""Which node a DICOM association comes from; an AE title nobody set up is refused."""

from __future__ import annotations

import time

import structlog
from django.db import connection

from hub import audit
from hub.dicom.limiting import AssociationLimits
from hub.dicom.scp import Refusal
from hub.models import Node
from routing.addresses import NotLookedUp, first_from

log = structlog.get_logger(__name__)

FRESH_SECONDS = 1.0


class Peers:
    """The DICOM nodes that may send, read anew every second: new set-up needs no restart."""

    def __init__(self, limits: AssociationLimits | None = None) -> None:
        self._nodes: list[Node] = []
        self._read_at = 0.0
        self._limits = limits or AssociationLimits()

    def node_for(self, calling_ae_title: str, address: str) -> Node | None:
        """The node with this AE title, at this address where the set-up names one.

        Raises NotLookedUp.
        """
        named = [node for node in self._sources() if node.ae_title == calling_ae_title]
        return first_from(named, address)

    def policy(self, calling_ae_title: str, address: str) -> Refusal | None:
        """Refuse whom the set-up does not name, and say so in log and audit trail.

        Of many refusals of one address some are told, with the number of the others: a stranger
        must not fill a trail from which nothing is ever taken.
        """
        try:
            node = self.node_for(calling_ae_title, address)
        except NotLookedUp as fault:
            return Refusal(f"no address of {fault} is known for now", is_temporary=True)
        if node is not None:
            if self._limits.is_too_often(calling_ae_title, address):
                return Refusal("associates too often", is_temporary=True)
            return None
        untold = self._limits.untold(address)
        if untold is not None:
            log.warning("association.refused", ae_title=calling_ae_title, address=address)
            self._keep(calling_ae_title, address, untold=untold)
        return Refusal(f"no node has AE title {calling_ae_title} at {address}")

    def _keep(self, calling_ae_title: str, address: str, *, untold: int) -> None:
        try:
            audit.record(
                "association.refused", actor=f"{calling_ae_title}@{address}",
                ae_title=calling_ae_title, address=address, untold_before=untold,
            )  # fmt: skip
        finally:
            connection.close()

    def _sources(self) -> list[Node]:
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            rows = Node.objects.filter(protocol=Node.Protocol.DICOM).select_related("site")
            try:
                nodes = [node for node in rows if node.has_role("source")]
            finally:
                # Nobody who asks keeps a connection of its own, and a broken one least of all.
                connection.close()
            # Who is set up for one address goes before who may have the AE title anywhere: two
            # hospitals may have named their scanners alike, and each has its own patients.
            self._nodes = sorted(nodes, key=lambda node: (not node.host, node.pk))
            self._read_at = time.monotonic()
        return self._nodes
