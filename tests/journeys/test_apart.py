"""Queues with workers of their own, over RabbitMQ: what is slow in one keeps no other waiting."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.fakes.modality import program
from tests.fakes.rabbitmq import running_rabbitmq
from tests.fakes.waiting import until
from tests.faults.trusts import OF_STUDY, SITES, Sent, Trusts, two_trusts

pytestmark = [pytest.mark.peer, pytest.mark.long, pytest.mark.timeout(900)]
NOT_THERE = f"localhost/none@sha256:{'0' * 64}"
# An engine that answers nobody until a file is there, and then that it has no such image.
ENGINE = """#!/bin/sh
while [ ! -e "$0.answers" ]; do sleep 0.2; done
case "$1" in
    run) echo "image not known" >&2; exit 125;;
    *) echo "no such container" >&2; exit 1;;
esac
"""
MOVES = f"""SELECT t.id FROM routing_transition t JOIN routing_workitem w ON w.id = t.workitem_id
 WHERE t.delivery_id IS NULL AND t.to_state = ? AND w.study_id IN (SELECT s.id {OF_STUDY})"""
HELD = "SELECT count(*) FROM routing_workitem WHERE lease_owner LIKE ?"
WORKERS = "receive,route;run;write_back;billing"


def moves(trusts: Trusts, sent: Sent, to: str) -> list[int]:
    """The numbers of its Workitem's moves to a state: what happened first has the lower."""
    return [row[0] for row in trusts.hub.rows(MOVES, to, sent.uid, sent.site)]


def in_a_container(setup: str) -> str:
    """The set-up with one more algorithm at each site, which runs in a container."""
    document = yaml.safe_load(setup)
    for algorithm in document["algorithms"]:
        if algorithm["code"] == "clears":
            algorithm["versions"][0]["manifest"]["performer"] = {
                "kind": "container", "image": NOT_THERE, "concurrency": 4, "timeout_seconds": 60,
                "resources": {"cpu": "1", "memory": "64Mi"},
            }  # fmt: skip
    for kind in ("deployments", "rules"):
        document[kind] += [_of_clears(row) for row in document[kind]]
    for call_off in document["call_offs"]:
        call_off["lines"] += [row | {"algorithm": "clears"} for row in call_off["lines"]]
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False)


def _of_clears(row: dict[str, object]) -> dict[str, object]:
    changed = row | {"algorithm": "clears"}
    if "when" in row:
        is_clears = {"study.study_description": {"equals": "clears"}}
        changed |= {"code": f"{row['site']}-clears", "when": {"all": [is_clears]}}
    return changed


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trusts]:
    """A hub with a worker of two threads for each queue."""
    program("storescu")
    folder = tmp_path_factory.mktemp("apart")
    engine = folder / "engine"
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    with (
        running_rabbitmq(folder / "rabbitmq") as broker,
        two_trusts(
            folder, broker=broker.url, change=in_a_container, HUB_WORKERS=WORKERS,
            HUB_WORKER_THREADS="2", HUB_CONTAINER_COMMAND=str(engine),
            HUB_SEND_TIMEOUT_SECONDS="200",
        ) as trusts,
    ):  # fmt: skip
        yield trusts


@contextmanager
def no_beat(trusts: Trusts) -> Iterator[None]:
    """Beat as good as lost: it stands still, so that nothing starts it again either."""
    beat = until(lambda: trusts.hub.child("beat"), "beat runs")
    os.kill(beat, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(beat, signal.SIGCONT)


def test_each_queue_has_a_process_and_studies_go_the_whole_way_without_beat(
    apart: Trusts,
) -> None:
    for names in WORKERS.split(";"):
        until(lambda: apart.hub.child(f"worker {names}"[:15]), names)  # noqa: B023
    with no_beat(apart):
        studies = apart.morning(4)
        apart.bring(studies)
        apart.assert_once(studies, seconds=150)


def test_two_more_beats_by_accident_do_nothing_twice(apart: Trusts) -> None:
    beats = [apart.hub.run("beat", HUB_SWEEP_SECONDS="0.2") for _ in range(2)]
    try:
        studies = apart.morning(4)
        apart.bring(studies)
        apart.assert_once(studies, seconds=150)
        assert [beat.poll() for beat in beats] == [None, None]
    finally:
        for beat in beats:
            beat.kill()
            beat.wait(10)


def test_a_worker_that_is_stopped_gives_back_what_it_holds_and_another_goes_on(
    apart: Trusts,
) -> None:
    (sent,) = apart.morning(1)
    switch = apart.folder / "switches" / "finds"
    switch.write_text("slow 3")
    try:
        apart.bring([sent])
        until(lambda: moves(apart, sent, "dispatched"), "it runs")
        pid = apart.hub.child("worker run")
        assert pid is not None
        os.kill(pid, signal.SIGTERM)
        until(lambda: apart.hub.child("worker run") not in (None, pid), "another has its place")
        assert apart.hub.rows(HELD, f"%:{pid}:%") == [(0,)]
        apart.assert_once([sent], seconds=150)
        assert len(moves(apart, sent, "dispatched")) == 1
    finally:
        switch.write_text("present")


def test_neither_a_dead_engine_nor_a_silent_pacs_keeps_anything_else_waiting(
    apart: Trusts,
) -> None:
    quick, silent = SITES
    is_asked, may_answer = threading.Event(), threading.Event()

    def slowly(_dataset: object) -> int:
        is_asked.set()
        return 0 if may_answer.wait(200) else 0xA700

    apart.pacs[silent].status = slowly
    # what hangs comes first, and more of it than there are threads
    stuck = [apart.study(quick, StudyDescription="clears") for _ in range(4)]
    slow = [apart.study(silent) for _ in range(3)]
    apart.bring([*slow, *stuck])
    until(lambda: all(moves(apart, one, "entitled") for one in stuck), "they wait for the engine")
    assert is_asked.wait(30)
    well = [apart.study(quick) for _ in range(4)]
    apart.bring(well)
    apart.assert_once(well, seconds=150)
    for one in stuck:
        assert moves(apart, one, "failed") == moves(apart, one, "dispatched") == []
    assert not any(moves(apart, one, "written_back") for one in slow)
    Path(f"{apart.folder}/engine.answers").touch()
    may_answer.set()
    apart.assert_once(slow, seconds=150)
    until(lambda: all(moves(apart, one, "failed") for one in stuck), "it answered", seconds=150)
    last = max(number for one in well for number in moves(apart, one, "written_back"))
    assert last < min(number for one in stuck for number in moves(apart, one, "failed"))


