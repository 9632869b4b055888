"""Deletes what has been kept for long enough: rows first, with a note of their files, then those.

A note that is left behind by a crash is followed at the next run. The hold on the spool is given up
after each batch, so that a backup comes in between; while one is made nothing is deleted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from hub import audit
from hub.dicom.remote_spool import RemoteSpool
from hub.models import Site
from routing import healing, retention, uploading
from routing.exclusion import Busy, alone
from routing.models import (
    Delivery,
    Discarded,
    Finding,
    Instance,
    Order,
    Result,
    Series,
    SetAside,
    Study,
    Transition,
    Verdict,
    Workitem,
)
from routing.places import spool

log = structlog.get_logger(__name__)

ACTOR = "retention"
_LONGEST_RUN_SECONDS = 30.0
_PAUSE_SECONDS = 0.3
_STUDIES_AT_ONCE = 20
_ROWS_AT_ONCE = 500
_MOST_FILES = 20_000
# longer than whoever put a file that was there takes to write its row
_UNTOUCHED = timedelta(hours=1)
# the clock of the wall may run ahead of that of the process by so much
_SLACK_SECONDS = 3600.0


_Batch = Callable[[Site | None, str, datetime], int]


class _Clock:
    """The time of the wall less that of the process (seconds), when it was first seen."""

    ahead: float | None = None


def forget() -> int:
    """Delete what is due, for at most half a minute; how many rows of a kind went.

    Does nothing where the clock has jumped ahead: what it says is old may be of today.
    """
    if _has_jumped():
        log.error("retention.clock_jumped", does="delete nothing until the hub is started again")
        return 0
    count, ends = 0, time.monotonic() + _LONGEST_RUN_SECONDS
    try:
        with alone():
            _remove_files()
        for site in [*Site.objects.exclude(retention={}), None]:
            for kind, forget_some in _BATCHES.items():
                while time.monotonic() < ends and (gone := _batch(forget_some, site, kind)):
                    count += gone
                    time.sleep(_PAUSE_SECONDS)
    except Busy:
        log.info("retention.waits", for_="a backup")
    return count


def _batch(forget_some: _Batch, site: Site | None, kind: str) -> int:
    with alone():
        gone = forget_some(site, kind, timezone.now())
        if gone:
            _remove_files()
        return gone


def _has_jumped() -> bool:
    ahead = time.time() - time.monotonic()
    _Clock.ahead = ahead if _Clock.ahead is None else min(ahead, _Clock.ahead)
    return ahead > _Clock.ahead + _SLACK_SECONDS


def _forget_studies(site: Site | None, kind: str, now: datetime) -> int:
    if site is None:
        return 0
    pks = retention.due(site, kind, at=now).values_list("pk", flat=True)[:_STUDIES_AT_ONCE]
    return sum(_forget_study(site, kind, pk, now) for pk in list(pks))


@transaction.atomic
def _forget_study(site: Site, kind: str, pk: int, now: datetime) -> bool:
    """Delete one study with all that hangs on it, unless it is no longer due."""
    try:
        study = Study.objects.lock_to_close(pk)
    except Study.DoesNotExist:
        return False
    items = list(study.workitems.select_for_update().select_related("version__algorithm"))
    of_items = Delivery.objects.filter(workitem__study=study)
    list(of_items.select_for_update(of=("self",)).order_by("pk").values_list("pk"))
    if not retention.due(site, kind, at=now).filter(pk=pk).exists():
        return False
    results = Result.objects.filter(workitem__study=study)
    told = study.instances.aggregate(bytes=Sum("size"))
    keys = [*study.instances.values_list("key", flat=True), *results.values_list("key", flat=True)]
    audit.record(
        "study.deleted", actor=ACTOR, site=site, subject=str(study.uid), kind=kind,
        instances=study.instances.count(), bytes=told["bytes"] or 0,
        workitems=[_log_of(item) for item in items],
    )  # fmt: skip
    _discard(keys)
    # What hangs on others first; each is one statement.
    for rows in (
        Transition.objects.filter(study=study), Finding.objects.filter(workitem__study=study),
        results, of_items, Verdict.objects.filter(study=study),
        Instance.objects.filter(study=study), Series.objects.filter(study=study),
    ):  # fmt: skip
        rows.delete()
    study.delete()
    return True


def _log_of(item: Workitem) -> dict[str, Any]:
    """What is kept of one algorithm's work on a study for as long as the audit trail is."""
    moments = {"dispatched_at": item.dispatched_at, "finished_at": item.finished_at}
    return {
        "uid": str(item.uid), "version": str(item.version), "state": item.state,
        "purpose": item.purpose, "review": item.review,
    } | {name: moment.isoformat() for name, moment in moments.items() if moment}  # fmt: skip


