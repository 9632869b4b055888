"""One very large instance: the memory of the listener while a 4 GB multi-frame object arrives.

    .venv/bin/python -m bench.large [--quick]

The sender makes the pixels while it sends, so that the object lies on the disk once: in the spool.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from pydicom.uid import MultiFrameGrayscaleWordSecondaryCaptureImageStorage, generate_uid

from bench import alone, processes
from bench.hub import NEVER_QUIET, Hub, running_hub
from bench.measurement import HUB, Measurement, Target
from bench.places import ROOT, NotMeasured, folder, wait_until
from bench.sending import hub_door
from demo.phantoms import Patient, Shape, make_study, write_study

_FRAME = 512 * 512 * 2
_FRAMES, _QUICK_FRAMES = 8000, 1024
_MOST_BYTES = 150_000_000
_WATCH_SECONDS = 0.05


def measure(*, is_quick: bool) -> list[Measurement]:
    """The highest resident memory of the listener, in MB."""
    frames = _QUICK_FRAMES if is_quick else _FRAMES
    with folder() as here, running_hub(here / "hub", **NEVER_QUIET) as hub:
        file = _head(here, frames)
        idle = _largest(hub)
        watch = Watch(lambda: _largest(hub))
        failures = {}
        try:
            seconds = _send(file, frames * _FRAME, hub)
        except NotMeasured as fault:
            seconds, failures = 0.0, {HUB: str(fault)}
        highest = max(watch.stop(), _largest(hub, highest=True))
    return [
        Measurement(
            name="large_memory",
            says=f"Memory of a listener while {frames * _FRAME / 1e9:.1f} GB come as one instance",
            unit="MB resident",
            figures={} if failures else {HUB: [highest / 1e6]},
            is_rate=False,
            targets=(Target(at_most=_MOST_BYTES / 1e6),),
            conditions={"bytes": frames * _FRAME, "sender": "bench.sender", "associations": 1,
                        "counted": "all that is resident, mapped files too, at its highest"},
            details={"idle_mb": idle / 1e6, "seconds": seconds, "highest_mb": highest / 1e6},
            failures=failures,
        )
    ]  # fmt: skip


def _largest(hub: Hub, *, highest: bool = False) -> int:
    """Of the largest of the processes that receive: one of them holds the association."""
    return max(processes.resident_bytes([pid], highest=highest) for pid in hub.receivers)


class Watch:
    """Asks again and again while something runs, and keeps the highest answer."""

    def __init__(self, ask: Callable[[], float]) -> None:
        self._ask = ask
        self._highest = 0.0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """The highest that was seen."""
        self._is_over.set()
        self._thread.join()
        return self._highest

    def _run(self) -> None:
        while not self._is_over.wait(_WATCH_SECONDS):
            self._highest = max(self._highest, self._ask())


def _head(here: Path, frames: int) -> Path:
    """All of the instance but the value of its Pixel Data, whose length says what is to follow."""
    patient = Patient("LARGE", "Large^Bench", date(1970, 1, 1), "F")
    (dataset,) = make_study("head_ct", patient=patient, shape=Shape(slices=1, size=512))
    dataset.SOPClassUID = MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.NumberOfFrames = frames
    (path,) = write_study(here / "large", [dataset])
    content = path.read_bytes()
    length = (frames * _FRAME).to_bytes(4, "little")
    path.write_bytes(content[: -_FRAME - 4] + length)
    return path


def _send(file: Path, zeros: int, hub: Hub) -> float:
    """Seconds until the hub has the instance and its row. Raises NotMeasured where it has not."""
    door = hub_door(hub)
    command = [sys.executable, "-m", "bench.sender", "--zeros", str(zeros), "127.0.0.1"]
    started = time.monotonic()
    done = subprocess.run(
        [*command, str(door.port), door.ae_title, str(file)],
        cwd=ROOT, input=b"go\n", capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise NotMeasured(f"the hub did not take it: {done.stderr.decode()[-300:]}")
    wait_until(lambda: door.count() == 1, "the row of the instance")
    return round(time.monotonic() - started, 1)


if __name__ == "__main__":
    raise SystemExit(alone.run(measure))
