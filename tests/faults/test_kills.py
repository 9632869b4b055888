"""kill -9 of any process of the hub, itself included, at random and under load."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.fakes.cluster import server
from tests.fakes.modality import program
from tests.fakes.redis import running_redis
from tests.fakes.running_hub import PROCESSES, RunningHub
from tests.fakes.waiting import until
from tests.faults.trusts import Sent, Trusts, meanwhile, two_trusts

# kill of the whole hub: the share of all kills
_WHOLE = 0.08


class Killer:
    """Kills by chance one process of a hub, or all of it, and starts again what is no more."""

    def __init__(self, trusts: Trusts, seed: int) -> None:
        self._trusts = trusts
        self._chance = random.Random(seed)
        self.killed: Counter[str] = Counter()

    def __call__(self) -> float:
        """Kill once; how many seconds to wait before the next."""
        hub = self._chance.choice(self._trusts.hubs)
        if self._chance.random() < _WHOLE:
            self._kill_all(hub)
            return 1.0
        found = sorted(hub.descendants())
        if found:
            pid = self._chance.choice(found)
            self.killed[_name(pid)] += _kill(pid)
        return self._chance.uniform(0.1, 2.0)

    def _kill_all(self, hub: RunningHub) -> None:
        """As a machine that loses its power: the supervisor and all below it, and a new start."""
        assert hub.process is not None
        everybody = [hub.process.pid, *hub.descendants()]
        self.killed["supervisor"] += sum(map(_kill, everybody)) > 0
        hub.process.wait(10)
        until(lambda: not any(map(lives, everybody)), "all of it is gone")
        hub.start()


def _name(pid: int) -> str:
    try:
        said = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "gone"
    return said if said in PROCESSES or said.startswith("hand") else "algorithm or child"


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def lives(pid: int) -> bool:
    """Whether a process is there, and not only its name."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def under_load(trusts: Trusts, kill: Killer, seconds: float) -> None:
    """Kill for so long while studies come, and see what came of them."""
    brought = list[Sent]()

    def bring() -> float:
        studies = trusts.morning(6)
        trusts.bring(studies)
        brought.extend(studies)
        return 0

    # Here and not there: a hub that is started by a thread ends with it (die_with_parent).
    ends_at = time.monotonic() + seconds
    with meanwhile(bring):
        while time.monotonic() < ends_at:
            time.sleep(kill())
    print(f"{len(brought)} studies; killed: {dict(kill.killed)}")
    trusts.assert_once(brought, seconds=180)
    assert kill.killed.total() > seconds / 10


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_kills_at_random_under_load_lose_and_double_nothing(
    trusts: Trusts, seconds_of_faults: float, seed: int
) -> None:
    under_load(trusts, Killer(trusts, seed), seconds_of_faults)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_kills_in_two_hubs_on_one_postgresql_and_redis_lose_and_double_nothing(
    tmp_path: Path, seconds_of_faults: float, seed: int
) -> None:
    program("storescu")
    with (
        server() as database,
        running_redis(tmp_path / "redis") as redis,
        two_trusts(tmp_path, database=database.url(), broker=redis.url) as trusts,
        trusts.hub.another() as second,
    ):
        trusts.others.append(second)
        under_load(trusts, Killer(trusts, seed), seconds_of_faults)
