"""Hubs that are killed while they carry, a store that is slow or silent, and all lost but a backup.

On moto's server, and on Ceph as well where its daemons are installed (tests/fakes/ceph.py).
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes import ceph, database
from tests.fakes.modality import program
from tests.fakes.s3 import Bucket, s3_server
from tests.fakes.strait import strait
from tests.fakes.waiting import until
from tests.faults.test_kills import Killer, under_load
from tests.faults.trusts import USAGE, Trusts, two_trusts
from tests.journeys.stored import assert_at_rest, held

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]
UNDER_WAY = "SELECT 1 FROM routing_workitem LIMIT 3"


@pytest.fixture(scope="module", params=["moto", *(["ceph"] if ceph.is_installed() else [])])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bucket]:
    program("storescu")
    if request.param == "moto":
        with s3_server() as started:
            yield started
    else:
        with ceph.object_gateway(tmp_path_factory.mktemp("ceph")) as gateway:
            yield gateway


@pytest.fixture
def store(server: Bucket) -> Bucket:
    server.empty()
    return server


def stored(folder: Path, store: Bucket, port: int | None = None):
    url = store.url_by(store.port if port is None else port)
    return two_trusts(folder, HUB_STORAGE_URL=url, HUB_CACHE_BYTES="1")


def test_hubs_killed_while_they_carry_lose_nothing_and_put_nothing_twice(
    store: Bucket, tmp_path: Path, seconds_of_faults: float, seed: int
) -> None:
    with stored(tmp_path, store) as trusts:
        under_load(trusts, Killer(trusts, seed), seconds_of_faults)
        assert_at_rest(trusts, store, trusts.sent)


def test_a_slow_and_then_a_silent_store_stop_no_receiving(store: Bucket, tmp_path: Path) -> None:
    with strait(store.port) as way, stored(tmp_path, store, way.port) as trusts:
        trusts.bring(trusts.morning(2))
        quick = _seconds_to_bring(trusts)
        way.seconds = 2.0
        assert _seconds_to_bring(trusts) < 2 * quick + 5
        way.is_silent = True
        assert _seconds_to_bring(trusts) < 2 * quick + 5
        trusts.hub.kill("listen_dicom")
        assert _seconds_to_bring(trusts) < 2 * quick + 15
        way.seconds, way.is_silent = 0.0, False
        trusts.assert_once(trusts.sent, seconds=300)
        assert_at_rest(trusts, store, trusts.sent)


def _seconds_to_bring(trusts: Trusts) -> float:
    studies, began = trusts.morning(4), time.monotonic()
    trusts.bring(studies)
    return time.monotonic() - began


def test_a_hub_that_lost_all_of_it_begins_again_from_a_backup_in_another_place(
    store: Bucket, tmp_path: Path
) -> None:
    with stored(tmp_path, store) as trusts:
        hub, done, coming = trusts.hub, trusts.morning(2), trusts.morning(4)
        trusts.bring(done)
        trusts.assert_once(done)
        with ThreadPoolExecutor(1) as scanners:
            load = scanners.submit(trusts.bring, coming)
            until(lambda: hub.rows(UNDER_WAY)[2:], "work is under way")
            folder = Path(hub.manage("backup", hub.folder / "backups").partition(": ")[0])
            load.result(120)
        assert "is sound" in hub.manage("backup", "--verify", folder)
        trusts.settle(coming)
        _lose_everything(trusts, store)
        hub.settings["HUB_STORAGE_URL"] = store.url_by(store.port, "again")
        with database.own_database(_folder(hub.folder / "new"), is_empty=True) as url:
            hub.database = url
            hub.manage("restore", folder)
            assert len(held(store, "again")) > sum(len(sent.scan.files) for sent in done)
            hub.start()
            # Hospitals send again what they sent since.
            trusts.bring(coming)
            trusts.settle([*done, *coming], seconds=180)
            assert_at_rest(trusts, store, trusts.sent, prefix="again")
            for sent in (*done, *coming):
                assert len({one.SOPInstanceUID for one in trusts.reports(sent)}) == 1
                assert hub.rows(USAGE, sent.uid, sent.site) == [(1,)]
            assert held(store) == set()
            assert hub.stop() == 0


def _lose_everything(trusts: Trusts, store: Bucket) -> None:
    """Machine, database and bucket are gone at one moment."""
    hub = trusts.hub
    assert hub.process is not None
    for pid in [hub.process.pid, *hub.descendants()]:
        os.kill(pid, signal.SIGKILL)
    hub.process.wait()
    shutil.rmtree(hub.state)
    store.empty()


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
