"""A worker that was paused for longer than its lease touches nothing of who took over.

It does not know that it was paused: it goes on where it was, in the middle of a copy or just before
it clears a folder.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from routing import lease, outputs, slots, staging
from routing.models import Finding, Result, Workitem
from routing.pathway import Overtaken
from routing.places import prepared_root, work_folder, work_root
from routing.steps import collect as collect_step
from routing.steps import dispatch as step
from tests.builders import worker
from tests.builders.studies import head_ct
from tests.fakes.waiting import until
from tests.routing.conftest import Place

SLICES = 40


def entitled() -> bool:
    return Workitem.objects.filter(state="entitled").exists()


def version_of(place: Place) -> int:
    return int(place.rows.version.pk)


def its_lease_runs_out() -> None:
    Workitem.objects.update(lease_until=timezone.now() - timedelta(seconds=1))


def seen(folder: Path) -> dict[str, tuple[int, int]]:
    """All files of a folder: the same numbers mean that nobody has written or replaced one."""
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*") if path.is_file()
    }  # fmt: skip


def again() -> Workitem:
    return Workitem.objects.select_related("study__site", "version__algorithm").get()


def state_of_run(item: Workitem) -> str:
    manifest = item.version.declared
    return staging.performer_of(manifest).poll(staging.run_of(item, manifest)).state


@pytest.fixture
def waiting(place: Place) -> Iterator[Place]:
    """A study whose algorithm, which takes its time, has not begun."""
    place.algorithm_does("slow", "30")
    place.send(head_ct(slices=SLICES))
    place.work(until=entitled)
    worker.lose_everything()
    yield place
    for item in Workitem.objects.select_related("study__site", "version__algorithm"):
        staging.stop(item)


def test_who_wakes_before_it_lays_the_input_out_clears_nothing(waiting: Place) -> None:
    with slots.next_up(version_of(waiting)) as paused:
        assert paused is not None
        lease.require(paused)
        # here it stands still, and another takes over
        its_lease_runs_out()
        step.dispatch(version_of(waiting))
        item = again()
        before = seen(work_folder(item) / "input")
        assert len(before) == SLICES + 1
        with pytest.raises(Overtaken):
            staging.stage(paused, paused.version.declared)
    assert seen(work_folder(item) / "input") == before
    assert state_of_run(item) == "running"
    assert [one.name for one in work_root().iterdir()] == [item.uid.hex]


DISPATCH = """
import sys, django
django.setup()
from routing.steps import dispatch
dispatch.dispatch(int(sys.argv[1]))
"""


def another_worker(
    place: Place, settings: Any, *, first: str = ""
) -> subprocess.Popen[bytes]:
    """A process that starts what waits, on the same database and folders."""
    database = connection.settings_dict
    name = database["NAME"]
    url = f"sqlite:///{name}"
    if connection.vendor != "sqlite":
        url = os.environ["HUB_TEST_DATABASE_URL"].rpartition("/")[0] + f"/{name}"
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HUB_")}
    return subprocess.Popen(
        [sys.executable, "-c", first + DISPATCH, str(version_of(place))], cwd=settings.BASE_DIR,
        env=kept | {
            "DJANGO_SETTINGS_MODULE": "hub.settings", "HUB_DATABASE_URL": url,
            "HUB_SECRET_KEY": settings.SECRET_KEY, "HUB_STATE_DIR": str(settings.HUB_STATE_DIR),
            "HUB_STORAGE_URL": settings.HUB_STORAGE_URL, "HUB_ALLOW_PROCESS_PERFORMER": "on",
        },
    )  # fmt: skip


def stopped_while_it_copies(place: Place, settings: Any) -> subprocess.Popen[bytes]:
    """A worker that stands still with some of its copies made; a host may be too busy to see it."""
    for _ in range(10):
        shutil.rmtree(prepared_root(), ignore_errors=True)
        shutil.rmtree(work_root(), ignore_errors=True)
        process = another_worker(place, settings)
        while not any(work_root().rglob("*.dcm")):
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGSTOP)
        if len(list(work_root().rglob("*.dcm"))) < SLICES:
            return process
        process.kill()
        process.wait(30)
        staging.stop(again())
        Workitem.objects.update(state="entitled", due_at=None, lease_until=None)
    raise AssertionError("it was always too late")


# A worker that stops itself where a debugger would: as it is about to hand its run over.
STOPS_BEFORE_IT_SUBMITS = """
import os, signal, sys

def stop(frame, event, _argument):
    if event == "call" and frame.f_code.co_qualname == "ProcessPerformer.submit":
        sys.setprofile(None)
        os.kill(os.getpid(), signal.SIGSTOP)

