"""kill -9 of any process at any moment, a broker that forgets: nothing is lost, nothing doubled."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.database import empty_redis, redis_out_of_reach
from tests.fakes.modality import program
from tests.fakes.running_hub import PROCESSES
from tests.fakes.waiting import until
from tests.journeys.rough import Rough, rough_hub

# A large installation has another database and another broker, which die in other ways.
pytestmark = pytest.mark.large
OF_STUDY = "FROM routing_transition t JOIN routing_study s ON s.id = t.study_id"
OF_STUDY += " WHERE s.study_instance_uid = ? AND t.to_state = ?"
STEPS = ["complete", "matched", "entitled", "dispatched", "collected", "writing_back"]


@pytest.fixture(scope="module")
def rough(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rough]:
    program("storescu")
    with rough_hub(tmp_path_factory.mktemp("rough")) as rough:
        yield rough


@contextmanager
def meanwhile(again: Callable[[], float]) -> Iterator[None]:
    """Do something again and again, after as many seconds as it says, until the block ends."""
    is_over = threading.Event()

    def run() -> None:
        while not is_over.wait(again()):
            pass

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@pytest.mark.long
def test_a_morning_of_random_kills_loses_and_doubles_nothing(rough: Rough) -> None:
    seed = time.time_ns()
    print(f"seed {seed}")
    chance = random.Random(seed)
    scans = [rough.scan() for _ in range(12)]
    killed: list[str] = []

    def kill() -> float:
        name = chance.choice(["worker", "worker", *PROCESSES, "hand 1"])
        if rough.hub.kill(name):
            killed.append(name)
        return chance.uniform(0.3, 2.0)

    with meanwhile(kill):
        rough.bring(scans)
        until(lambda: len(killed) >= 8, "eight processes were killed")
    rough.assert_whole_way(scans, seconds=90)


def test_a_worker_killed_right_after_each_step_goes_on_from_there(rough: Rough) -> None:
    scans = {step: rough.scan() for step in STEPS}
    for step, scan in scans.items():
        rough.order(scan)
        rough.store(scan)
        until(lambda: rough.hub.rows(f"SELECT 1 {OF_STUDY}", scan.uid, step), step)  # noqa: B023
        rough.hub.kill("worker")
    rough.assert_whole_way(list(scans.values()), seconds=90)


@pytest.mark.parametrize("where", ["pacs", "ris"])
def test_a_worker_killed_after_it_told_and_before_it_heard_tells_the_same_again(
    rough: Rough, where: str
) -> None:
    scan = rough.scan()
    rough.hooks[where] = lambda: rough.hub.kill("worker")
    rough.order(scan)
    rough.store(scan)
    rough.assert_whole_way([scan])
    assert where not in rough.hooks


def test_a_worker_killed_while_the_algorithm_runs_finds_it_again(rough: Rough) -> None:
    scan = rough.scan()
    (rough.folder / "switches" / "finds").write_text("slow 2")
    try:
        rough.order(scan)
        rough.store(scan)
        started = f"SELECT count(*) {OF_STUDY}"
        until(lambda: rough.hub.rows(started, scan.uid, "dispatched") == [(1,)], "it runs")
        assert rough.hub.kill("worker")
        rough.assert_whole_way([scan])
    finally:
        (rough.folder / "switches" / "finds").write_text("present")
    assert rough.hub.rows(started, scan.uid, "dispatched") == [(1,)]


@pytest.mark.parametrize("name", ["listen_dicom", "hand"])
def test_a_listener_killed_in_the_middle_of_a_study_loses_no_instance(
    rough: Rough, name: str
) -> None:
    scan = rough.scan(slices=120, size=128)
    rough.order(scan)
    sender = threading.Thread(target=rough.store, args=(scan,))
    sender.start()
    count = "SELECT count(*) FROM routing_instance i JOIN routing_study s ON s.id = i.study_id"
    count += " WHERE s.study_instance_uid = ?"
    until(lambda: rough.hub.rows(count, scan.uid)[0][0] > 10, "some instances came")
    if name == "hand":
        # whichever has the association: the other would have nothing to lose
        assert [rough.hub.kill(f"hand {number}") for number in (1, 2)] == [True, True]
    else:
        assert rough.hub.kill(name)
    sender.join(60)
    rough.assert_whole_way([scan])
    assert rough.hub.rows(count, scan.uid) == [(120,)]


def test_whatever_is_killed_is_started_again(rough: Rough) -> None:
    before = {name: until(lambda: rough.hub.child(name), f"{name} runs") for name in PROCESSES}  # noqa: B023
    assert all(rough.hub.kill(name) for name in PROCESSES)
    for name in PROCESSES:
        until(lambda: rough.hub.child(name) not in (None, before[name]), f"{name} runs again")  # noqa: B023


def test_a_broker_that_forgets_everything_all_the_time_loses_nothing(rough: Rough) -> None:
    def forget() -> float:
        if rough.hub.broker.startswith("redis"):
            empty_redis(rough.hub.broker)
        else:
            for message in (rough.hub.state / "queue").iterdir():
                message.unlink(missing_ok=True)
        return 0.05

    scans = [rough.scan() for _ in range(6)]
    with meanwhile(forget):
        rough.bring(scans)
    rough.assert_whole_way(scans)


@contextmanager
def no_folder_of_messages(queue: Path) -> Iterator[None]:
    """A file where the embedded broker has its folder, so that no message can be sent or taken."""
    shutil.rmtree(queue)
    queue.write_text("")
    try:
        yield
    finally:
        queue.unlink()
        queue.mkdir()


def test_a_broker_that_is_gone_while_studies_come_loses_nothing(rough: Rough) -> None:
    scans = [rough.scan() for _ in range(3)]
    broker = rough.hub.broker
    is_redis = broker.startswith("redis")
    gone = redis_out_of_reach(broker) if is_redis else no_folder_of_messages(
        rough.hub.state / "queue"
    )  # fmt: skip
    started = time.monotonic()
    with gone:
        rough.bring(scans)
        # nobody who sends is made to wait for a broker
        assert time.monotonic() - started < 15
    rough.assert_whole_way(scans)
