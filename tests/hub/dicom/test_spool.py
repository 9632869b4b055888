import errno
import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pydicom
import pytest
from pydicom.uid import JPEG2000, ImplicitVRLittleEndian

from hub.dicom.digests import content_digest
from hub.dicom.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from hub.dicom.headers import UnreadableDataset, read_file_header, read_header
from hub.dicom.spool import NotInSpool, Spool, SpoolFull
from tests.hub.dicom.encoded import PACKAGED, encode, minimal, received


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool", 0)


def files(spool):
    return sorted(p for p in spool._root.rglob("*") if p.is_file())


def test_an_instance_lies_byte_for_byte_in_a_part_10_file(spool):
    packaged = (PACKAGED / "test_files" / "JPEG2000.dcm").read_bytes()
    original = pydicom.dcmread(PACKAGED / "test_files" / "JPEG2000.dcm")
    start = 132 + 12 + original.file_meta.FileMetaInformationGroupLength
    instance = received(packaged[start:], transfer_syntax_uid=JPEG2000)
    stored = spool.put(site="drammen", received=instance)
    with spool.open(stored.key) as file:
        assert file.read().endswith(instance.dataset)
    written = pydicom.dcmread(spool.path(stored.key))
    assert written == original
    meta = written.file_meta
    assert meta.TransferSyntaxUID == JPEG2000
    assert meta.MediaStorageSOPInstanceUID == original.SOPInstanceUID
    assert meta.MediaStorageSOPClassUID == original.SOPClassUID
    assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert meta.ImplementationVersionName == IMPLEMENTATION_VERSION_NAME
    assert meta.SourceApplicationEntityTitle == "CT1"
    assert stored.size == spool.path(stored.key).stat().st_size
    assert read_file_header(spool.path(stored.key)) == read_header(instance.dataset, JPEG2000)


def test_a_spool_is_closed_to_the_other_accounts_of_the_host(spool):
    assert spool._root.stat().st_mode & 0o077 == 0


def test_the_same_content_twice_is_one_file(spool):
    first = spool.put(site="drammen", received=received())
    again = spool.put(site="drammen", received=received(calling_ae_title="ANOTHER_SENDER"))
    assert (first.is_new, again.is_new) == (True, False)
    assert (again.key, again.digest, again.size) == (first.key, first.digest, first.size)
    assert len(files(spool)) == 1


@pytest.mark.parametrize("other", ["dataset", "transfer syntax"])
def test_other_content_of_the_same_uid_lies_beside_the_first(spool, other):
    first = spool.put(site="drammen", received=received())
    if other == "dataset":
        second = received(encode(minimal(PatientID="4711")))
    else:
        second = replace(
            received(encode(minimal(), ImplicitVRLittleEndian)),
            transfer_syntax_uid=ImplicitVRLittleEndian,
        )
    before = spool.path(first.key).read_bytes()
    stored = spool.put(site="drammen", received=second)
    assert stored.key != first.key
    assert stored.digest != first.digest
    assert spool.path(first.key).read_bytes() == before
    assert sorted(spool.walk()) == sorted([first.key, stored.key])


def test_two_sites_never_share_a_file(spool):
    keys = {spool.put(site=site, received=received()).key for site in ("drammen", "kongsberg")}
    assert len(keys) == 2


def test_the_digest_is_over_transfer_syntax_and_data_set_and_nothing_else(spool):
    stored = spool.put(site="drammen", received=received())
    instance = received()
    assert stored.digest == content_digest(instance.transfer_syntax_uid, instance.dataset)


def test_a_lost_row_can_be_written_again_from_the_file(spool):
    stored = spool.put(site="drammen", received=received())
    spool.set_aside(b"x", reason="odd", suffix=".dcm")
    spool.put_file(b"y", prefix="drammen/w1", suffix=".json")
    assert list(spool.walk()) == [stored.key]
    found = spool.describe(stored.key)
    assert (found.site, found.calling_ae_title, found.digest) == ("drammen", "CT1", stored.digest)
    assert found.transfer_syntax_uid == received().transfer_syntax_uid
    assert datetime.now(UTC) - found.stored_at < timedelta(minutes=1)


