"""PostgreSQL that crashes, and one whose standby takes over, while studies come."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fakes.cluster import primary_and_standby, server
from tests.fakes.modality import program
from tests.fakes.waiting import until
from tests.faults.trusts import OF_STUDY, Trusts, meanwhile, two_trusts

pytestmark = pytest.mark.long


def is_busy(trusts: Trusts) -> bool:
    """Whether at least one study is on its way and at least one has come."""
    return bool(trusts.hub.rows("SELECT 1 FROM routing_workitem LIMIT 1"))


@pytest.mark.timeout(400)
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


@pytest.mark.timeout(400)
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
