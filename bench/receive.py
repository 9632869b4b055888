"""Receiving over 1, 2 and 4 associations: the hub beside Orthanc, storescp and pynetdicom.

    .venv/bin/python -m bench.receive [--quick]

Everybody gets the same files on the same disk, from dcmtk's storescu: a process for each
association, from the start of the first to the end of the last. Afterwards it is counted whether
all arrived; a receiver that lost one has no figure. The hub is `manage.py hub` on embedded
defaults, its other processes idle.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import alone, mercure, peers
from bench.data import Images, make_images
from bench.hub import NEVER_QUIET, running_hub
from bench.measurement import HUB, Measurement, Target
from bench.pairs import alternate, pairs_of
from bench.places import ROOT, NotMeasured, folder
from bench.postgresql import postgresql
from bench.sending import Door, Work, hub_door, peer_door
from hub.supervisor import die_with_parent

_UNIT = "instances/s"
_ASSOCIATIONS = (1, 2, 4)
_MOST_CPU_MS = 1.5
_BOTH_ENDS = "TCP_NODELAY=1 for storescu and dcmtk's receivers"
# As storescp --fork and Orthanc's threads use them all.
_FACTORY = "factory settings, no TCP_NODELAY in any environment"
Start = Callable[[Path], AbstractContextManager[Door]]


@dataclass(frozen=True, slots=True)
class Series:
    """Rows that differ in the number of associations alone: who takes part, and what is aimed at.

    ``images`` are how many instances each association brings in a turn, and how many where it is
    to be quick: as many for each, or a start of storescu would weigh four times as much with four.
    """

    name: str
    says: str
    takers: Mapping[str, Start]
    conditions: Mapping[str, Any]
    images: tuple[int, int] = (250, 50)
    associations: Sequence[int] = _ASSOCIATIONS
    targets: Callable[[int], Sequence[Target]] = lambda _: ()
    has_no_delay: bool = True
    is_raw: bool = False


def measure(*, is_quick: bool) -> list[Measurement]:
    """Rates of receiving in instances of 526 kB a second, and the processor's time for each."""
    with folder() as here:
        rows: list[Measurement] = []
        made = [series.images[is_quick] * max(series.associations) for series in _series()]
        images = make_images(here / "images", max(made))
        for series in _series():
            rows += _measure(series, images, here / series.name, is_quick=is_quick)
        return rows


def _series() -> list[Series]:
    storescp = {"storescp": _peer(peers.storescp)}
    given = {mercure.NAME: _peer(mercure.receiver)} if mercure.is_given() else {}
    return [
        Series(
            "receive_durable", "Receive, durable", {HUB: _hub(), "Orthanc": _orthanc(), **storescp},
            {"synced": "hub: data and row before Success; Orthanc: data; storescp: nothing",
             "network": _BOTH_ENDS},
            targets=lambda _: [Target("Orthanc", at_least=1.8)],
        ),
        Series(
            "receive_unsynced", "Receive, not synced",
            {HUB: _unsynced_hub(), "Orthanc": _orthanc(is_synced=False), **storescp,
             "pynetdicom": _peer(peers.pynetdicom_storescp), **given},
            {"synced": "nobody", "network": _BOTH_ENDS,
             **({mercure.NAME: "storescp --fork, a process for each file"} if given else {})},
            targets=lambda _: [Target("Orthanc", at_least=2.0), Target("storescp", at_least=0.9),
                               Target("pynetdicom", at_least=3)],
        ),
        _factory("receive_factory", "durable", is_synced=True),
        _factory("receive_factory_unsynced", "not synced", is_synced=False),
        Series(
            "receive_postgresql", "Receive, durable, with PostgreSQL",
            {HUB: _hub_on_postgresql, "Orthanc": _orthanc()},
            {"synced": "hub: data and row before Success; Orthanc: data", "network": _BOTH_ENDS,
             "database": "hub: PostgreSQL; Orthanc: its SQLite"},
            images=(100, 50), associations=(1, 4),
        ),
        Series(
            "receive_limit", "Receive, not synced, from a sender without a limit of its own",
            {HUB: _unsynced_hub(), **storescp, "tcpcopy": _tcpcopy},
            {"synced": "nobody", "network": _BOTH_ENDS,
             "tcpcopy": "the same bytes from a socket to a file, without DICOM"},
            images=(100, 50), associations=(1, 4), is_raw=True,
        ),
    ]  # fmt: skip