def test_an_unreadable_instance_leaves_nothing_in_the_spool(spool):
    with pytest.raises(UnreadableDataset):
        spool.put(site="drammen", received=received(b"garbage"))
    assert files(spool) == []


@pytest.mark.parametrize("site", ["", "..", "a/b", "Drammen", "å", "a\n"])
def test_a_site_that_is_no_slug_is_refused(spool, site):
    with pytest.raises(ValueError, match="slug"):
        spool.put(site=site, received=received())
    assert files(spool) == []


def test_below_the_floor_nothing_is_written(tmp_path):
    spool = Spool(tmp_path, 1 << 60)
    with pytest.raises(SpoolFull):
        spool.put(site="drammen", received=received())
    with pytest.raises(SpoolFull):
        spool.put_file(b"y", prefix="w1", suffix=".json")
    assert files(spool) == []
    assert spool.free_bytes() == 0


RUN_OUT = """
import resource, sys
from pathlib import Path
from hub.dicom.spool import Spool, SpoolFull
from tests.hub.dicom.encoded import encode, minimal, received
spool = Spool(Path(sys.argv[1]), 0)
small = spool.put(site="drammen", received=received())
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    spool.put(site="oslo", received=received(encode(minimal(PixelData=bytes(100_000)))))
except SpoolFull as full:
    print("full", full.size > 100_000, list(spool.walk()) == [small.key])
"""


def test_room_that_runs_out_while_writing_leaves_nothing_behind(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", RUN_OUT, tmp_path], capture_output=True, text=True, check=False
    )
    assert run.stdout == "full True True\n", run.stderr
    assert not list(tmp_path.glob("parts/*"))
    assert not (tmp_path / "instances" / "oslo").exists()


@pytest.mark.peer
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk_is_said_to_be_full_and_takes_again_when_there_is_room(tmp_path):
    mounted = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", tmp_path]
    if subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        # A floor far below nought: only the disk itself says no.
        spool = Spool(tmp_path, -(1 << 40))
        big = received(encode(minimal(PixelData=bytes(200_000))))
        first = spool.put(site="drammen", received=big)
        with pytest.raises(SpoolFull):
            spool.put(site="oslo", received=big)
        assert [p.name for p in files(spool)] == [spool.path(first.key).name]
        spool.delete(first.key)
        assert spool.put(site="oslo", received=big).is_new
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_file_cut_short_by_a_loss_of_power_is_written_again(spool):
    stored = spool.put(site="drammen", received=received())
    whole = spool.path(stored.key).read_bytes()
    for length in (0, 10, len(whole) - 1):
        spool.path(stored.key).write_bytes(whole[:length])
        with pytest.raises(NotInSpool):
            spool.describe(stored.key)
        assert spool.put(site="drammen", received=received()).is_new
        assert spool.path(stored.key).read_bytes() == whole


def test_a_file_of_the_right_length_and_other_content_is_written_again(spool):
    stored = spool.put(site="drammen", received=received())
    whole = spool.path(stored.key).read_bytes()
    spool.path(stored.key).write_bytes(whole[:-8] + bytes(8))
    with pytest.raises(NotInSpool):
        spool.describe(stored.key)
    assert spool.put(site="drammen", received=received()).is_new
    assert spool.path(stored.key).read_bytes() == whole


def test_a_disk_that_fails_to_sync_leaves_no_file_that_looks_kept(spool, monkeypatch):
    def fail(descriptor):
        raise OSError(errno.EIO, "lost")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="lost"):
        spool.put(site="drammen", received=received())
    assert files(spool) == []


def test_what_is_set_aside_keeps_its_bytes_and_the_reason(spool):
    key = spool.set_aside(
        b"\0\xffgarbage", reason="is missing", suffix=".dcm", details={"calling_ae_title": "CT1"}
    )
    again = spool.set_aside(b"\0\xffgarbage", reason="other", suffix=".dcm")
    assert key != again
    with spool.open(key) as file:
        assert file.read() == b"\0\xffgarbage"
    note = json.loads(spool.path(key).with_suffix(".json").read_text())
    assert note["reason"] == "is missing"
    assert note["details"] == {"calling_ae_title": "CT1"}
    assert datetime.fromisoformat(note["set_aside_at"]).tzinfo is not None
    assert note["size"] == 9


