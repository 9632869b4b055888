"""Reads the pods of Jobs that have ended in a way which nothing that was told explains.

Jobs and pods are watched apart, so the end of a Job may be heard before its pod's. A moment later
the pod's end is heard too; only where it is not are the pods of that one Job read.
"""

from __future__ import annotations

import time

from hub.cluster import jobs
from hub.cluster.client import Cluster, ClusterAway, ClusterRefused, Expired
from hub.cluster.ledger import Ledger

_GRACE_SECONDS = 1.0


class SecondLooks:
    """The runs that wait for such a look, and since when."""

    def __init__(self, ledger: Ledger, *, grace_seconds: float = _GRACE_SECONDS) -> None:
        self._ledger, self._grace = ledger, grace_seconds
        self._since: dict[str, float] = {}

    def note(self, run: str, *, must_look: bool) -> None:
        """Whether the verdict on a run, by all that was told, asks for a look."""
        if must_look:
            self._since.setdefault(run, time.monotonic())
        else:
            self._since.pop(run, None)

    def take(self, cluster: Cluster) -> tuple[str, ...]:
        """Read the pods of those that waited long enough; the runs of which more is known now.

        Those that the cluster gives no answer about are taken again the next time.
        """
        now, read = time.monotonic(), []
        for run, since in list(self._since.items()):
            if now - since < self._grace:
                continue
            try:
                self._ledger.read(run, jobs.pods_of(cluster, run))
            except (ClusterAway, ClusterRefused, Expired):
                break
            del self._since[run]
            read.append(run)
        return tuple(read)