def _factory(name: str, says: str, *, is_synced: bool) -> Series:
    storescp = _peer(peers.storescp, has_no_delay=False)
    synced = "hub: data and row before Success; Orthanc: data; storescp: nothing"
    return Series(
        name, f"Receive from senders with factory settings, {says}",
        {HUB: _hub() if is_synced else _unsynced_hub(),
         "Orthanc": _orthanc(is_synced=is_synced, has_no_delay=False), "storescp": storescp},
        {"synced": synced if is_synced else "nobody", "network": _FACTORY},
        images=(96, 16), associations=(1, 4), has_no_delay=False,
        targets=lambda count: [Target(peer, at_least=10 if count == 1 else 5)
                               for peer in ("Orthanc", "storescp")],
    )  # fmt: skip


def _measure(series: Series, images: Images, here: Path, *, is_quick: bool) -> list[Measurement]:
    each = series.images[is_quick]
    rows: list[Measurement] = []
    with ExitStack() as stack:
        doors: dict[str, Door] = {}
        failures: dict[str, str] = {}
        for who, start in series.takers.items():
            try:
                doors[who] = stack.enter_context(start(here / who))
                Work(images.first(each), is_raw=series.is_raw).warm(doors[who])
            except NotMeasured as fault:
                failures[who] = str(fault)
                doors.pop(who, None)
        pairs = pairs_of(is_quick=is_quick)
        for count in series.associations:
            sent = images.first(each * count)
            rows.append(_row(series, sent, doors, dict(failures), (count, pairs)))
            if series.name == "receive_unsynced" and count == 1:
                rows.append(_cpu_row(rows[-1], doors))
    return rows


def _row(
    series: Series, images: Images, doors: Mapping[str, Door], failures: dict[str, str],
    times: tuple[int, int],
) -> Measurement:  # fmt: skip
    associations, pairs = times
    for door in doors.values():
        door.cpu_ms.clear()
        door.counted_after.clear()
    work = Work(images, associations, series.has_no_delay, series.is_raw)
    turns = {who: work.turn(door) for who, door in doors.items()}
    figures = alternate(turns, pairs=pairs, failures=failures)
    return Measurement(
        name=f"{series.name}_{associations}",
        says=f"{series.says}, {associations} association{'s' * (associations > 1)}",
        unit=_UNIT,
        figures=figures,
        targets=tuple(series.targets(associations)),
        conditions={
            "associations": associations,
            "sender": "bench.sender" if series.is_raw else "storescu",
            "instances": f"{len(images.files)} CT of {images.size // len(images.files)} bytes",
            **series.conditions,
        },
        details={
            "cpu_ms_each": {who: [round(one, 3) for one in d.cpu_ms] for who, d in doors.items()},
            "seconds_until_counted": {who: list(d.counted_after) for who, d in doors.items()},
        },
        failures=failures,
    )


def _cpu_row(row: Measurement, doors: Mapping[str, Door]) -> Measurement:
    return Measurement(
        name="receive_cpu",
        says="Processor time to receive an instance, not synced, 1 association",
        unit="ms",
        figures={who: list(doors[who].cpu_ms) for who in row.figures},
        is_rate=False,
        targets=(Target(at_most=_MOST_CPU_MS),),
        conditions={**row.conditions, "counted": "user and system, until the last row is in"},
        failures=row.failures,
    )


# -- who takes part ------------------------------------------------------------------------------
def _hub(**settings: str) -> Start:
    @contextmanager
    def start(here: Path) -> Iterator[Door]:
        for name in settings:
            if f'"{name}"' not in (ROOT / "hub/settings.py").read_text():
                raise NotMeasured(f"this hub has no {name}")
        with running_hub(here, **NEVER_QUIET, **settings) as hub:
            yield hub_door(hub)

    return start


def _unsynced_hub() -> Start:
    return _hub(HUB_SYNC="off")


@contextmanager
def _hub_on_postgresql(here: Path) -> Iterator[Door]:
    with (
        postgresql() as url,
        running_hub(here, **NEVER_QUIET, HUB_DATABASE_URL=url) as hub,
    ):
        yield hub_door(hub)


def _orthanc(*, is_synced: bool = True, has_no_delay: bool = True) -> Start:
    return _peer(peers.orthanc, is_synced=is_synced, has_no_delay=has_no_delay)


def _peer(start_peer: Callable[..., Any], **options: bool) -> Start:
    @contextmanager
    def start(here: Path) -> Iterator[Door]:
        with start_peer(here, **options) as peer:
            yield peer_door(peer)

    return start


@contextmanager
def _tcpcopy(here: Path) -> Iterator[Door]:
    here.mkdir(parents=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.tcpcopy", str(here)], cwd=ROOT, stdout=subprocess.PIPE,
        preexec_fn=die_with_parent,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline())
        yield Door(
            "-", port, lambda: len(os.listdir(here)), lambda: [process.pid], is_plain=True
        )
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    raise SystemExit(alone.run(measure))
