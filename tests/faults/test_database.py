"""PostgreSQL that crashes, and one whose standby takes over, while studies come."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydicom import dcmread

from hub.dicom.spool import Spool
from hub.doors import is_open
from tests.builders.studies import received
from tests.fakes.cluster import primary_and_standby, server
from tests.fakes.modality import program
from tests.fakes.waiting import until
from tests.faults.test_kills import lives
from tests.faults.trusts import OF_STUDY, Trusts, meanwhile, two_trusts

pytestmark = pytest.mark.long


def is_busy(trusts: Trusts) -> bool:
    """Whether at least one study is on its way and at least one has come."""
    return bool(trusts.hub.rows("SELECT 1 FROM routing_workitem LIMIT 1"))


@pytest.mark.timeout(900)
def test_a_database_that_crashes_and_recovers_loses_and_doubles_nothing(tmp_path: Path) -> None:
    program("storescu")
    with server() as database, two_trusts(tmp_path, database=database.url()) as trusts:
        studies = trusts.morning(16)

        def crash() -> float:
            database.stop(mode="immediate")
            time.sleep(1)
            database.start()
            return 5

        with meanwhile(crash):
            trusts.bring(studies)
        trusts.assert_once(studies, seconds=120)
        waiting = trusts.study()
        database.stop()
        with meanwhile(lambda: trusts.bring([waiting]) or 60):
            time.sleep(3)
            database.start()
            trusts.assert_once([waiting])


@pytest.mark.timeout(900)
def test_a_standby_that_takes_over_has_every_instance_that_was_answered(tmp_path: Path) -> None:
    program("storescu")
    with (
        primary_and_standby() as (first, second),
        two_trusts(tmp_path, database=first.url(second)) as trusts,
    ):
        before = trusts.morning(6)
        trusts.bring(before[:2])
        half = trusts.study(slices=12)
        trusts.order(half)
        trusts.store(half, half.scan.files[:6])
        with meanwhile(lambda: trusts.bring(before[2:]) or 600):
            until(lambda: is_busy(trusts), "work is under way")
            first.stop(mode="immediate")
            second.ask("ALTER SYSTEM SET synchronous_standby_names = ''")
            second.promote()
            second.ask("SELECT pg_reload_conf()")
        # What was answered with Success before the fall is not sent again, and is all there.
        trusts.store(half, half.scan.files[6:])
        trusts.assert_once([*before, half], seconds=120)
        counted = f"SELECT s.instance_count {OF_STUDY}"
        assert trusts.hub.rows(counted, half.uid, half.site) == [(12,)]


@pytest.mark.timeout(900)
def test_what_was_told_success_before_its_row_is_found_though_the_database_comes_last(
    tmp_path: Path,
) -> None:
    """As after a loss of power, and with HUB_SYNC off: who was told Success sends nothing again."""
    program("storescu")
    with (
        server() as database,
        two_trusts(tmp_path, database=database.url(), HUB_SYNC="off") as trusts,
    ):
        sent, hub = trusts.study(), trusts.hub
        trusts.order(sent)
        trusts.store(sent, sent.scan.files[:1])
        lie_in_spool(trusts, sent.scan.files[1:])
        database.stop()
        before = hub.child("listen_dicom")
        hub.kill("listen_dicom")
        until(lambda: hub.child("listen_dicom") not in (None, before), "it is started again")
        until(lambda: is_open("127.0.0.1", hub.dicom_port), "it listens")
        time.sleep(2)
        database.start()
        trusts.assert_once([sent])


def lie_in_spool(trusts: Trusts, files: Sequence[Path]) -> None:
    """Put files where a listener of Drammen puts them that dies before their rows are written."""
    spool = Spool(trusts.hub.state / "spool", 0)
    for path in files:
        spool.put(site="drammen", received=received(dcmread(path)))


@pytest.mark.timeout(900)
def test_a_database_that_hangs_keeps_all_waiting_and_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    program("storescu")
    with server() as database, two_trusts(tmp_path, database=database.url()) as trusts:
        studies = trusts.morning(12)

        def hang() -> float:
            with database.hanging():
                time.sleep(8)
            return 3

        with meanwhile(hang):
            trusts.bring(studies, at_once=6)
        trusts.assert_once(studies, seconds=120)


@pytest.mark.timeout(900)
def test_a_hub_that_is_told_to_stop_while_its_database_hangs_ends_and_leaves_no_process(
    tmp_path: Path,
) -> None:
    """What was not answered with Success is sent again to the next one, and all is as it should."""
    program("storescu")
    with (
        server() as database,
        two_trusts(tmp_path, database=database.url(), HUB_DRAIN_SECONDS="2") as trusts,
    ):
        studies = trusts.morning(4)
        hub = trusts.hub
        with ThreadPoolExecutor(1) as scanners:
            bringing = scanners.submit(trusts.bring, studies, at_once=4)
            until(lambda: is_busy(trusts), "work is under way")
            everybody = hub.descendants()
            with database.hanging():
                time.sleep(1)
                began = time.monotonic()
                hub.stop()
                assert time.monotonic() - began < 40
                until(lambda: not any(map(lives, everybody)), "nobody is left", seconds=20)
            hub.start()
            bringing.result(180)
        trusts.assert_once(studies, seconds=120)
