"""Whether a peer's address is the one that the set-up names for a node."""

from __future__ import annotations

import ipaddress
import socket
import time
from functools import lru_cache


def may_come_from(host: str, address: str) -> bool:
    """Whether a peer at ``address`` may be the node whose host the set-up names ('' is any)."""
    return not host or plain(address) in _addresses(host, minute=int(time.monotonic() // 60))


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
    except OSError:
        return frozenset()
    return frozenset(plain(str(entry[4][0])) for entry in found)