sys.setprofile(stop)
"""


def taken_over_and_run_again(place: Place) -> Workitem:
    """Somebody else takes over, its run ends badly, and the next is about to begin."""
    its_lease_runs_out()
    step.dispatch(version_of(place))
    performer = staging.performer_of(again().version.declared)
    performer.cancel(staging.run_of(again(), again().version.declared))
    Workitem.objects.update(state="entitled", runs=1, lease_until=None, due_at=None)
    return again()


def state_of_first(item: Workitem) -> str:
    manifest = item.version.declared
    return staging.performer_of(manifest).poll(staging.run_of(item, manifest, number=0)).state


def woken(paused: subprocess.Popen[bytes]) -> None:
    paused.send_signal(signal.SIGCONT)
    assert paused.wait(120) == 0


def test_who_wakes_as_it_hands_its_run_over_starts_none_in_the_folder_of_a_later_one(
    waiting: Place, settings: Any
) -> None:
    paused = another_worker(waiting, settings, first=STOPS_BEFORE_IT_SUBMITS)
    assert os.WIFSTOPPED(os.waitpid(paused.pid, os.WUNTRACED)[1])
    taken_over_and_run_again(waiting)
    with slots.next_up(version_of(waiting)) as held:
        assert held is not None
        run = staging.stage(held, held.version.declared)
        before = seen(work_folder(held))
        assert len(before) == SLICES + 2
        woken(paused)
        assert state_of_first(held) == "unknown"
        assert seen(work_folder(held)).items() >= before.items()
        staging.performer_of(held.version.declared).submit(run)
        assert state_of_run(again()) == "running"


def test_a_run_that_a_late_worker_started_before_the_next_was_laid_out_is_ended_at_once(
    waiting: Place, settings: Any
) -> None:
    paused = another_worker(waiting, settings, first=STOPS_BEFORE_IT_SUBMITS)
    assert os.WIFSTOPPED(os.waitpid(paused.pid, os.WUNTRACED)[1])
    item = taken_over_and_run_again(waiting)
    Workitem.objects.update(due_at=timezone.now() + timedelta(hours=1))
    woken(paused)
    assert (work_folder(item) / "input").exists()
    assert state_of_first(item) == "unknown"
    Workitem.objects.update(due_at=None)
    step.dispatch(version_of(waiting))
    assert (again().state, again().runs, state_of_run(again())) == ("dispatched", 1, "running")


def test_who_is_stopped_in_the_middle_of_a_copy_and_wakes_writes_nothing_there(
    waiting: Place, settings: Any
) -> None:
    paused = stopped_while_it_copies(waiting, settings)
    its_lease_runs_out()
    step.dispatch(version_of(waiting))
    item = again()
    before = seen(work_folder(item) / "input")
    assert len(before) == SLICES + 1
    paused.send_signal(signal.SIGCONT)
    assert paused.wait(60) == 0
    assert seen(work_folder(item) / "input") == before
    assert state_of_run(item) == "running"
    assert [one.name for one in work_root().iterdir()] == [item.uid.hex]


def test_who_wakes_with_the_verdict_that_a_run_is_lost_takes_nothing_of_it(
    waiting: Place,
) -> None:
    step.dispatch(version_of(waiting))
    with lease.hold(again(), states=("dispatched",)) as paused:
        assert paused is not None
        lost = staging.performer_of(paused.version.declared).poll(
            staging.run_of(paused, paused.version.declared, number=7)
        )
        assert lost.state == "unknown"
        its_lease_runs_out()
        with lease.hold(again(), states=("dispatched",)) as held:
            assert held is not None
            before = seen(work_folder(held) / "input")
            with pytest.raises(Overtaken):
                collect_step._give_up(paused, staging.performer_of(held.version.declared), lost)
            staging.discard(paused)
    assert seen(work_folder(again()) / "input") == before
    assert state_of_run(again()) == "running"


def test_who_wakes_after_its_run_was_given_up_stops_no_later_one(waiting: Place) -> None:
    """It had moved the row on, and comes to clear away while the next run is at work."""
    step.dispatch(version_of(waiting))
    first = again()
    with lease.hold(first, states=("dispatched",)) as held:
        assert held is not None
        performer = staging.performer_of(held.version.declared)
        staging.stop(again())
        Workitem.objects.update(state="entitled", runs=1, lease_until=None, due_at=None)
        step.dispatch(version_of(waiting))
        later = again()
        assert (later.state, later.runs) == ("dispatched", 1)
        staging.clean_up(held, performer, number=0)
    assert len(seen(work_folder(later) / "input-1")) == SLICES + 1
    assert state_of_run(later) == "running"


def test_two_that_collect_at_once_do_not_read_each_others_halves(place: Place) -> None:
    """What one has laid out on its desk the other neither replaces nor removes."""
    place.algorithm_does("present")
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="dispatched").exists())
    until(lambda: state_of_run(again()) == "succeeded", "it ran")
    with lease.hold(again(), states=("dispatched",)) as paused:
        assert paused is not None
        its_lease_runs_out()
        with lease.hold(again(), states=("dispatched",)) as held:
            assert held is not None
            mine = outputs.read(held, held.version.declared)
            late = outputs.read(paused, paused.version.declared)
            assert len(late.findings) == len(mine.findings) > 0
    assert (work_folder(again()) / "output" / "findings.json").exists()
    assert not Finding.objects.exists()
    assert not Result.objects.exists()
