"""Which node a message comes from, by MSH-3, MSH-4 and the peer's address."""

from __future__ import annotations

import time
from contextlib import suppress

from hub.hl7.er7 import MessageError
from hub.hl7.parse import MessageHeader
from hub.models import Node
from routing.addresses import NotLookedUp, first_from

_FRESH_SECONDS = 1.0


class UnknownSender(MessageError):  # noqa: N818
    """MSH-3 and MSH-4 name no node that may send orders, or the address is not that node's."""

    acknowledgement = "AR"


class OrderNodes:
    """The HL7 nodes of the set-up, read anew every second: new set-up needs no restart."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._read_at = float("-inf")

    def node_of(self, header: MessageHeader, address: str) -> Node:
        """The node with role orders that sent this; raises UnknownSender, NotLookedUp."""
        named = [
            node
            for node in self._all()
            if node.hl7.get("receiving_application") == header.sending_application
            and (node.hl7.get("receiving_facility") or "") == header.sending_facility
        ]
        allowed = [node for node in named if node.has_role("orders")]
        if (node := first_from(allowed, address)) is not None:
            return node
        raise UnknownSender("MSH-3", 207, _why_unknown(header, named, allowed))

    def is_named(self, address: str) -> bool:
        """Whether the set-up names this very address as a node's; "from anywhere" names none."""
        with suppress(NotLookedUp):
            return first_from((node for node in self._all() if node.host), address) is not None
        return False

    def _all(self) -> list[Node]:
        if time.monotonic() - self._read_at > _FRESH_SECONDS:
            rows = Node.objects.filter(protocol=Node.Protocol.HL7).select_related("site")
            self._nodes = list(rows)
            self._read_at = time.monotonic()
        return self._nodes


def _why_unknown(header: MessageHeader, named: list[Node], allowed: list[Node]) -> str:
    """What an administrator must mend; names in MSH are of systems, never of patients."""
    if allowed:
        codes = ", ".join(node.code for node in allowed)
        return f"the address of node {codes} was expected"
    if named:
        codes = ", ".join(node.code for node in named)
        return f"role orders was expected at node {codes}"
    application, facility = header.sending_application[:40], header.sending_facility[:40]
    return f"sender {application}|{facility} was found, one of the set-up was expected"
