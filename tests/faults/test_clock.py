"""A clock that jumps an hour ahead, and back, while studies are on their way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.modality import program
from tests.fakes.waiting import until
from tests.faults.trusts import Trusts, two_trusts
from tests.faults.world import make_world

pytestmark = pytest.mark.long


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_clock_that_jumps_an_hour_loses_doubles_and_delays_nothing(
    tmp_path: Path, seconds: int
) -> None:
    program("storescu")
    clock = make_world(tmp_path, full=tmp_path / "nothing")
    quiet = {"HUB_QUIET_SECONDS": "4", "HUB_SHORT_QUIET_SECONDS": "2"}
    with two_trusts(tmp_path, **quiet, **clock.environment()) as trusts:
        told = trusts.morning(2)
        trusts.bring(told)
        trusts.assert_once(told)
        waiting, closed, held = trusts.study(), trusts.study("ulleval"), trusts.study()
        # one that waits for more, one whose RIS is away, one whose worker dies with its lease
        trusts.order(waiting)
        trusts.store(waiting, waiting.scan.files[:4])
        trusts.rises["ulleval"].refuses[closed.uid] = ""
        (trusts.folder / "switches" / "finds").write_text("slow 3")
        trusts.bring([held])
        _await_running(trusts, held.uid)
        trusts.hub.kill("worker")
        trusts.bring([closed])
        clock.jump(seconds)
        (trusts.folder / "switches" / "finds").write_text("present")
        trusts.store(waiting, waiting.scan.files[4:])
        del trusts.rises["ulleval"].refuses[closed.uid]
        after = trusts.morning(2)
        trusts.bring(after)
        trusts.assert_once([waiting, held, closed, *after], seconds=60)
        clock.jump(0)
        last = trusts.morning(2)
        trusts.bring(last)
        trusts.assert_once(last, seconds=60)


def _await_running(trusts: Trusts, uid: str) -> None:
    running = "SELECT 1 FROM routing_workitem w JOIN routing_study s ON s.id = w.study_id"
    running += " WHERE s.study_instance_uid = ? AND w.state = 'dispatched'"
    until(lambda: trusts.hub.rows(running, uid), "it runs")
