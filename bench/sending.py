"""One turn of a receiver: images sent over so many associations, timed, and counted afterwards."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import peers, processes
from bench.data import Images
from bench.hub import Hub
from bench.places import ROOT, NotMeasured, wait_until

# Rows are taken in after their answer, and a child of storescp writes until it ends.
_ARRIVAL_SECONDS = 60.0
_SENDING_SECONDS = 600.0
_runs = itertools.count(1)


@dataclass(slots=True)
class Door:
    """A receiver as its senders see it, how to count what it holds, and what its turns took."""

    ae_title: str
    port: int
    count: Callable[[], int]
    pids: Callable[[], list[int]]
    is_plain: bool = False
    cpu_ms: list[float] = field(default_factory=list)
    counted_after: list[float] = field(default_factory=list)


def hub_door(hub: Hub) -> Door:
    """The hub's: counts the instances that stand in its database."""

    def count() -> int:
        return int(hub.ask("SELECT count(*) FROM routing_instance")[0][0])

    return Door(hub.dicom_ae_title, hub.dicom_port, count, lambda: hub.receivers)


def peer_door(peer: peers.Receiver) -> Door:
    """A peer's: counts what it says it holds, or its files."""
    return Door(
        peer.ae_title, peer.port, peer.count, lambda: processes.family(peer.process.pid)
    )


@dataclass(slots=True)
class Work:
    """What every receiver gets: images, over so many associations, by which sender."""

    images: Images
    associations: int = 1
    has_no_delay: bool = True
    is_raw: bool = False
    runs: dict[int, int] = field(default_factory=dict)

    def turn(self, door: Door) -> Callable[[int], float]:
        """A turn for bench.pairs: instances a second. Both of a pair get the same files."""

        def take(pair: int) -> float:
            if pair not in self.runs:
                self.runs[pair] = next(_runs)
                self.images.rename(self.runs[pair])
            return self.send(door)

        return take

    def warm(self, *doors: Door) -> None:
        """Send everything once, so that nobody's first turn pays for what happens but once."""
        self.images.rename(next(_runs))
        for door in doors:
            self.send(door)
            door.cpu_ms.clear()
            door.counted_after.clear()

    def send(self, door: Door) -> float:
        """Send all images as they are; instances a second. Raises NotMeasured if any is lost."""
        files, before = self.images.files, door.count()
        cpu = processes.cpu_seconds(door.pids())
        seconds = self._raw(door) if self.is_raw else self._storescu(door)
        ended = time.monotonic()
        wanted = before + len(files)
        try:
            wait_until(lambda: door.count() >= wanted, "all instances", seconds=_ARRIVAL_SECONDS)
        except NotMeasured:
            lost = wanted - door.count()
            raise NotMeasured(f"{lost} of {len(files)} instances did not arrive") from None
        door.counted_after.append(round(time.monotonic() - ended, 3))
        cpu = processes.cpu_seconds(door.pids()) - cpu
        door.cpu_ms.append(cpu * 1000 / len(files))
        return len(files) / seconds

    def _storescu(self, door: Door) -> float:
        command = [
            peers.program("storescu"), "-R", "-aet", "BENCH", "-aec", door.ae_title,
            "127.0.0.1", str(door.port),
        ]  # fmt: skip
        environment = peers.environment(has_no_delay=self.has_no_delay)
        started = time.monotonic()
        senders = [
            subprocess.Popen(
                [*command, *map(str, files)], env=environment,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )
            for files in _shares(self.images.files, self.associations)
        ]  # fmt: skip
        return _ended(senders, started)

    def _raw(self, door: Door) -> float:
        command = [sys.executable, "-m", "bench.sender", *(["--plain"] if door.is_plain else [])]
        command += ["127.0.0.1", str(door.port), door.ae_title]
        senders = [
            subprocess.Popen(
                [*command, *map(str, files)], cwd=ROOT, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
            for files in _shares(self.images.files, self.associations)
        ]  # fmt: skip
        for sender in senders:
            assert sender.stdout is not None
            sender.stdout.readline()
        started = time.monotonic()
        for sender in senders:
            assert sender.stdin is not None
            sender.stdin.write(b"go\n")
            sender.stdin.flush()
        return _ended(senders, started)


def _shares(files: Sequence[Path], count: int) -> list[Sequence[Path]]:
    """As many runs of neighbours, so that an association brings whole studies where it can."""
    bounds = [round(number * len(files) / count) for number in range(count + 1)]
    return [files[low:high] for low, high in itertools.pairwise(bounds)]


def _ended(senders: Sequence[subprocess.Popen[bytes]], started: float) -> float:
    """Seconds until the last sender has ended; what one was refused fails the turn."""
    try:
        said = [sender.communicate(timeout=_SENDING_SECONDS)[1] for sender in senders]
    except subprocess.TimeoutExpired as fault:
        for sender in senders:
            sender.kill()
        raise NotMeasured(f"a sender did not end within {_SENDING_SECONDS:g} s") from fault
    seconds = time.monotonic() - started
    for sender, text in zip(senders, said, strict=True):
        if sender.returncode:
            raise NotMeasured(f"a sender failed: {text.decode(errors='replace').strip()[-300:]}")
    return seconds
