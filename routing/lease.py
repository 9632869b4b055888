"""How a worker holds a row: a lease with a heartbeat, and a fencing number that outlives it.

A worker that dies lets its lease run out, and another takes the row with a higher fencing number;
should the first come back to life, pathway.advance() finds the number changed and does nothing.
What goes wrong without the number is found by tests/model/way.py.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import structlog
from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import F, Q
from django.utils import timezone

from routing.models import Delivery, Workitem
from routing.pathway import Overtaken

Held = TypeVar("Held", Workitem, Delivery)
log = structlog.get_logger(__name__)


def owner() -> str:
    """Who holds a lease: host, process and thread."""
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"


@contextmanager
def hold(row: Held, *, states: tuple[str, ...], **fields: Any) -> Iterator[Held | None]:
    """Take ``row`` if it is in one of ``states`` and nobody holds it; None where it cannot be."""
    held = take(row, states=states, **fields)
    if held is None:
        yield None
        return
    with keep(held):
        yield held


def take(row: Held, *, states: tuple[str, ...], **fields: Any) -> Held | None:
    """Take the lease with the next fencing number, or None; the caller must keep() or lose it.

    ``fields`` are written with it: what must stand in the row should this worker die.
    """
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    moved = (
        type(row)
        .objects.filter(free, pk=row.pk, state__in=states)
        .update(fence=F("fence") + 1, lease_owner=owner(), lease_until=now + _length(), **fields)
    )
    if moved != 1:
        return None
    return type(row).objects.get(pk=row.pk)


def take_all(rows: Sequence[Held], **fields: Any) -> None:
    """Take the leases of rows that the caller's transaction has locked, and found free."""
    mine, until = owner(), timezone.now() + _length()
    type(rows[0]).objects.filter(pk__in=[row.pk for row in rows]).update(
        fence=F("fence") + 1, lease_owner=mine, lease_until=until, **fields
    )
    for row in rows:
        row.fence, row.lease_owner, row.lease_until = row.fence + 1, mine, until


@contextmanager
def keep(held: Held) -> Iterator[None]:
    """Keep a lease alive until the block ends, then give it back if it is still ours.

    It ends earlier where the row is moved on: pathway.advance() clears it.
    """
    with keep_all([held]):
        yield


@contextmanager
def keep_all(held: Sequence[Held]) -> Iterator[None]:
    """Keep the leases of several rows of one kind, as keep() does that of one."""
    # Read now, for advance() changes what the rows in memory say.
    ours = among(held)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(ours, stop), daemon=True, name="lease")
    beat.start()
    try:
        yield
    finally:
        stop.set()
        beat.join()
        ours.update(lease_owner="", lease_until=None)


def among(held: Sequence[Held]) -> models.QuerySet[Any]:
    """Those of the rows whose lease is still the one that was taken."""
    fences: defaultdict[int, list[int]] = defaultdict(list)
    for row in held:
        fences[row.fence].append(row.pk)
    is_ours = Q()
    for fence, keys in fences.items():
        is_ours |= Q(pk__in=keys, fence=fence)
    return type(held[0]).objects.filter(is_ours, lease_owner=held[0].lease_owner)


def require(held: Workitem | Delivery) -> None:
    """Raise Overtaken where the lease has gone to another worker, or the row was moved on."""
    ours = type(held).objects.filter(
        pk=held.pk, fence=held.fence, lease_owner=held.lease_owner, state=held.state
    )
    if not ours.exists():
        raise Overtaken(f"{held} is no longer held by this worker")


@contextmanager
def locked(held: Held) -> Iterator[None]:
    """Do what must not happen once the lease has gone, such as to replace a folder; or Overtaken.

    The row is locked, so that nobody takes it meanwhile: for what is over at once.
    """
    with transaction.atomic():
        ours = type(held).objects.select_for_update(no_key=True).filter(
            pk=held.pk, fence=held.fence, lease_owner=held.lease_owner, state=held.state
        )  # fmt: skip
        if ours.values_list("pk", flat=True).first() is None:
            raise Overtaken(f"{held} is no longer held by this worker")
        yield


def _beat(ours: models.QuerySet[Any], stop: threading.Event) -> None:
    try:
        while not stop.wait(_length().total_seconds() / 3):
            if not _is_renewed(ours):
                return
    finally:
        connection.close()


def _is_renewed(ours: models.QuerySet[Any]) -> bool:
    try:
        return bool(ours.update(lease_until=timezone.now() + _length()))
    except Exception:
        # A missed beat only lets the lease run out, which the fencing number keeps harmless; a
        # database that is away for a moment must not end what takes long.
        log.warning("lease.heartbeat_failed", exc_info=True)
        connection.close()
        return True


def _length() -> timedelta:
    return timedelta(seconds=settings.HUB_LEASE_SECONDS)
