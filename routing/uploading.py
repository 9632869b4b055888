"""Brings what was received on this host to the object store, and makes room once it is there.

The order is what keeps a file from being lost: it is brought, held against size and checksum, its
row is marked, its mark on the disk goes, and only then may the copy here go. Whoever dies between
two of these has done nothing that is not done again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice

import structlog
from django.conf import settings
from django.db import close_old_connections, connections
from django.utils import timezone

from hub.dicom.object_store import StoreAway
from hub.dicom.remote_spool import RemoteSpool
from routing import exclusion
from routing.models import Kept
from routing.places import spool

log = structlog.get_logger(__name__)

_AT_ONCE, _BATCH = 8, 500
_LOOK_SECONDS, _SHRINK_SECONDS, _LONGEST_PAUSE = 0.5, 60.0, 30.0
_STUCK_SECONDS = 3.0
# a mark is made just before its file: one without is left by somebody who died, or was refused
_EMPTY_MARK = timedelta(hours=1)
_UNTOUCHED = timedelta(hours=1)


class _Started:
    """Whether this process, and not the one that it was forked from, carries already."""

    pid = 0
    lock = threading.Lock()
    end = threading.Event()
    thread: threading.Thread | None = None


def start() -> None:
    """Carry in the background for as long as this process lives, where there is a store.

    May be called as often as one likes.
    """
    if _Started.pid == os.getpid() or not isinstance(place := spool(), RemoteSpool):
        return
    with _Started.lock:
        if _Started.pid != os.getpid():
            _Started.pid, _Started.end = os.getpid(), threading.Event()
            _Started.thread = threading.Thread(
                target=_run, args=(place, _Started.end), daemon=True, name="uploading"
            )
            _Started.thread.start()


def stop() -> None:
    """End what start() began, after the file at hand."""
    if _Started.pid == os.getpid() and _Started.thread is not None:
        _Started.end.set()
        _Started.thread.join()
        _Started.pid = 0


def finish(*, within: float = 10.0) -> int:
    """Wait at the end of a process until what this host has is brought; how many files stay behind.

    For ``within`` seconds at most, and no longer than it goes on: whoever is started here next, or
    another process of this host, has the rest.
    """
    place = spool()
    if not isinstance(place, RemoteSpool):
        return 0
    ends_at, stuck_at = time.monotonic() + within, time.monotonic() + _STUCK_SECONDS
    left = len(place.outgoing())
    while left and time.monotonic() < min(ends_at, stuck_at):
        time.sleep(_LOOK_SECONDS / 5)
        before, left = left, len(place.outgoing())
        if left < before:
            stuck_at = time.monotonic() + _STUCK_SECONDS
    if left:
        log.warning("uploading.left_behind", files=left)
    return left


def carry_all() -> int:
    """Bring all that this host has and the store has not; how many files. Raises StoreAway."""
    place = spool()
    if not isinstance(place, RemoteSpool):
        return 0
    with _alone(place, patience=60.0):
        notice(place)
        count = 0
        while brought := carry(place):
            count += brought
        return count


def notice(place: RemoteSpool) -> int:
    """Mark what lies here and is not known to be in the store: a loss of power takes marks too."""
    count = 0
    keys = (key for key, _path in place.here())
    while batch := list(islice(keys, _BATCH)):
        stored = _stored(batch)
        for key in batch:
            if key not in stored:
                place.mark(key)
                count += 1
    return count


def carry(place: RemoteSpool) -> int:
    """Bring what is marked; how many files. Raises StoreAway where the store is away."""
    outgoing = [key for key, _path in place.outgoing()]
    count = 0
    for begin in range(0, len(outgoing), _BATCH):
        batch = _registered(place, outgoing[begin : begin + _BATCH])
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for key, brought in zip(batch, pool.map(place.carry, batch), strict=True):
                if brought is None:
                    _forget_mark(place, key)
                else:
                    count += _keep(place, key, *brought)
    return count


def shrink(place: RemoteSpool, most_bytes: int) -> int:
    """Delete the copies read longest ago until so many bytes are left; how many files.

    Only what its row says is in the store: a mark alone could be lost with the power.
    """
    found = []
    for key, path in place.here():
        status = path.stat()
        found.append((status.st_atime_ns, status.st_size, key))
    too_much = sum(size for _at, size, _key in found) - most_bytes
    free = shutil.disk_usage(place.root).free
    too_much = max(too_much, 4 * settings.HUB_MINIMUM_FREE_BYTES - free)
    count, rest = 0, iter(sorted(found))
    while too_much > 0 and (batch := list(islice(rest, _BATCH))):
        stored = _stored([key for _at, _size, key in batch])
        for _at, size, key in batch:
            if too_much > 0 and key in stored and not place.is_outgoing(key):
                place.evict(key)
                too_much -= size
                count += 1
    return count


def forgotten(key: str) -> None:
    """A file was deleted for good: whoever has it on another disk must not bring it again."""
    ours = Kept.objects.filter(key=key)
    waiting_elsewhere = ours.filter(stored_at=None).exclude(host=_host())
    if not waiting_elsewhere.update(is_doomed=True):
        ours.delete()


def backlog() -> tuple[int, float]:
    """How many files of all hosts are not in the store yet, and for how many seconds the oldest."""
    rows = Kept.objects.filter(stored_at=None).order_by("noticed_at")
    first = rows.first()
    age = (timezone.now() - first.noticed_at).total_seconds() if first else 0.0
    return rows.count(), max(age, 0.0)


# -- one file --------------------------------------------------------------------------------------
def _registered(place: RemoteSpool, keys: Sequence[str]) -> list[str]:
    """Write down what this host has alone, for others to see; what is to go goes first."""
    now, host = timezone.now(), _host()
    doomed = set(
        Kept.objects.filter(key__in=keys, is_doomed=True).values_list("key", flat=True)
    )
    for key in doomed:
        if place.discard(key, untouched=_UNTOUCHED):
            Kept.objects.filter(key=key).delete()
        else:
            # The same came again meanwhile: it is wanted.
            Kept.objects.filter(key=key).update(is_doomed=False)
    rows = [Kept(key=key, host=host, noticed_at=now) for key in keys if key not in doomed]
    Kept.objects.bulk_create(rows, ignore_conflicts=True)
    return [key for key in keys if key not in doomed]


def _keep(place: RemoteSpool, key: str, size: int, sha256: str) -> int:
    """Mark the row of a file that is in the store; 1, or 0 where it was forgotten meanwhile."""
    is_wanted = Kept.objects.filter(key=key, is_doomed=False).update(
        stored_at=timezone.now(), size=size, sha256=sha256, host=""
    )
    if is_wanted:
        place.carried(key)
    else:
        # What put it again has marked it again, and it is brought once more.
        place.store.delete(key)
    return is_wanted


def _forget_mark(place: RemoteSpool, key: str) -> None:
    if place.marked_for(key) > _EMPTY_MARK.total_seconds():
        place.carried(key)
        Kept.objects.filter(key=key, stored_at=None, host=_host()).delete()


def _stored(keys: Iterable[str]) -> set[str]:
    rows = Kept.objects.filter(key__in=list(keys), stored_at__isnull=False)
    return set(rows.values_list("key", flat=True))


def _host() -> str:
    return socket.gethostname()[:100]


# -- for as long as the process lives --------------------------------------------------------------
def _run(place: RemoteSpool, stop: threading.Event) -> None:
    pause = _LOOK_SECONDS
    while not stop.wait(pause):
        try:
            with _alone(place):
                notice(place)
                pause = _LOOK_SECONDS
                _go_on(place, stop)
        except BlockingIOError:
            pause = _LONGEST_PAUSE / 6  # another process of this host carries
        except Exception as fault:
            pause = min(pause * 2, _LONGEST_PAUSE)
            log.warning("uploading.failed", again_in=pause, why=str(fault)
                        if isinstance(fault, StoreAway) else type(fault).__name__)  # fmt: skip
        finally:
            connections.close_all()


def _go_on(place: RemoteSpool, stop: threading.Event) -> None:
    shrink_at = time.monotonic()
    while not stop.wait(_LOOK_SECONDS):
        close_old_connections()
        carry(place)
        if time.monotonic() > shrink_at:
            shrink_at = time.monotonic() + _SHRINK_SECONDS
            _shrink_alone(place)


def _shrink_alone(place: RemoteSpool) -> None:
    try:
        # A backup that is being made reads what lies here.
        with exclusion.alone():
            shrink(place, settings.HUB_CACHE_BYTES)
    except exclusion.Busy:
        log.info("uploading.shrinks_later")


@contextmanager
def _alone(place: RemoteSpool, *, patience: float = 0) -> Iterator[None]:
    """One process of a host carries; raises BlockingIOError where another does."""
    path = place.root / "uploading.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + patience
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise
                time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)
