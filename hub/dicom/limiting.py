"""In charge of how much one peer may ask of the listener, before anything is negotiated with it."""

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
