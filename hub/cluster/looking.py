"""Looks at one run in the cluster, where nobody watches it."""

from __future__ import annotations

from hub.cluster import jobs
from hub.cluster.client import Cluster
from hub.cluster.ledger import Ledger
from hub.cluster.seen import RunSeen


def look(cluster: Cluster, name: str, run: str, seen: RunSeen) -> RunSeen | None:
    """What is known of the run of the Job ``name`` after a look; None where there is no such Job.

    The Job first: what is read of its pods after that it had ended is the last word on them.
    Raises ClusterAway, ClusterRefused, Expired.
    """
    job = jobs.get(cluster, name)
    if job is None:
        return None
    ledger = Ledger()
    ledger.restore(run, seen.with_job(job))
    pods = jobs.pods_of(cluster, run)
    ledger.read(run, pods)
    found = ledger.of(run)
    for event in jobs.warnings_of(cluster, job, pods):
        found = found.with_event(event)
    return found
