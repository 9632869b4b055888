"""An upgrade while studies come: the release before, then both at once, then this one alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.fakes.cluster import server
from tests.fakes.modality import program
from tests.fakes.redis import running_redis
from tests.fakes.running_hub import ROOT
from tests.faults.trusts import meanwhile, two_trusts
from tests.upgrades.schema import recorded

pytestmark = pytest.mark.long
_ARCHIVE = ("sh", "-c", 'git -C "$0" archive "$1" | tar -x -C "$2"')


def code_before(folder: Path) -> Path:
    """The release before, out of git."""
    folder.mkdir()
    words = [*_ARCHIVE, str(ROOT), recorded().commit, str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (folder / "manage.py").exists(), done.stderr
    return folder


@pytest.mark.timeout(900)
def test_old_and_new_work_side_by_side_on_the_new_tables(tmp_path: Path) -> None:
    program("storescu")
    before = code_before(tmp_path / "before")
    with (
        server() as database,
        running_redis(tmp_path / "redis") as redis,
        two_trusts(tmp_path, database=database.url(), broker=redis.url, code=before) as trusts,
    ):
        old = trusts.hub
        during = trusts.morning(6)
        with meanwhile(lambda: trusts.bring(during) or 600):
            # the new code migrates while the old one works
            old.code = ROOT
            old.manage("migrate", "--verbosity=0")
            old.code = before
        trusts.assert_once(during, seconds=120)
        on_new_tables = trusts.morning(4)
        trusts.bring(on_new_tables)
        trusts.assert_once(on_new_tables, seconds=120)
        with old.another() as new:
            trusts.others.append(new)
            together = trusts.morning(6)
            trusts.bring(together)
            trusts.assert_once(together, seconds=120)
            last = trusts.morning(4)
            with meanwhile(lambda: trusts.bring(last) or 600):
                assert old.stop() == 0
                trusts.hub, trusts.others = new, []
            trusts.assert_once(last, seconds=120)
