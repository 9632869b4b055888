"""Whether a peer's address is the one that the set-up names for a node."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Iterable
from functools import lru_cache

from hub.models import Node

# A name server that is away, and a system without another file: neither says that there is no name.
_FOR_NOW = frozenset({socket.EAI_AGAIN, socket.EAI_SYSTEM, socket.EAI_MEMORY})
# To ask one that is away takes a while, and whoever else comes would wait as well.
_AGAIN_SECONDS = 5.0
_AWAY: dict[str, float] = {}


class NotLookedUp(Exception):  # noqa: N818 (named by what failed)
    """What a host name means cannot be found out now."""


def may_come_from(host: str, address: str) -> bool:
    """Whether a peer at ``address`` may be the node whose host the set-up names ('' is any).

    Raises NotLookedUp.
    """
    if not host:
        return True
    now = time.monotonic()
    if _AWAY.get(host, 0.0) > now:
        raise NotLookedUp(host)
    try:
        return plain(address) in _addresses(host, minute=int(now // 60))
    except NotLookedUp:
        _AWAY[host] = time.monotonic() + _AGAIN_SECONDS
        raise


def first_from(nodes: Iterable[Node], address: str) -> Node | None:
    """The first of some nodes that a peer at ``address`` may be.

    Raises NotLookedUp where it is none whose host is known now, and may be another.
    """
    unknown: NotLookedUp | None = None
    for node in nodes:
        try:
            if may_come_from(node.host, address):
                return node
        except NotLookedUp as fault:
            unknown = fault
    if unknown is not None:
        raise unknown
    return None


@lru_cache(maxsize=1024)
def plain(address: str) -> str:
    """An IP address in its one spelling; who comes by IPv4 to an IPv6 socket has an IPv4 address.

    A socket that is bound to :: names such a peer ::ffff:192.0.2.7 (RFC 4291 2.5.5.2).
    """
    try:
        read = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(getattr(read, "ipv4_mapped", None) or read)


@lru_cache(maxsize=256)
def _addresses(host: str, *, minute: int) -> frozenset[str]:
    """What a host name means; asked anew each ``minute``, for a name server may have been away."""
    try:
        return frozenset({plain(str(ipaddress.ip_address(host)))})
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host, None)
    except OSError as fault:
        if not isinstance(fault, socket.gaierror) or fault.errno in _FOR_NOW:
            raise NotLookedUp(host) from fault  # and asked again by whoever comes next
        return frozenset()
    return frozenset(plain(str(entry[4][0])) for entry in found)
