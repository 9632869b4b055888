"""Keeps what is known of runs in a cluster, so that every process of the hub can ask the database.

The informer writes, performers read: a thousand runs are a thousand rows, and a few watches.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from vendors.models import ClusterRun, ClusterWatch

# an informer that has not said for so long that it lives is not waited for
ALIVE = timedelta(seconds=20)
_LONGEST_TROUBLE = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """One run as it was last seen; ``seen`` is the JSON of hub.cluster.seen.RunSeen."""

    name: str
    job_uid: str
    state: str
    seen: dict[str, Any]
    log_tail: str
    priority: int
    submitted_at: datetime


def begin(name: str, *, priority: int) -> None:
    """Write down that a Job of this name is about to be made: after that it can be looked for."""
    now = timezone.now()
    ClusterRun.objects.get_or_create(
        name=name, defaults={"priority": priority, "submitted_at": now, "changed_at": now}
    )


def made(name: str, *, job_uid: str) -> None:
    """The Job is there, and has this uid."""
    ClusterRun.objects.filter(name=name).update(job_uid=job_uid, changed_at=timezone.now())


def note(name: str, *, state: str, seen: dict[str, Any]) -> bool:
    """Keep what was seen of a run; False where nobody has such a run (any more)."""
    changed = {"state": state, "seen": seen, "changed_at": timezone.now()}
    job = seen.get("job") or {}
    if job.get("uid"):
        changed["job_uid"] = job["uid"]
    return bool(ClusterRun.objects.filter(name=name).update(**changed))


def keep_log(name: str, text: str) -> None:
    """Keep the end of its log, which is gone once the pod is."""
    ClusterRun.objects.filter(name=name).update(log_tail=text)


def of(name: str) -> Kept | None:
    """What is known of a run, or None."""
    row = ClusterRun.objects.filter(name=name).first()
    return _kept(row) if row else None


def all_of_them() -> list[Kept]:
    """All runs that are not cleaned up yet."""
    return [_kept(row) for row in ClusterRun.objects.order_by("pk").iterator()]


def forget(name: str) -> None:
    """The run is cleaned up."""
    ClusterRun.objects.filter(name=name).delete()


def place(kept: Kept) -> int:
    """Where a run that waits for room in the cluster stands among all that do; 1 is first."""
    before = Q(priority__lt=kept.priority) | Q(
        priority=kept.priority, submitted_at__lt=kept.submitted_at
    )
    return ClusterRun.objects.filter(before, state="waiting").count() + 1


def is_watched(namespace: str) -> bool:
    """Whether an informer keeps these rows up to date at present."""
    since = timezone.now() - ALIVE
    return ClusterWatch.objects.filter(namespace=namespace, alive_at__gt=since).exists()


def say_alive(namespace: str, *, trouble: str) -> None:
    """Say that the informer has all there is, or what keeps it from that."""
    told: dict[str, Any] = {"trouble": trouble[:_LONGEST_TROUBLE]}
    if not trouble:
        told["alive_at"] = timezone.now()
    never = {"alive_at": timezone.now() - 2 * ALIVE}
    ClusterWatch.objects.update_or_create(
        namespace=namespace, defaults=told, create_defaults=never | told
    )


def _kept(row: ClusterRun) -> Kept:
    return Kept(
        row.name, row.job_uid, row.state, row.seen, row.log_tail, row.priority, row.submitted_at
    )