@transaction.atomic
def _forget_set_aside(site: Site | None, kind: str, now: datetime) -> int:
    rows = list(retention.due(site, kind, at=now)[:_ROWS_AT_ONCE])
    keys = [row.key for row in rows if row.key]
    # What was set aside byte for byte has a note beside it.
    notes = [f"{key.rpartition('.')[0]}.json" for key in keys if key.startswith("quarantine/")]
    _discard([*keys, *notes])
    return _delete(SetAside, [row.pk for row in rows], site, kind)


@transaction.atomic
def _forget_orders(site: Site | None, kind: str, now: datetime) -> int:
    found = retention.due(site, kind, at=now).values_list("pk", flat=True)[:_ROWS_AT_ONCE]
    locked = Order.objects.filter(pk__in=list(found)).order_by("pk").select_for_update()
    list(locked.values_list("pk"))
    # Some may have got a study, or a message, while they were waited for.
    still = retention.due(site, kind, at=now).filter(pk__in=list(found))
    return _delete(Order, list(still.values_list("pk", flat=True)), site, kind)


@transaction.atomic
def _forget_rows(site: Site | None, kind: str, now: datetime) -> int:
    rows = retention.due(site, kind, at=now)
    return _delete(rows.model, list(rows.values_list("pk", flat=True)[:_ROWS_AT_ONCE]), site, kind)


def _delete(model: Any, pks: Sequence[int], site: Site | None, kind: str) -> int:
    if pks:
        model._default_manager.filter(pk__in=pks).delete()
        audit.record("retention.deleted", actor=ACTOR, site=site, kind=kind, rows=len(pks))
    return len(pks)


def _discard(keys: Sequence[str]) -> None:
    rows = [Discarded(key=key) for key in dict.fromkeys(keys)]
    Discarded.objects.bulk_create(rows, ignore_conflicts=True, batch_size=_ROWS_AT_ONCE)


def _remove_files() -> None:
    """Delete the files that were noted, but for those that have come again; inside alone()."""
    rows = list(Discarded.objects.order_by("key")[:_MOST_FILES])
    for _folder, few in groupby(rows, key=lambda row: row.key.rpartition("/")[0]):
        batch = list(few)
        wanted = _wanted([row.key for row in batch])
        over = [
            row.pk
            for row in batch
            if row.key in wanted or _is_gone(row.key)
        ]
        Discarded.objects.filter(pk__in=over).delete()


def _is_gone(key: str) -> bool:
    if not spool().discard(key, untouched=_UNTOUCHED):
        return False
    if isinstance(spool(), RemoteSpool):
        uploading.forgotten(key)
    return True


def _wanted(batch: Sequence[str]) -> set[str]:
    """Which keys of one folder have a row (again)."""
    area, _site, folder, *_rest = (*batch[0].split("/"), "", "")
    if area == "instances":
        return healing.rows_of(batch)
    if area == "objects":
        of_workitem = Result.objects.filter(workitem__uid=UUID(folder), key__in=batch)
        return set(of_workitem.values_list("key", flat=True))
    return set()


_BATCHES: dict[str, _Batch] = {
    **dict.fromkeys(retention.STUDIES, _forget_studies),
    retention.SET_ASIDE: _forget_set_aside,
    retention.ORDERS: _forget_orders,
    retention.MESSAGES: _forget_rows,
    retention.AUDIT: _forget_rows,
}
