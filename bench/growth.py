"""What one study costs in the database with ten thousand, a hundred thousand, a million others.

    .venv/bin/python -m bench.growth [--quick]

Each step of a study's way is timed by itself in a transaction that is taken back; the files and
the algorithm, which do not depend on how many studies there are, are left out.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench import alone
from bench.measurement import HUB, Measurement, Target
from bench.places import folder
from bench.worklist import populated

SIZES, QUICK_SIZES = (10_000, 100_000, 1_000_000), (2_000, 20_000)
REPETITIONS, QUICK_REPETITIONS = 25, 9
INSTANCES = 20
# Indexes grow deeper with the logarithm of their rows; anything that is read whole would be 100.
MOST_TIMES = 2.0

Times = dict[str, list[float]]


def measure(*, is_quick: bool) -> list[Measurement]:
    """How many times what a study cost with few others it costs with many."""
    sizes = QUICK_SIZES if is_quick else SIZES
    curve: dict[str, list[float]] = {}
    with folder() as here, populated(here, 0):
        from bench import population

        for size in sizes:
            population.grow(size)
            times = _times(QUICK_REPETITIONS if is_quick else REPETITIONS)
            for step, found in times.items():
                curve.setdefault(step, []).append(round(statistics.median(found), 3))
    whole = [sum(found[place] for found in curve.values()) for place in range(len(sizes))]
    return [
        Measurement(
            name="growth",
            says=f"Cost of a study with {sizes[-1]} others, over its cost with {sizes[0]}",
            unit="times",
            figures={HUB: [whole[-1] / whole[0]]},
            is_rate=False,
            targets=[Target(at_most=MOST_TIMES)],
            conditions={
                "studies": ", ".join(map(str, sizes)),
                "ms for each study": ", ".join(f"{one:.1f}" for one in whole),
                "database": "PostgreSQL, shared_buffers 1 GB", "instances": INSTANCES,
            },
            details={"sizes": list(sizes), "milliseconds": curve, "milliseconds_in_all": whole},
        )
    ]  # fmt: skip


def _times(repetitions: int) -> Times:
    """Milliseconds of each step, so many times; the first of all warms up and does not count."""
    times: Times = {}
    for number in range(repetitions + 1):
        with _taken_back():
            for step, work in _steps().items():
                began = time.perf_counter()
                work()
                if number:
                    times.setdefault(step, []).append((time.perf_counter() - began) * 1000)
    return times


@contextmanager
def _taken_back() -> Iterator[None]:
    """A transaction of which nothing stays, and whose nudges are not sent."""
    from django.db import transaction

    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _steps() -> dict[str, Callable[[], Any]]:
    """The steps of one study, in order; what a later one needs an earlier one has made."""
    from django.utils import timezone

    from contracts import entitlement, metering
    from contracts.models import CallOffLine
    from hub import audit
    from hub.models import Node, User
    from marketplace.models import AlgorithmVersion
    from routing import paging, reading, rounds, sweeping
    from routing.models import Study
    from routing.pools import scope_of
    from routing.queues import Queue
    from routing.steps import match as match_step
    from routing.steps import receive as receive_step

    node = Node.objects.filter(protocol="dicom").select_related("site__organisation").earliest("pk")
    line = CallOffLine.objects.select_related("site", "call_off__framework").filter(
        site=node.site
    )[0]  # fmt: skip
    version = AlgorithmVersion.objects.select_related("algorithm").get(algorithm=line.algorithm_id)
    user, _is_new = User.objects.get_or_create(username="bench.growth")
    user.memberships.get_or_create(role="radiologist", site=node.site, organisation=None)
    arrivals = _arrivals(node)
    now = timezone.now()

    def close() -> None:
        Study.objects.filter(study_instance_uid=_STUDY_UID).update(state=Study.State.COMPLETE)
        study = Study.objects.select_related("site", "order", "source").get(
            study_instance_uid=_STUDY_UID
        )
        match_step.match(study)

    return {
        "receive": lambda: receive_step.record(arrivals),
        "match": close,
        "entitle": lambda: entitlement.entitle(site=node.site, version=version, at=now),
        "dispatch": lambda: Queue(scope_of(version.pk)).decide(),
        "outbox": lambda: list(rounds.due(node)[:1]),
        "sweep": sweeping.sweep,
        "usage": lambda: metering.record(
            study_ref_of=(node.site.code, _STUDY_UID), line=line, version=version,
            source="bench", event_id="1", at=now, details={},
        ),
        "worklist": lambda: paging.page_of(reading.worklist(user).unread(), size=50),
        "audit": lambda: audit.record("study.viewed", actor=user, site=node.site, subject="1"),
    }  # fmt: skip


_STUDY_UID = "1.2.826.0.1.3680043.10.98.1"


def _arrivals(node: Any) -> list[Any]:
    from hub.dicom.headers import read_header
    from hub.dicom.spool import Stored
    from routing.arrivals import Arrival

    return [
        Arrival(
            node=node,
            header=read_header(_encoded(number), "1.2.840.10008.1.2"),
            stored=Stored(key=f"bench/{number}", digest=f"{number:064}", size=526_000, is_new=True),
            sender="BENCH",
        )
        for number in range(1, INSTANCES + 1)
    ]


def _encoded(number: int) -> bytes:
    """The data set of one slice of a head CT, without pixels, in Implicit VR Little Endian."""
    from pydicom.dataset import Dataset
    from pydicom.filebase import DicomFileLike
    from pydicom.filewriter import write_dataset

    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.SOPInstanceUID = f"{_STUDY_UID}.1.{number}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = _STUDY_UID, f"{_STUDY_UID}.1"
    dataset.Modality, dataset.BodyPartExamined = "CT", "HEAD"
    dataset.PatientName, dataset.PatientID = "BENCH^GROWTH", "1"
    dataset.AccessionNumber, dataset.StudyDescription = "GROWTH1", "CT head"
    dataset.InstanceNumber, dataset.Rows, dataset.Columns = number, 512, 512
    buffer = DicomFileLike(io.BytesIO())
    buffer.is_little_endian, buffer.is_implicit_VR = True, True
    write_dataset(buffer, dataset)
    return bytes(buffer.parent.getvalue())


if __name__ == "__main__":
    raise SystemExit(alone.run(measure))
