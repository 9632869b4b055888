"""A worker that is stopped while it holds a warm server holds up nobody, and wakes to no harm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.waiting import until
from tests.vendors.test_warm import ROOT, SPEC, ended, files_below, note_of, performer, run_of
from vendors.performers import warm, warm_slots
from vendors.performers.base import Run, SubmitFailed
from vendors.performers.warm import WarmPerformer

__all__ = ["performer"]

# A worker that stops itself where a debugger would: as it is about to do the named thing.
HANDS_OVER = """
import os, signal, sys
from pathlib import Path
from tests.vendors.test_warm import ROOT, SPEC
from vendors.performers.base import Limits, Run, SubmitFailed
from vendors.performers.process import ProcessPerformer
from vendors.performers.warm import WarmPerformer

root, name, verb, stops_at = Path(sys.argv[1]), *sys.argv[2:]
folder = root / name
run = Run(name, SPEC, folder / "input", folder / "output", folder / "work",
          Limits(least_free_bytes=0), group="mine")

def stop(frame, event, _argument):
    if event == "call" and frame.f_code.co_qualname == stops_at:
        sys.setprofile(None)
        os.kill(os.getpid(), signal.SIGSTOP)

sys.setprofile(stop)
try:
    getattr(WarmPerformer(ProcessPerformer(program_dir=ROOT), root / "warm"), verb)(run)
except SubmitFailed as fault:
    sys.exit(str(fault))
"""
Stopped = subprocess.Popen[str]
HELD_SECONDS = 0.5


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is waited for as long as in earnest."""
    monkeypatch.setattr(warm, "HELD_SECONDS", HELD_SECONDS)


def stopped(tmp_path: Path, run: Run, verb: str, stops_at: str) -> Stopped:
    """A worker that stands still in the middle of ``verb``."""
    process = subprocess.Popen(
        [sys.executable, "-c", HANDS_OVER, str(tmp_path), run.name, verb, stops_at],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    _pid, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), status
    return process


def wakes(process: Stopped) -> str:
    """What it said to its end."""
    process.send_signal(signal.SIGCONT)
    return process.communicate(timeout=60)[1]


@pytest.fixture
def standing(performer: WarmPerformer, tmp_path: Path) -> Iterator[tuple[Stopped, Run]]:
    """A worker that was stopped while it starts a server for its run."""
    run = run_of(tmp_path, "a")
    process = stopped(tmp_path, run, "submit", "ProcessPerformer.submit")
    yield process, run
    process.kill()
    process.communicate()
    performer.cancel(run)


def test_others_give_their_runs_to_other_servers_meanwhile(
    performer: WarmPerformer, tmp_path: Path, standing: tuple[Stopped, Run]
) -> None:
    process, run = standing
    other = run_of(tmp_path, "b")
    assert ended(performer, other).state == "succeeded"
    assert performer.poll(run).state == "unknown"
    assert performer.tend("mine", SPEC) == 0
    assert wakes(process) == ""
    until(lambda: performer.poll(run).is_over, "the run is over")
    assert performer.poll(run).state == "succeeded"
    assert note_of(run)["pid"] != note_of(other)["pid"]


def test_a_run_for_which_there_is_no_other_server_is_given_back_with_the_reason(
    performer: WarmPerformer, tmp_path: Path, standing: tuple[Stopped, Run]
) -> None:
    performer.submit(run_of(tmp_path, "b", "hang"))
    waits, began = run_of(tmp_path, "c"), time.monotonic()
    with pytest.raises(SubmitFailed, match="worker that holds server 0 does not go on") as told:
        performer.submit(waits)
    assert told.value.is_away
    assert HELD_SECONDS <= time.monotonic() - began < HELD_SECONDS + 5
    assert files_below(waits.input_dir) == {"patient.txt"}


def test_its_server_is_done_without_once_it_stood_for_long_and_it_wakes_to_no_harm(
    performer: WarmPerformer, tmp_path: Path, standing: tuple[Stopped, Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    process, run = standing
    performer.submit(run_of(tmp_path, "b", "hang"))
    taken_over = run_of(tmp_path, "c")
    monkeypatch.setattr(warm_slots, "STALE_SECONDS", 0.0)
    with pytest.raises(SubmitFailed, match="does not go on"):
        performer.submit(taken_over)
    performer.submit(taken_over)
    assert [slot.folder.name for slot in performer._slots_with(taken_over)] == ["0.1"]
    assert wakes(process) == ""
    assert [slot.folder.name for slot in performer._slots_with(run)] == ["0"]
    until(lambda: performer.poll(run).is_over and performer.poll(taken_over).is_over, "both")
    assert performer.poll(run).state == performer.poll(taken_over).state == "succeeded"
    assert note_of(run)["pid"] != note_of(taken_over)["pid"]
    assert performer.tend("mine", SPEC) == 1
    assert not (tmp_path / "warm" / "mine" / "0").exists()
    assert (tmp_path / "warm" / "mine" / "0.1").exists()


def test_whoever_takes_the_run_over_has_it_done_and_it_is_left_in_no_server(
    performer: WarmPerformer, tmp_path: Path, standing: tuple[Stopped, Run]
) -> None:
    process, run = standing
    assert ended(performer, run).state == "succeeded"
    assert "could not be handed over" in wakes(process)
    performer.cleanup(run)
    assert list(performer._slots_with(run)) == []
    assert performer.poll(run).state == "unknown"


def test_one_stopped_while_it_looks_is_waited_for_a_moment_and_later_done_without(
    performer: WarmPerformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path, "a", "hang")
    performer.submit(run)
    process = stopped(tmp_path, run, "poll", "ProcessPerformer.poll")
    assert performer.poll(run).state == "silent"
    with pytest.raises(SubmitFailed, match="does not go on"):
        performer.cancel(run)
    monkeypatch.setattr(warm_slots, "STALE_SECONDS", 0.0)
    told = performer.poll(run)
    assert (told.state, told.is_retryable, told.is_disruption) == ("failed", True, True)
    performer.cancel(run)
    assert ended(performer, run_of(tmp_path, "b")).state == "succeeded"
    assert wakes(process) == ""
    performer.cancel(run)
    assert performer.poll(run).state == "unknown"
    assert "patient.txt" not in files_below(tmp_path / "warm")
