"""A disk that is full at one write and not at the next: spool, database, messages, results."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.modality import program
from tests.faults.trusts import two_trusts
from tests.faults.world import make_world


def try_all(tmp_path: Path, *, one_in: tuple[int, ...], count: int) -> None:
    """Studies while one in n writes fails; then with room again, and all must be as it should."""
    program("storescu")
    world = make_world(tmp_path, full=tmp_path / "hub" / "state")
    quick = {"HUB_RETRY_SECONDS": "0.2"}
    database = f"sqlite:///{tmp_path}/hub/state/hub.sqlite3"
    (tmp_path / "hub" / "state").mkdir(parents=True)
    with two_trusts(tmp_path, database=database, **quick, **world.environment()) as trusts:
        brought = []
        for number in one_in:
            before = world.writes
            world.fail_one_in(number)
            studies = trusts.morning(count)
            trusts.bring(studies)
            brought += studies
            world.fail_one_in(0)
            assert world.writes - before > 2 * number, "too few writes failed"
        trusts.assert_once(brought, seconds=90)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_whichever_write_finds_no_room_nothing_is_lost(tmp_path: Path) -> None:
    try_all(tmp_path, one_in=(200, 80, 40, 25), count=4)
