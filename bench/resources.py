"""Start-up of the whole hub and the memory that it needs while nothing is to be done.

    .venv/bin/python -m bench.resources [--quick]

Orthanc stands beside it for orientation: one program that stores, without worker, worklist, HL7.
"""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import alone, peers, processes
from bench.hub import running_hub
from bench.measurement import HUB, Measurement, Target
from bench.pairs import alternate
from bench.places import ROOT, NotMeasured, folder, nine_trusts
from hub.doors import is_open
from hub.supervisor import die_with_parent

_SETTLED_SECONDS = 20.0
_MEGABYTE = 1e6


def measure(*, is_quick: bool) -> list[Measurement]:
    """Start-up on a database that is there, memory at rest, and how long a command takes."""
    turns = 2 if is_quick else 5
    with folder() as here:
        # made by a first start, so that those that count find everything there
        with running_hub(here, nine_trusts()) as hub:
            pass
        start = _Start(hub.environment, [hub.http_port, hub.dicom_port, hub.hl7_port], here)
        orthanc = _Orthanc(here / "orthanc")
        failures: dict[str, str] = {}
        started = alternate(
            {HUB: lambda _pair: start.seconds(), "Orthanc": orthanc.seconds},
            pairs=turns, failures=failures,
        )  # fmt: skip
        rest = 3.0 if is_quick else _SETTLED_SECONDS
        memory = {HUB: [start.megabytes(rest)]}
        if "Orthanc" in started:
            memory["Orthanc"] = [orthanc.megabytes(rest)]
        command = [_command_seconds(hub.environment) for _ in range(turns)]
    return [
        Measurement(
            name="start_up", says="From the command until /health/ready and all doors are open",
            unit="s", figures=started, is_rate=False, failures=failures,
            targets=[Target(at_most=3.0)],
            conditions={"hub": "manage.py hub, embedded database, nine trusts set up",
                        "Orthanc": "as Debian ships it, empty"},
        ),
        Measurement(
            name="idle_memory", says="Memory of all processes at rest, shared pages counted once",
            unit="MB", figures=memory, is_rate=False, failures=failures,
            targets=[Target(at_most=400.0)],
            conditions={"counted": "proportional set size (PSS)", "at rest for": f"{rest:g} s"},
        ),
        Measurement(
            name="command", says="A management command from the shell and back", unit="s",
            figures={HUB: command}, is_rate=False, conditions={"command": "manage.py deadletters"},
        ),
    ]  # fmt: skip


class _Start:
    """Starts the hub anew on the same state."""

    def __init__(self, environment: dict[str, str], ports: list[int], here: Path) -> None:
        self._environment, self._ports, self._log = environment, ports, here / "starts.log"

    def seconds(self) -> float:
        with self._started() as (_process, passed):
            return passed

    def megabytes(self, rest: float) -> float:
        with self._started() as (process, _passed):
            time.sleep(rest)
            return processes.own_bytes(processes.family(process.pid)) / _MEGABYTE

    @contextmanager
    def _started(self) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
        with self._log.open("wb") as log:
            began = time.monotonic()
            process = subprocess.Popen(
                [sys.executable, "manage.py", "hub"], cwd=ROOT, env=self._environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent,
            )  # fmt: skip
        try:
            while not self._is_ready():
                if process.poll() is not None or time.monotonic() - began > 60:
                    raise NotMeasured(f"the hub did not start: {self._log.read_text()[-500:]}")
                time.sleep(0.005)
            yield process, time.monotonic() - began
        finally:
            process.terminate()
            process.wait(40)

    def _is_ready(self) -> bool:
        if not all(is_open("127.0.0.1", port) for port in self._ports):
            return False
        try:
            url = f"http://127.0.0.1:{self._ports[0]}/health/ready"
            with urllib.request.urlopen(url, timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False


class _Orthanc:
    """Starts Orthanc anew, in a folder of its own each time."""

    def __init__(self, here: Path) -> None:
        self._here, self._number = here, 0

    def seconds(self, _pair: int) -> float:
        return self._with(lambda _receiver, passed: passed)

    def megabytes(self, rest: float) -> float:
        def at_rest(receiver: peers.Receiver, _passed: float) -> float:
            time.sleep(rest)
            return processes.own_bytes(processes.family(receiver.process.pid)) / _MEGABYTE

        return self._with(at_rest)

    def _with(self, look: Callable[[peers.Receiver, float], float]) -> float:
        self._number += 1
        began = time.monotonic()
        with peers.orthanc(self._here / str(self._number), is_synced=True) as receiver:
            return look(receiver, time.monotonic() - began)


def _command_seconds(environment: dict[str, str]) -> float:
    began = time.monotonic()
    command = [sys.executable, "manage.py", "deadletters"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


if __name__ == "__main__":
    raise SystemExit(alone.run(measure))
