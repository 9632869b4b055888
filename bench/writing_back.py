"""Writing back: reports built, and results sent to one PACS, alone and with a slow one beside it.

    .venv/bin/python -m bench.writing_back [--quick]

A worker of the hub on embedded defaults (SQLite, a folder as broker) sends reports that wait in
its outbox to dcmtk's storescp. The slow PACS takes two seconds for each report.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from bench.alone import run
from bench.hub import manage, variables
from bench.measurement import HUB, Measurement, Target
from bench.pairs import alternate, pairs_of
from bench.places import ROOT, NotMeasured, folder, free_ports, wait_until
from hub.dicom import sr
from hub.supervisor import die_with_parent

_RESULTS, _QUICK_RESULTS = 300, 150
_REPORTS = 20
_SLOW_SECONDS = 2.0
_AT_MOST_MS, _AT_LEAST = 15, 100
_ALONE, _BESIDE = "alone", "beside a slow one"
_CT = "1.2.840.10008.5.1.4.1.1.2"


def measure(*, is_quick: bool) -> list[Measurement]:
    """Reports in milliseconds each, and results in a second."""
    pairs = pairs_of(is_quick=is_quick)
    return [_building(pairs), *_sending(pairs, _QUICK_RESULTS if is_quick else _RESULTS)]


# -- building ------------------------------------------------------------------------------------
def _building(pairs: int) -> Measurement:
    ways: dict[str, Callable[[], bytes]] = {HUB: _by_hub, "highdicom": _by_highdicom}
    for way in ways.values():
        way()
    return Measurement(
        name="sr_build",
        says="A report of one finding, outlined on a slice of 300",
        unit="ms of CPU",
        figures=alternate({who: _timed(way) for who, way in ways.items()}, pairs=pairs),
        is_rate=False,
        targets=(Target(at_most=_AT_MOST_MS), Target(peer="highdicom", at_least=1)),
        conditions={
            "warm": True,
            "highdicom": "the same content in Comprehensive3DSR, all instances as evidence",
        },
    )


def _timed(way: Callable[[], bytes]) -> Callable[[int], float]:
    def turn(_number: int) -> float:
        started = time.thread_time()
        for _ in range(_REPORTS):
            way()
        return (time.thread_time() - started) * 1000 / _REPORTS

    return turn


def _by_hub(workitem_uid: str = "2.25.77", study_instance_uid: str = "1.2.3.4") -> bytes:
    (report,) = sr.build_reports(
        _study(study_instance_uid),
        instances=_instances(study_instance_uid),
        findings=[_finding(study_instance_uid)],
        algorithm=_ALGORITHM,
        document=replace(_DOCUMENT, workitem_uid=workitem_uid),
    )
    return report.dataset_bytes


def _by_highdicom() -> bytes:
    import highdicom.sr as hd
    from pydicom.dataset import Dataset

    from hub.dicom import sr_document
    from hub.dicom.sr_content import GroupBuilder

    study, instances = _study("1.2.3.4"), _instances("1.2.3.4")
    builder = GroupBuilder(
        algorithm=_ALGORITHM, instances=instances, segments={}, workitem_uid="2.25.77",
        language="en-US",
    )  # fmt: skip
    (groups,) = builder.groups([_finding("1.2.3.4")]).values()
    writer = sr_document._Writer(study, instances, algorithm=_ALGORITHM, context=_DOCUMENT)
    evidence: list[Dataset] = [sr_document._reference_item(study, one) for one in instances]
    document = hd.Comprehensive3DSR(
        evidence=evidence, content=writer._content(groups)[0], series_instance_uid="1.2.3.4.9",
        series_number=9001, sop_instance_uid="1.2.3.4.9.1", instance_number=1,
        manufacturer="Avrop", is_complete=True, specific_character_set="ISO_IR 192",
    )  # fmt: skip
    buffer = BytesIO()
    document.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


_ALGORITHM = sr.AlgorithmContent("ICH Triage", "1.0.0", "Example Medical AS", "ich-triage")
_DOCUMENT = sr.DocumentContext("2.25.77", datetime(2026, 4, 1, 10, 20, 30, tzinfo=UTC))
_SQUARE = ((210.0, 180.0), (250.0, 180.0), (250.0, 220.0), (210.0, 220.0))


def _study(uid: str) -> sr.StudyContent:
    return sr.StudyContent(uid, patient_id="P1", patient_name="Ødegård^Åse", study_id="S1")


def _instances(study: str) -> list[sr.InstanceReference]:
    return [sr.InstanceReference(_CT, f"{study}.5.{n}", f"{study}.5") for n in range(1, 301)]


def _finding(study: str) -> sr.FindingContent:
    return sr.FindingContent(
        sr.Code("1386000", "SCT", "Intracranial hemorrhage"),
        "present", probability=0.97, urgency="stat", tracking_id="ICH-1",
        measurements=(sr.Measurement(sr.Code("118565006", "SCT", "Volume"), 12.3, "mL"),),
        regions=(sr.Region(f"{study}.5.11", 1, _SQUARE),),
    )  # fmt: skip


# -- sending -------------------------------------------------------------------------------------
def _sending(pairs: int, results: int) -> list[Measurement]:
    failures: dict[str, str] = {}
    figures: dict[str, list[float]] = {_ALONE: [], _BESIDE: []}
    with folder() as place, _fast_pacs(place) as fast, _slow_pacs() as slow:
        environment = variables(place)
        manage(environment, "migrate", "--verbosity=0")

        def turn(is_beside: bool) -> Callable[[int], float]:
            return lambda _number: _results_per_second(
                environment, fast, slow if is_beside else 0, results
            )

        turn(False)(0)  # the first warms caches
        turns = {_ALONE: turn(False), _BESIDE: turn(True)}
        figures |= alternate(turns, pairs=pairs, failures=failures)
    conditions = {
        "results": results,
        "pacs": "dcmtk storescp, TCP_NODELAY=1",
        "database": "SQLite",
        "slow one": f"{_SLOW_SECONDS:g} s for each report, as many wait for it",
    }
    return [
        Measurement(
            name="write_back", says="Results to one PACS", unit="results/s",
            figures={HUB: figures[_ALONE]}, targets=(Target(at_least=_AT_LEAST),),
            conditions=conditions, failures=failures,
        ),
        Measurement(
            name="write_back_beside_a_slow_one", says="Results to one PACS, a slow one beside it",
            unit="results/s", figures={HUB: figures[_BESIDE], _ALONE: figures[_ALONE]},
            targets=(Target(peer=_ALONE, at_least=0.8),), conditions=conditions, failures=failures,
        ),
    ]  # fmt: skip


@contextmanager
def _fast_pacs(place: Path) -> Iterator[int]:
    storescp = shutil.which("storescp")
    if storescp is None:
        raise NotMeasured("dcmtk's storescp is not installed")
    (port,) = free_ports(1)
    kept = place / "pacs"
    kept.mkdir()
    process = subprocess.Popen(
        [storescp, "-od", str(kept), "-aet", "FAST", str(port)],
        env={"TCP_NODELAY": "1", "PATH": "/usr/bin:/bin"}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, preexec_fn=die_with_parent,
    )  # fmt: skip
    try:
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def _slow_pacs() -> Iterator[int]:
    from demo.stand_ins import Pacs

    def status(_dataset: Any) -> int:
        time.sleep(_SLOW_SECONDS)
        return 0x0000

    pacs = Pacs(status=status)
    try:
        yield pacs.port
    finally:
        pacs.close()


def _results_per_second(
    environment: dict[str, str], fast: int, slow: int, results: int
) -> float:
    """What the fast PACS got in a second, from the first noted as delivered to the last."""
    inner = [sys.executable, "-m", "bench.writing_back", "--inner", str(fast), str(slow)]
    done = subprocess.run(
        [*inner, str(results)], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise NotMeasured("the results could not be sent")
    return float(json.loads(done.stdout.splitlines()[-1]))


def _inner(fast: int, slow: int, results: int) -> None:
    """In a process of its own, for it needs the hub's settings."""
    import os

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
    import django

    django.setup()
    from django.db.models import Max, Min

    from bench.waiting_results import make_waiting, nudge_all
    from routing.models import Delivery

    earlier = Delivery.objects.aggregate(last=Max("pk"))["last"] or 0
    nodes = make_waiting(fast=fast, slow=slow, results=results, report=_by_hub)
    nudge_all(nodes)
    worker = subprocess.Popen(
        [sys.executable, "manage.py", "worker"], cwd=ROOT, preexec_fn=die_with_parent
    )
    try:
        told = Delivery.objects.filter(node=nodes[0], pk__gt=earlier, state="delivered")
        wait_until(lambda: told.count() == results, "all results are told", seconds=120)
    finally:
        worker.kill()
        worker.wait()
    times = told.aggregate(first=Min("delivered_at"), last=Max("delivered_at"))
    print(json.dumps((results - 1) / (times["last"] - times["first"]).total_seconds()))


def main(words: Sequence[str]) -> int:
    """Run it alone and print its rows."""
    if words[:1] == ["--inner"]:
        _inner(*map(int, words[1:]))
        return 0
    return run(measure, words)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
