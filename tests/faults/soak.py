"""The soak: for hours twice the expected load, and what the hub takes must stay flat.

    .venv/bin/python -m tests.faults.soak [--minutes 120] [--csv FILE] [--per-minute 20]

Samples memory (PSS), file handles, threads, bytes in the database for each study and the time from
the last byte to the report at the PACS. After a warm-up a straight line is laid through each; what
it would grow by over the whole soak must stay within bounds. Exit code 1 where it does not.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from tests.fakes.waiting import until
from tests.faults.trusts import Sent, Trusts, two_trusts

# what a hospital trust of nine sites sends on a busy day, doubled
EXPECTED_PER_MINUTE = 10
WARM_UP = 0.25


@dataclass(frozen=True, slots=True)
class Sample:
    """What the hub took at one moment; ``latency`` is of the studies since the last one."""

    seconds: float
    studies: int
    memory_mib: float
    handles: float
    threads: float
    database_kib: float
    latency: float


@dataclass(frozen=True, slots=True)
class Bound:
    """How much a straight line may grow from the warm-up to the end, in the unit and by share."""

    name: str
    most: float
    share: float


# A second or a handle is noise; a share counts where the soak is long enough to be sure.
BOUNDS = (
    Bound("memory_mib", 40, 0.10),
    Bound("handles", 12, 0.10),
    Bound("threads", 8, 0.15),
    Bound("latency", 1.0, 0.50),
)


def growth(samples: Sequence[Sample], name: str) -> tuple[float, float]:
    """Where the line through one value begins after the warm-up, and how much it grows by."""
    kept = samples[int(len(samples) * WARM_UP) :]
    at = np.array([one.seconds for one in kept])
    values = np.array([getattr(one, name) for one in kept])
    slope, offset = np.polyfit(at, values, 1)
    return float(slope * at[0] + offset), float(slope * (at[-1] - at[0]))


def faults_of(samples: Sequence[Sample]) -> list[str]:
    """What did not stay flat, in words; nothing where all did."""
    found = []
    for bound in BOUNDS:
        start, grown = growth(samples, bound.name)
        if grown > max(bound.most, bound.share * start):
            found.append(f"{bound.name} grew by {grown:.1f} from {start:.1f}")
    # A database grows with its studies and no faster: what each of the last adds is what the
    # first added, within half as much again.
    each = bytes_for_each(samples)
    if len(each) >= 2 and each[-1] > 1.5 * each[0] + 4:
        found.append(f"a study adds {each[-1]:.0f} KiB to the database, at first {each[0]:.0f}")
    return found


def bytes_for_each(samples: Sequence[Sample]) -> list[float]:
    """KiB that a study added to the database in the first and in the last half after warm-up."""
    kept = samples[int(len(samples) * WARM_UP) :]
    middle = len(kept) // 2
    found = []
    for first, last in ((kept[0], kept[middle]), (kept[middle], kept[-1])):
        if last.studies > first.studies:
            grown = last.database_kib - first.database_kib
            found.append(grown / (last.studies - first.studies))
    return found


class Soak:
    """The load, and what is measured meanwhile."""

    def __init__(self, trusts: Trusts, *, per_minute: float) -> None:
        self._trusts = trusts
        self._pause = 60 / per_minute
        self._latencies: list[float] = []
        self._lock = threading.Lock()
        self.done: list[Sent] = []

    def run(self, seconds: float, every: float) -> list[Sample]:
        """Bring studies at a steady pace, whether or not the hub keeps up; the samples."""
        started, samples = time.monotonic(), list[Sample]()
        next_study = next_sample = started
        with ThreadPoolExecutor(8) as scanners:
            waiting = []
            while (now := time.monotonic()) < started + seconds:
                if now >= next_study:
                    (sent,) = self._trusts.morning(1)
                    waiting.append(scanners.submit(self._bring, sent))
                    next_study += self._pause
                if now >= next_sample:
                    samples.append(self._sample(now - started))
                    next_sample += every
                time.sleep(max(min(next_study, next_sample) - time.monotonic(), 0))
            for one in waiting:
                one.result()
        return samples

    def _bring(self, sent: Sent) -> None:
        self._trusts.order(sent)
        self._trusts.store(sent)
        came = time.monotonic()
        until(lambda: self._trusts.reports(sent), "the report is at the PACS", seconds=120)
        with self._lock:
            self._latencies.append(time.monotonic() - came)
            self.done.append(sent)
        for path in sent.scan.files:
            path.unlink()

    def _sample(self, seconds: float) -> Sample:
        process = self._trusts.hub.process
        assert process is not None
        taken = np.array([_taken(pid) for pid in (process.pid, *self._trusts.hub.descendants())])
        with self._lock:
            latencies, self._latencies = self._latencies, []
            studies = len(self.done)
        memory, handles, threads = taken.sum(axis=0)
        database = _size_of(self._trusts) / 1024
        latency = float(np.median(latencies)) if latencies else 0.0
        return Sample(seconds, studies, memory, handles, threads, database, latency)


def _taken(pid: int) -> tuple[float, float, float]:
    """MiB of memory (its share of what is shared), open handles and threads of one process."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        pss = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
        threads = len(os.listdir(f"/proc/{pid}/task"))
        return pss / 1024, len(os.listdir(f"/proc/{pid}/fd")), threads
    except (OSError, StopIteration):
        return 0.0, 0.0, 0.0  # it has ended meanwhile


def _size_of(trusts: Trusts) -> int:
    """Bytes of the embedded database, without what is only written ahead."""
    question = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    return int(trusts.hub.rows(question)[0][0])


def _tell(samples: Sequence[Sample], faults: Sequence[str], studies: int) -> None:
    print(f"{studies} studies in {samples[-1].seconds / 60:.1f} min")
    for bound in BOUNDS:
        start, grown = growth(samples, bound.name)
        print(f"  {bound.name:13} {start:9.2f} and {grown:+8.2f} until the end")
    for label, each in zip(("first", "last"), bytes_for_each(samples), strict=False):
        print(f"  database      {each:9.1f} KiB for each of the {label} studies")
    print("flat" if not faults else "NOT FLAT: " + "; ".join(faults))


def main(words: Sequence[str] | None = None) -> int:
    """Run the soak; 0 where all stayed flat."""
    parser = argparse.ArgumentParser(description="Twice the expected load, for hours.")
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--per-minute", type=float, default=2 * EXPECTED_PER_MINUTE)
    parser.add_argument("--csv", type=Path, default=Path("var/soak.csv"))
    asked = parser.parse_args(words)
    seconds = asked.minutes * 60
    with tempfile.TemporaryDirectory(prefix="avrop-soak-") as folder, two_trusts(
        Path(folder), HUB_LEASE_SECONDS="15"
    ) as trusts:
        soak = Soak(trusts, per_minute=asked.per_minute)
        samples = soak.run(seconds, every=max(seconds / 240, 1))
        trusts.settle(soak.done)
    asked.csv.parent.mkdir(exist_ok=True)
    with asked.csv.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([one.name for one in fields(Sample)])
        writer.writerows(astuple(one) for one in samples)
    faults = faults_of(samples)
    _tell(samples, faults, len(soak.done))
    print(f"every sample: {asked.csv}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
