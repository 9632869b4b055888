"""Processes that stand still, can open no file or are killed, while all comes twice at once."""

from __future__ import annotations

import os
import random
import resource
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from tests.fakes.cluster import server
from tests.fakes.holdings import Holdings, holdings, most
from tests.fakes.modality import program, storescu
from tests.fakes.scarcity import limit_of
from tests.fakes.waiting import until
from tests.faults.test_kills import Killer
from tests.faults.test_same_uids import twin
from tests.faults.trusts import Sent, Trusts, meanwhile, two_trusts

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]
# of a process that stands still: shorter and longer than a lease
_STANDS = (0.2, 5.0)
# How much more than in calm a process may hold that has seen a storm.
_FILES, _THREADS = 8, 8


class Stopper(Killer):
    """Lets a process stand still, or open no file, as often as it kills one."""

    def __call__(self) -> float:
        what = self._chance.choice((super().__call__, self._stop, self._starve))
        return what() or self._chance.uniform(0.1, 1.0)

    def _some(self) -> list[int]:
        found = sorted(self._chance.choice(self._trusts.hubs).descendants())
        return self._chance.sample(found, min(len(found), self._chance.choice((1, 1, 2))))

    def _stop(self) -> None:
        chosen = self._some()
        self.killed["stopped"] += sum(_signal(pid, signal.SIGSTOP) for pid in chosen)
        try:
            time.sleep(self._chance.uniform(*_STANDS))
        finally:
            for pid in chosen:
                _signal(pid, signal.SIGCONT)

    def _starve(self) -> None:
        """Let them open no more files for a while, or only a few."""
        before = {pid: limit_of(pid, self._chance.choice((0, 0, 1, 3))) for pid in self._some()}
        self.killed["starved"] += len(before)
        time.sleep(self._chance.uniform(0.2, 2.0))
        for pid, limit in before.items():
            with suppress(ProcessLookupError):
                if limit is not None:
                    resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)


def _signal(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def crowd(trusts: Trusts, chance: random.Random) -> tuple[list[Sent], list[Callable[[], object]]]:
    """A study with its twin at the other trust, each twice at once, and a stranger amid it."""
    first = trusts.study("drammen")
    studies = [first, twin(trusts, first)]
    jobs: list[Callable[[], object]] = []
    for sent in studies:
        # The first tells whose study it is.
        trusts.store(sent, sent.scan.files[:1])
        for _ in range(2):
            files = list(sent.scan.files)
            chance.shuffle(files)
            jobs.append(lambda sent=sent, files=files: trusts.store(sent, files))
            jobs.append(lambda sent=sent: trusts.order(sent))
        three = stranger(sent)
        jobs.append(lambda sent=sent, three=three: set_aside(trusts, sent, three))
    chance.shuffle(jobs)
    return studies, jobs


def stranger(sent: Sent) -> list[Path]:
    """Three files as one association has them: of the patient, of another one, of the patient."""
    own = sent.scan.files[1]
    alien = dcmread(own)
    alien.PatientID = "13097200000"
    alien.SOPInstanceUID = alien.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    path = own.with_name(f"alien-{own.name}")
    alien.save_as(path)
    return [own, path, sent.scan.files[2]]


def set_aside(trusts: Trusts, sent: Sent, files: list[Path]) -> None:
    """Send them until the one of another patient is answered with a warning, never with Success."""

    def send() -> bool:
        port = trusts.hub.dicom_port
        answers = storescu(files, ae_title=f"{sent.site.upper()}CT", port=port).answers
        assert answers[1:2] != ("Success",)
        return len(answers) == 3 and answers[1].startswith("Warning") and answers[2] == "Success"

    until(send, "another patient's image is set aside", seconds=180)


def under_stops(trusts: Trusts, seconds: float, seed: int) -> None:
    """Stop and kill for so long, and see what PACS, RIS and invoice saw."""
    brought, stop, chance = list[Sent](), Stopper(trusts, seed), random.Random(seed)
    calm = held_in_calm(trusts, chance)

    def bring() -> float:
        studies, jobs = crowd(trusts, chance)
        with ThreadPoolExecutor(len(jobs)) as senders:
            list(senders.map(lambda job: job(), jobs))
        brought.extend(studies)
        return 0

    ends_at = time.monotonic() + seconds
    with meanwhile(bring):
        while time.monotonic() < ends_at:
            time.sleep(stop())
    print(f"{len(brought)} studies; {dict(stop.killed)}")
    trusts.assert_once(brought, seconds=180)
    assert stop.killed["stopped"] > seconds / 20
    assert_nobody_is_left(trusts)
    assert_as_in_calm(trusts, calm)


def held_in_calm(trusts: Trusts, chance: random.Random) -> dict[str, Holdings]:
    """The most that each process was seen to hold while all came without a fault, and after."""
    studies, jobs = crowd(trusts, chance)
    seen = []

    def look() -> float:
        seen.append(holdings(trusts.hub))
        return 0.1

    with meanwhile(look):
        with ThreadPoolExecutor(len(jobs)) as senders:
            list(senders.map(lambda job: job(), jobs))
        trusts.assert_once(studies, seconds=180)
    return most(*seen)


def assert_as_in_calm(trusts: Trusts, calm: dict[str, Holdings]) -> None:
    """Once it is quiet no process holds more files, threads or children than it did then."""

    def is_as_then() -> bool:
        now.clear()
        now.update(holdings(trusts.hub))
        return set(now) <= set(calm) and not any(
            one.exceeds(calm[name], files=_FILES, threads=_THREADS)
            for name, held in now.items()
            for one in held
        )

    now: dict[str, list[Holdings]] = {}
    try:
        until(is_as_then, "all is given back", seconds=60)
    finally:
        print(f"in calm {calm}; now {now}")


def assert_nobody_is_left(trusts: Trusts) -> None:
    """Every process that is left ends with the hub, and none is dead and unburied."""
    for hub in trusts.hubs:
        states = [Path(f"/proc/{pid}/stat").read_text() for pid in hub.descendants()]
        assert not [one for one in states if one.rpartition(")")[2].split()[0] in "ZT"]


def test_stops_and_kills_amid_second_deliveries_lose_double_and_mix_up_nothing(
    trusts: Trusts, seconds_of_faults: float, seed: int
) -> None:
    under_stops(trusts, seconds_of_faults, seed)


def test_stops_and_kills_on_postgresql_lose_double_and_mix_up_nothing(
    tmp_path: Path, seconds_of_faults: float, seed: int
) -> None:
    program("storescu")
    with server() as database, two_trusts(tmp_path, database=database.url()) as trusts:
        under_stops(trusts, seconds_of_faults, seed)
