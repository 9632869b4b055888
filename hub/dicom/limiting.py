"""In charge of how much one peer may ask of the listener, before anything is negotiated with it."""

import threading

from hub.limiting import Allowance, Sparing


class AssociationLimits:
    """How often each peer may associate, and which refusals of strangers are told.

    Some scanners open an association for every instance; the bounds are far above the fastest, and
    far below what a peer that does so in an endless loop takes. Safe to use from many threads.
    """

    def __init__(
        self,
        *,
        per_minute: float = 3000,
        burst: float = 500,
        told_per_minute: float = 6,
        told_at_once: float = 20,
    ) -> None:
        self._known = Allowance(per_minute=per_minute, burst=burst)
        self._told = Sparing(per_minute=told_per_minute, burst=told_at_once)

    def is_too_often(self, calling_ae_title: str, address: str) -> bool:
        """Say whether a known peer must come back later; otherwise count its association."""
        return bool(self._known.take((calling_ae_title, address)))

    def untold(self, address: str) -> int | None:
        """Give how many refusals of an address went untold, or None where this one does too.

        By address alone: a stranger can make up AE titles without end.
        """
        return self._told.untold(address)


class Connections:
    """How many connections one address has open; who has `most` gets no further one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: dict[str, int] = {}
        self._lock = threading.Lock()

    def enter(self, address: str) -> bool:
        """Count a connection, or say no; `leave` is for those that were counted."""
        with self._lock:
            now = self._open.get(address, 0)
            if now >= self._most:
                return False
            self._open[address] = now + 1
            return True

    def leave(self, address: str) -> None:
        """Count a connection that ended."""
        with self._lock:
            left = self._open.get(address, 0) - 1
            if left > 0:
                self._open[address] = left
            else:
                self._open.pop(address, None)
