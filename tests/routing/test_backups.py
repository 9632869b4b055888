"""A backup is whole and sound or refused, and is put back only where nothing is lost by it."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub import dumping
from hub.dumping import DumpFailed
from hub.models import AuditEvent
from routing.backups import making, manifest, restoring
from routing.backups.making import Made
from routing.backups.manifest import BackupRefused, Manifest
from routing.backups.verifying import verify
from routing.exclusion import alone
from routing.models import Arrived, Instance
from routing.places import spool
from tests.builders.studies import head_ct
from tests.routing.conftest import Place


def make(root: Path, **how: Any) -> Made:
    return making.make(root, actor="test", **how)


def keys_of(folder: Path) -> set[str]:
    return {entry.key for entry in manifest.entries(folder)}


def rows() -> set[str]:
    """The keys that rows refer to."""
    return {key for model in (Arrived, Instance) for (key,) in model.objects.values_list("key")}


def damage(path: Path) -> None:
    """One bit falls over; size and times stay, and so does whatever shares the file by a link."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink()
    path.write_bytes(content)


def test_a_backup_has_the_database_and_every_file_that_its_rows_refer_to(
    place: Place, tmp_path: Path
) -> None:
    place.send(head_ct(slices=4))
    made = make(tmp_path)
    assert keys_of(made.folder) == rows()
    assert verify(made.folder) == made.manifest
    assert (made.manifest.files, made.manifest.missing, made.copied) == (4, 0, 4)
    assert made.folder.stat().st_mode & 0o077 == 0
    told = AuditEvent.objects.get(action="backup.made").details
    assert (told["files"], told["missing"]) == (4, 0)


def test_the_next_backup_copies_what_is_new_and_stands_by_itself(
    place: Place, tmp_path: Path
) -> None:
    study = head_ct(slices=4)
    place.send(study[:3])
    first = make(tmp_path)
    older = first.folder.rename(tmp_path / "20200101T000000Z")
    place.send(study[3:])
    second = make(tmp_path)
    assert (second.manifest.files, second.copied) == (4, 1)
    shutil.rmtree(older)
    verify(second.folder)
    assert keys_of(second.folder) == rows()


def test_a_file_that_the_one_before_has_damaged_is_not_taken_from_there(
    place: Place, tmp_path: Path
) -> None:
    place.send(head_ct(slices=3))
    first = make(tmp_path)
    damaged = first.folder / "spool" / min(rows())
    damage(damaged)
    with pytest.raises(BackupRefused, match="its content is not what was backed up"):
        verify(first.folder)
    first.folder.rename(tmp_path / "20200101T000000Z")
    assert make(tmp_path, is_full=True).copied == 3


def test_what_the_spool_itself_has_lost_or_spoiled_is_told(place: Place, tmp_path: Path) -> None:
    place.send(head_ct(slices=4))
    lost, spoiled, *_sound = sorted(rows())
    spool().path(lost).unlink()
    damage(spool().path(spoiled))
    made = make(tmp_path)
    assert made.manifest.missing == 2
    assert set(manifest.keys(made.folder / manifest.MISSING)) == {lost, spoiled}
    # It is as whole as it could be, and says so each time.
    assert verify(made.folder).missing == 2
    made.folder.rename(tmp_path / "20200101T000000Z")
    assert set(manifest.keys(make(tmp_path).folder / manifest.MISSING)) == {lost, spoiled}