@pytest.mark.parametrize("suffix", ["", ".json", "/../x", ".DCM", "dcm"])
def test_an_odd_suffix_cannot_lead_anywhere_or_overwrite_the_note(spool, suffix):
    key = spool.set_aside(b"bytes", reason="odd", suffix=suffix)
    assert key.endswith(".bin")
    assert spool.path(key).read_bytes() == b"bytes"
    assert len(files(spool)) == 2


def test_what_the_hub_writes_lies_under_its_prefix(spool):
    stored = spool.put_file(b"{}", prefix="drammen/1.2.3/../w1", suffix=".json")
    again = spool.put_file(b"{}", prefix="drammen/1.2.3/../w1", suffix=".json")
    assert again.key == stored.key
    assert re.fullmatch(
        r"objects/drammen/[0-9a-f]{16}/[0-9a-f]{16}/w1/[0-9a-f]{64}.json", again.key
    )
    assert spool.path(stored.key).read_bytes() == b"{}"


@pytest.mark.parametrize(
    "key",
    ["", "/etc/passwd", "instances/../../etc/passwd", "instances", "parts/x.part", "instances//x"],
)
def test_no_key_leads_out_of_the_spool(spool, key):
    with pytest.raises(NotInSpool):
        spool.path(key)


def test_what_is_deleted_is_gone_with_its_folders(spool):
    stored = spool.put(site="drammen", received=received())
    spool.delete(stored.key)
    spool.delete(stored.key)
    with pytest.raises(NotInSpool):
        spool.open(stored.key)
    assert not (spool._root / "instances" / "drammen").exists()
    assert (spool._root / "instances").exists()
    assert spool.put(site="drammen", received=received()).key == stored.key


def test_sweep_takes_only_what_was_interrupted_an_hour_ago(spool):
    stored = spool.put(site="drammen", received=received())
    old, new = spool._root / "parts" / "old.part", spool._root / "parts" / "new.part"
    for part in (old, new):
        part.write_bytes(b"half")
    an_hour_ago = (datetime.now(UTC) - timedelta(minutes=61)).timestamp()
    for path in (old, spool.path(stored.key)):
        os.utime(path, (an_hour_ago, an_hour_ago))
    assert spool.sweep() == 1
    assert (old.exists(), new.exists()) == (False, True)
    assert list(spool.walk()) == [stored.key]


def test_threads_that_put_and_delete_the_same_never_get_in_each_others_way(tmp_path):
    spool = Spool(tmp_path, 0, sync=False)
    failures = []

    def work(number):
        try:
            for turn in range(60):
                instance = received(encode(minimal(SOPInstanceUID=f"1.2.{number}.{turn % 3}")))
                spool.delete(spool.put(site="drammen", received=instance).key)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert files(spool) == []


KILLED = """
import sys
from pathlib import Path
from hub.dicom.spool import Spool
from tests.hub.dicom.encoded import encode, minimal, received
spool, number = Spool(Path(sys.argv[1]), 0), 0
while True:
    number += 1
    dataset = encode(minimal(SOPInstanceUID=f"1.2.{number}", PixelData=bytes(300_000)))
    print(spool.put(site="drammen", received=received(dataset)).key, flush=True)
"""


def test_killed_at_any_moment_every_file_is_whole_and_every_answered_one_is_there(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path], stdout=subprocess.PIPE, text=True
    )
    answered = [process.stdout.readline().strip() for _ in range(20)]
    process.kill()
    answered += process.stdout.read().splitlines()
    process.wait()
    process.stdout.close()
    spool = Spool(tmp_path, 0)
    kept = list(spool.walk())
    assert set(answered) <= set(kept)
    for key in kept:
        assert len(pydicom.dcmread(spool.path(key)).PixelData) == 300_000
