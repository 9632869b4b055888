"""Instances on their way to an object store: none is lost, and none stays too long."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from hub.dicom.object_store import Address, ObjectStore, StoreAway
from hub.dicom.remote_spool import NotHereYet, RemoteSpool
from routing import forgetting, healing, places, uploading
from routing.models import Arrived, Discarded, Instance, Kept, Result, Workitem
from routing.places import spool
from routing.steps.receive import Receiver
from tests.builders.studies import head_ct
from tests.fakes.s3 import S3, s3_server
from tests.routing.conftest import Place


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    with s3_server() as started:
        yield started


@pytest.fixture
def store(server: S3, place: Place, settings: Any) -> Iterator[S3]:
    """The first site with all that it receives going to the store."""
    settings.HUB_STORAGE_URL = server.url
    settings.HUB_CACHE_BYTES = 0
    # a test before may have left the disk of another host
    places._spool.cache_clear()
    for key in server.held():
        server.client.delete_object(Bucket="avrop", Key=key)
    yield server
    uploading.stop()


def here() -> RemoteSpool:
    found = spool()
    assert isinstance(found, RemoteSpool)
    return found


def local_files() -> set[str]:
    return {key for key, _path in here().here()}


def received(place: Place) -> list[str]:
    """A study that was answered with Success; the keys of its instances."""
    assert place.send(head_ct()) == [0] * 12
    return sorted(local_files())


def of_another_host(settings: Any, tmp_path: Path) -> None:
    settings.HUB_STATE_DIR = tmp_path
    places._spool.cache_clear()


# -- the way there ---------------------------------------------------------------------------------
def test_success_waits_for_no_store_and_what_was_received_goes_there(
    place: Place, store: S3
) -> None:
    keys = received(place)
    assert store.held() == set()
    assert uploading.carry(here()) == 12
    assert store.held() == {f"site/{key}" for key in keys}
    assert store.content(f"site/{keys[0]}") == here().path(keys[0]).read_bytes()
    rows = Kept.objects.all()
    assert {one.key for one in rows} == set(keys)
    assert all(one.stored_at and not one.host and one.size for one in rows)
    assert here().outgoing() == []
    assert uploading.carry(here()) == 0


def test_a_store_that_is_away_loses_nothing_and_takes_all_later(place: Place, store: S3) -> None:
    store.goes_away()
    try:
        keys = received(place)
        with pytest.raises(StoreAway):
            uploading.carry(here())
        assert (len(here().outgoing()), uploading.backlog()[0]) == (12, 12)
        assert uploading.shrink(here(), 0) == 0
        assert sorted(local_files()) == keys
        told = Client(REMOTE_ADDR="127.0.0.1").get("/metrics").content.decode()
        assert "hub_storage_backlog_files 12.0" in told
    finally:
        store.comes_back()
    store.client.create_bucket(Bucket="avrop") if not _has_bucket(store) else None
    assert uploading.carry(here()) == 12
    assert uploading.backlog() == (0, 0.0)


def _has_bucket(store: S3) -> bool:
    return bool(store.client.list_buckets()["Buckets"])


def nothing_done(key: str) -> None:
    """Died before anything."""


def uploaded(key: str) -> None:
    """Died after the upload."""
    here().carry(key)


def uploaded_in_part(key: str) -> None:
    """Died, and the store has something else under the key."""
    here().carry(key)
    for there in (f"site/{key}",):
        S3_NOW[0].spoil(there)


def row_marked(key: str) -> None:
    """Died after the row was marked, before the mark on the disk went."""
    here().carry(key)
    Kept.objects.create(key=key, noticed_at=timezone.now(), stored_at=timezone.now())


def marks_lost(key: str) -> None:
    """Lost its power, and the marks with it."""
    shutil.rmtree(here().root / "outgoing")
    (here().root / "outgoing").mkdir()


S3_NOW: list[S3] = []


@pytest.mark.parametrize(
    "died", [nothing_done, uploaded, uploaded_in_part, row_marked, marks_lost]
)
def test_whoever_died_between_two_steps_lost_nothing(
    place: Place, store: S3, died: Callable[[str], None]
) -> None:
    S3_NOW[:] = [store]
    keys = received(place)
    whole = {key: here().path(key).read_bytes() for key in keys}
    died(keys[0])
    # the copies here may go only once the store has them, whatever the marks say
    uploading.shrink(here(), 0)
    for key in keys:
        there = {one.removeprefix("site/") for one in store.held()}
        assert here().path(key).exists() or key in there
    uploading.notice(here())
    uploading.carry(here())
    uploading.shrink(here(), 0)
    assert local_files() == set()
    assert {key: store.content(f"site/{key}") for key in keys} == whole
    assert Kept.objects.filter(stored_at__isnull=False).count() == 12


def test_a_process_that_ends_brings_what_it_has_first_unless_the_store_is_away(
    place: Place, store: S3
) -> None:
    received(place)
    uploading.start()
    assert uploading.finish(within=30) == 0
    assert len(store.held()) == 12
    store.goes_away()
    try:
        place.send(head_ct())
        began = time.monotonic()
        assert uploading.finish(within=30) > 0
        assert time.monotonic() - began < 15
    finally:
        store.comes_back()


# -- reading ---------------------------------------------------------------------------------------
def test_the_whole_way_goes_with_nothing_left_on_this_disk(
    place: Place, store: S3, settings: Any, tmp_path: Path
) -> None:
    received(place)
    uploading.carry(here())
    uploading.shrink(here(), 0)
    assert local_files() == set()
    place.work()
    assert place.workitem.state == Workitem.State.WRITTEN_BACK
    assert len(place.objects()) == 1
    result = Result.objects.get()
    assert f"site/{result.key}" in store.held()
    # another host sends the result again out of the store alone
    of_another_host(settings, tmp_path)
    assert here().fetched(result.key).read_bytes() == store.content(f"site/{result.key}")


def test_a_workitem_waits_for_what_another_host_has_not_brought_yet(
    place: Place, store: S3, settings: Any, tmp_path: Path
) -> None:
    first = settings.HUB_STATE_DIR
    keys = received(place)
    of_another_host(settings, tmp_path)
    place.work(until=lambda: Workitem.objects.filter(waits_for="store").exists())
    item = place.workitem
    assert (item.state, item.waits_for, item.attempts) == ("entitled", "store", 0)
    assert place.nothing_was_sent()
    with pytest.raises(NotHereYet):
        here().fetched(keys[0])
    of_another_host(settings, first)
    uploading.carry(here())
    of_another_host(settings, tmp_path)
    place.time_passes()
    assert place.workitem.state == Workitem.State.WRITTEN_BACK


def test_the_copies_read_longest_ago_go_first(place: Place, store: S3) -> None:
    keys = received(place)
    uploading.carry(here())
    for age, key in enumerate(keys):
        os.utime(here().path(key), (1_000_000 - age, 1_000_000))
    here().fetched(keys[-1])
    size = here().path(keys[0]).stat().st_size
    assert uploading.shrink(here(), 3 * size + 100) == 9
    assert local_files() == {keys[-1], keys[0], keys[1]}


# -- deleting --------------------------------------------------------------------------------------
def test_what_retention_deletes_is_gone_from_the_store_too(place: Place, store: S3) -> None:
    keys = received(place)
    uploading.carry(here())
    uploading.shrink(here(), 0)
    Discarded.objects.bulk_create(Discarded(key=key) for key in keys)
    forgetting._remove_files()
    assert len(store.held()) == 12  # rows refer to them
    assert Discarded.objects.count() == 0
    Instance.objects.all().delete()
    Arrived.objects.all().delete()
    Discarded.objects.bulk_create(Discarded(key=key) for key in keys)
    forgetting._remove_files()
    assert (store.held(), Kept.objects.count(), Discarded.objects.count()) == (set(), 0, 0)


def test_what_was_deleted_elsewhere_is_not_brought_by_who_still_has_it(
    place: Place, store: S3
) -> None:
    keys = received(place)
    old = (timezone.now() - timedelta(hours=2)).timestamp()
    for key in keys:
        os.utime(here().path(key), (old, old))
    Kept.objects.create(key=keys[0], host="another", noticed_at=timezone.now())
    uploading.forgotten(keys[0])
    assert Kept.objects.get().is_doomed
    assert uploading.carry(here()) == 11
    assert f"site/{keys[0]}" not in store.held()
    assert not here().path(keys[0]).exists()
    assert not Kept.objects.filter(key=keys[0]).exists()


def test_a_row_that_was_lost_is_written_again_from_what_lies_here(
    place: Place, store: S3
) -> None:
    received(place)
    Instance.objects.all().delete()
    Arrived.objects.all().delete()
    receiver = Receiver()
    assert healing.heal(receiver, newest=timezone.now().timestamp() + 5) == 12
    receiver.close()
    assert uploading.carry(here()) == 12


# -- what an administrator sees --------------------------------------------------------------------
def test_the_command_says_whether_the_store_can_be_reached(place: Place, store: S3) -> None:
    received(place)
    out = StringIO()
    call_command("storage", "--upload", stdout=out)
    assert "written, read, found the same and deleted" in out.getvalue()
    assert "brought: 12 files" in out.getvalue()
    assert "not in the store yet: 0 files" in out.getvalue()
    store.goes_away()
    try:
        with pytest.raises(CommandError, match="AWS_ACCESS_KEY_ID"):
            call_command("storage", stdout=out)
    finally:
        store.comes_back()


def test_a_folder_stays_a_folder(place: Place) -> None:
    assert place.send(head_ct()) == [0] * 12
    out = StringIO()
    call_command("storage", stdout=out)
    assert "instances stay in this folder" in out.getvalue()
    assert not isinstance(spool(), RemoteSpool)
    assert Kept.objects.count() == 0
    assert uploading.carry_all() == 0


def test_a_spool_is_whole_for_who_backs_it_up(place: Place, store: S3, tmp_path: Path) -> None:
    keys = received(place)
    uploading.carry(here())
    for key in keys[:5]:
        here().evict(key)
    whole = {key: path.read_bytes() for key, path in here().everything()}
    assert list(whole) == sorted(keys, key=lambda key: key.split("/"))
    assert whole == {key: store.content(f"site/{key}") for key in keys}
    assert local_files() == set(keys[5:])
    assert not here().is_empty()
    assert RemoteSpool(
        tmp_path / "new", ObjectStore(Address("avrop", "other/", store.endpoint)), 0
    ).is_empty()


def test_a_file_is_fetched_for_who_reads_it_on_another_host(
    place: Place, store: S3, settings: Any, tmp_path: Path
) -> None:
    first = settings.HUB_STATE_DIR
    keys = received(place)
    whole = here().path(keys[0]).read_bytes()
    of_another_host(settings, tmp_path)
    with pytest.raises(NotHereYet):
        here().fetched(keys[0])
    of_another_host(settings, first)
    uploading.carry(here())
    of_another_host(settings, tmp_path)
    assert here().fetched(keys[0]).read_bytes() == whole
    assert not here().is_outgoing(keys[0])