def drop(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def database_of(folder: Path) -> Path:
    return next(folder.glob("database.*"))


def a_file_of(folder: Path) -> Path:
    return next(path for path in (folder / "spool").rglob("*") if path.is_file())


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no manifest": (drop("manifest.json"), "it is no whole backup"),
    "half a manifest": (
        lambda folder: os.truncate(folder / "manifest.json", 200), "cannot be read"
    ),
    "another list": (lambda folder: damage(folder / "files.txt"), "files.txt: its content is not"),
    "no list": (drop("referred.txt"), "referred.txt: it is missing"),
    "another database": (lambda folder: damage(database_of(folder)), "its content is not what"),
    "a file too few": (lambda folder: a_file_of(folder).unlink(), "it is missing"),
    "a file too short": (lambda folder: os.truncate(a_file_of(folder), 9), "its content is not"),
    "a file too many": (
        lambda folder: (folder / "spool" / "one.dcm").touch(), "files that were not backed up"
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_backup_that_is_not_whole_or_not_sound_is_refused(
    place: Place, tmp_path: Path, fault: str
) -> None:
    place.send(head_ct(slices=2))
    folder = make(tmp_path).folder
    spoil, says = FAULTS[fault]
    spoil(folder)
    with pytest.raises(BackupRefused, match=says):
        verify(folder)


def test_another_key_and_another_hand_are_refused(
    place: Place, tmp_path: Path, settings: Any
) -> None:
    made = make(tmp_path)
    settings.SECRET_KEY = settings.SECRET_KEY[::-1]
    with pytest.raises(BackupRefused, match="made under another HUB_SECRET_KEY"):
        verify(made.folder)
    assert verify(made.folder, accept_another_key=True) == made.manifest


def test_a_backup_that_is_interrupted_is_none(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.send(head_ct(slices=2))

    def no_room(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device", "files")

    with monkeypatch.context() as patched:
        patched.setattr(os, "sync", no_room)
        with pytest.raises(BackupRefused, match="No space left on device; there is no backup"):
            make(tmp_path)
    assert manifest.whole_ones(tmp_path) == []
    assert list(tmp_path.glob("*.partial")) != []
    made = make(tmp_path)
    assert list(tmp_path.iterdir()) == [made.folder]


def test_of_two_backups_at_once_one_is_refused(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "_PATIENCE", 0.0)
    with alone(), pytest.raises(BackupRefused, match="another backup is being made"):
        make(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_oldest_go_and_the_newest_stay(place: Place, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    for day in range(1, 4):
        make(tmp_path).folder.rename(tmp_path / f"2020010{day}T000000Z")
    making.remove_older(tmp_path, keep=2)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"notes", "20200102T000000Z", "20200103T000000Z"}


def test_a_place_with_anything_in_it_is_refused_and_left_as_it_is(
    place: Place, tmp_path: Path
) -> None:
    folder = make(tmp_path).folder
    place.send(head_ct(slices=2))
    with pytest.raises(BackupRefused) as refused:
        restoring.restore(folder, actor="test")
    assert [reason.split(" (")[0] for reason in refused.value.reasons] == [
        "the database is not empty", f"{spool().root} is not empty"
    ]  # fmt: skip
    with pytest.raises(DumpFailed, match="the database is not empty"):
        dumping.put_back(folder / "database.sqlite3")
    assert len(rows()) == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"vendor": "oracle"}, "it is of oracle, and HUB_DATABASE_URL names"),
        ({"migrations": ["routing.9999_later"]}, "a newer version, which has routing.9999_later"),
    ],
)
def test_what_does_not_fit_this_hub_is_refused(
    place: Place, tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    told: Manifest = make(tmp_path).manifest
    restoring._must_fit(tmp_path, told)
    with pytest.raises(BackupRefused, match=says):
        restoring._must_fit(tmp_path, dataclasses.replace(told, **change))


def test_a_backup_into_the_spool_itself_is_refused(place: Place) -> None:
    with pytest.raises(BackupRefused, match="it lies in the spool"):
        make(spool().root / "backups")


def test_files_put_back_keep_their_times_but_for_those_that_must_be_taken_in(
    place: Place, tmp_path: Path, settings: Any
) -> None:
    place.send(head_ct(slices=3))
    for key in rows():
        os.utime(spool().path(key), (1_000_000_000, 1_000_000_000))
    without = min(rows())
    for model in (Arrived, Instance):
        model.objects.filter(key=without).delete()
    folder = make(tmp_path).folder
    settings.HUB_STORAGE_URL = f"file://{tmp_path}/new"
    restoring._put_files_back(folder, restoring._referred(folder))
    kept = {key for key, path in spool().everything() if path.stat().st_mtime == 1_000_000_000}
    # healing.heal() looks back two days for what has no row
    assert kept == rows()
    assert spool().path(without).stat().st_mtime > 1_700_000_000
    assert {key for key, _path in spool().everything()} == {without, *rows()}
