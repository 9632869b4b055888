"""A process says that it lives, and stops saying so when it is not well."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hub import beating, heartbeat
from hub.dicom import scp
from hub.hl7.mllp import MllpServer
from tests.fakes.running_hub import ROOT, RunningHub
from tests.fakes.waiting import until


def test_the_file_is_touched_as_long_as_all_is_well(tmp_path: Path, settings: Any) -> None:
    file, well = tmp_path / "alive", [True]
    settings.HUB_HEARTBEAT_FILE = str(file)
    heartbeat.start(lambda: well[0], every=0.01)
    until(file.exists, "the file is touched")
    file.unlink()
    until(file.exists, "the file is touched")
    well[0] = False
    time.sleep(0.1)
    file.unlink()
    time.sleep(0.1)
    assert not file.exists()


def test_without_the_setting_nothing_is_written_and_nobody_asked(settings: Any) -> None:
    settings.HUB_HEARTBEAT_FILE = ""
    asked: list[int] = []
    heartbeat.start(lambda: bool(asked.append(1)), every=0.01)
    time.sleep(0.1)
    assert asked == []


def test_a_folder_that_cannot_be_written_ends_nothing(tmp_path: Path, settings: Any) -> None:
    settings.HUB_HEARTBEAT_FILE = str(tmp_path / "later" / "alive")
    heartbeat.start(every=0.01)
    time.sleep(0.05)
    (tmp_path / "later").mkdir()
    until((tmp_path / "later" / "alive").exists, "the file is touched")


def test_beat_is_well_only_while_it_looks_at_what_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beating.Scheduler, "ticked_at", time.monotonic())
    assert beating.is_ticking()
    monkeypatch.setattr(beating.Scheduler, "ticked_at", time.monotonic() - 61)
    assert not beating.is_ticking()


def test_a_listener_is_well_until_it_is_closed() -> None:
    dicom = scp.serve(
        ae_title="HUB", bind="127.0.0.1", port=0, policy=lambda *_: None, on_store=lambda _: 0
    )
    hl7 = MllpServer(lambda *_: b"")
    assert dicom.is_accepting
    assert hl7.is_turning()
    dicom.shutdown()
    hl7.close()
    assert not dicom.is_accepting
    assert not hl7.is_turning()


@pytest.mark.parametrize("process", ["worker", "beat"])
def test_a_process_without_a_door_says_that_it_lives_and_ends_on_sigterm(
    process: str, tmp_path: Path
) -> None:
    hub = RunningHub(tmp_path, f"sqlite:///{tmp_path}/hub.sqlite3", "filesystem://")
    file = tmp_path / "alive"
    running = subprocess.Popen(
        [sys.executable, "manage.py", process], cwd=ROOT,
        env=hub.environment(HUB_HEARTBEAT_FILE=str(file)),
    )  # fmt: skip
    try:
        until(file.exists, f"{process} says that it lives")
        running.terminate()
        running.wait(30)
    finally:
        running.kill()


def test_a_process_that_begins_ends_whatever_it_is_amid_when_it_is_told_to() -> None:
    """An exception would be lost in a callback of a weak reference, such as a set calls."""
    told_amid_a_callback = (
        "import os, signal, weakref\n"
        "from hub.draining import end_on_sigterm\n"
        "end_on_sigterm()\n"
        "one = type('One', (), {})()\n"
        "kept = weakref.ref(one, lambda _: os.kill(os.getpid(), signal.SIGTERM))\n"
        "del one\n"
        "print('goes on')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", told_amid_a_callback], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (143, "")
