"""A backup made while studies come, everything lost, and a hub in an empty place that goes on."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fakes import database
from tests.fakes.modality import program
from tests.fakes.running_hub import RunningHub
from tests.fakes.waiting import until
from tests.faults.trusts import USAGE, Sent, Trusts, two_trusts

pytestmark = pytest.mark.large
ORDERS = "SELECT count(*) FROM routing_order"
STATE = "SELECT state FROM routing_study WHERE study_instance_uid = ?"


@pytest.fixture
def trusts(tmp_path: Path) -> Iterator[Trusts]:
    program("storescu")
    with two_trusts(tmp_path) as trusts:
        yield trusts


def backup_of(hub: RunningHub) -> Path:
    """Make one; it must be whole and sound."""
    said = hub.manage("backup", hub.folder / "backups")
    folder = Path(said.partition(": ")[0])
    assert "is sound" in hub.manage("backup", "--verify", folder)
    return folder


def lose_everything(hub: RunningHub, stack: ExitStack) -> None:
    """The machine is gone at this moment, with database, spool and all else in its state folder."""
    assert hub.process is not None
    for pid in [hub.process.pid, *hub.descendants()]:
        os.kill(pid, signal.SIGKILL)
    hub.process.wait()
    shutil.rmtree(hub.state)
    for left in hub.folder.glob("hub.sqlite3*"):
        left.unlink()
    empty = hub.folder / "new"
    empty.mkdir()
    hub.database = stack.enter_context(database.own_database(empty, is_empty=True))


def assert_told_once(trusts: Trusts, sent: Sent) -> None:
    """PACS and RIS have one name of each thing, however often it was told; billed once."""
    assert len({one.SOPInstanceUID for one in trusts.reports(sent)}) == 1
    assert {kind: len(names) for kind, names in trusts.told(sent).items()} == {"ORU": 1, "OMI": 1}
    assert trusts.hub.rows(USAGE, sent.uid, sent.site) == [(1,)]


@pytest.mark.timeout(600)
def test_a_hub_restored_in_an_empty_place_goes_on_and_tells_nothing_twice(trusts: Trusts) -> None:
    hub = trusts.hub
    done, coming, half = trusts.morning(2), trusts.morning(4), trusts.study(slices=12)
    trusts.bring(done)
    trusts.settle(done)
    trusts.order(half)
    trusts.store(half, half.scan.files[:6])
    with ThreadPoolExecutor(1) as scanners:
        load = scanners.submit(trusts.bring, coming)
        until(lambda: hub.rows("SELECT 1 FROM routing_workitem LIMIT 3")[2:], "work is under way")
        folder = backup_of(hub)
        load.result(120)
    later = trusts.study("ulleval")
    trusts.bring([later])
    # The backup knows nothing of what is told from now on.
    trusts.settle([*coming, later])
    with ExitStack() as stack:
        lose_everything(hub, stack)
        hub.manage("restore", folder)
        hub.start()
        trusts.settle(done)
        assert hub.rows(STATE, half.uid) == [("receiving",)]
        trusts.store(half, half.scan.files[6:])
        # Hospitals send again what they sent since.
        trusts.bring([*done, *coming, later])
        trusts.settle([*done, *coming, later, half])
        for sent in (*done, *coming, later, half):
            assert_told_once(trusts, sent)
        assert len(trusts.reports(later)) == 2, "told again, under the name it had"
        assert hub.rows(ORDERS) == [(len(trusts.sent),)]
        refused = hub.manage("restore", folder, is_fine=False)
        assert "the database is not empty" in refused
        assert hub.stop() == 0
