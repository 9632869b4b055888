"""A data set too large for memory arrives on disk, whole, or is refused for want of room."""

import os
import sys
import threading
import time
import tracemalloc
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO

import pydicom
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage
from pynetdicom.dimse_primitives import C_STORE

from hub.dicom import scp
from hub.dicom.digests import content_digest
from hub.dicom.durable import DurableFiles
from hub.dicom.gathering import Gathering
from hub.dicom.headers import require_whole
from hub.dicom.received import LargeDataset
from hub.dicom.spool import Spool
from tests.hub.dicom.encoded import encode, minimal, received
from tests.hub.dicom.listening import QUICK, Hub, send

LARGE = encode(minimal(PatientID="4711", PixelData=bytes(range(256)) * 4096))
SMALL = encode(minimal(PatientID="4711"))


@contextmanager
def listening(spool, *, free=lambda: 1 << 40, **options):
    landing = scp.Landing(spool.open_part, free, beyond=100_000)
    hub = Hub(limits=replace(QUICK, landing=landing), **options)
    try:
        yield hub
    finally:
        hub.server.shutdown(0)


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool", 0)


@pytest.mark.skipif(sys.platform != "linux", reason="sync_file_range(2) is Linux's")
@pytest.mark.parametrize("sync", [True, False])
def test_the_disk_begins_before_it_is_waited_for_where_it_is_waited_for(tmp_path, sync):
    part = DurableFiles(tmp_path / "spool", parts="parts", sync=sync).open_part()
    part.write(LARGE)
    assert part.begin_sync() is sync
    part.sync()
    part.discard()


def parts(spool):
    return os.listdir(spool._root / "parts")


def test_a_large_data_set_comes_on_disk_and_is_kept_as_it_would_be_from_memory(spool, tmp_path):
    other, kept = Spool(tmp_path / "other", 0), []

    def on_store(received):
        assert isinstance(received.dataset, LargeDataset) is (len(received.dataset) > 100_000)
        require_whole(received.dataset, received.transfer_syntax_uid)
        key = spool.set_aside(received.dataset, reason="any", suffix=".dataset")
        assert spool.path(key).read_bytes() in (LARGE, SMALL)
        kept.append(spool.put(site="drammen", received=received))
        return scp.SUCCESS

    with listening(spool, on_store=on_store) as hub:
        assert hub.store(LARGE) == hub.store(SMALL) == scp.SUCCESS
    for stored, dataset in zip(kept, (LARGE, SMALL), strict=True):
        of_memory = other.put(site="drammen", received=received(dataset))
        assert stored == of_memory
        assert spool.path(stored.key).read_bytes() == other.path(stored.key).read_bytes()
    assert parts(spool) == []


def test_the_same_large_data_set_twice_is_one_file_and_no_rest(spool):
    kept = []

    def on_store(received):
        kept.append(spool.put(site="drammen", received=received))
        return scp.SUCCESS

    with listening(spool, on_store=on_store) as hub:
        assert hub.store(LARGE) == hub.store(LARGE) == scp.SUCCESS
    assert [stored.is_new for stored in kept] == [True, False]
    assert kept[0].key == kept[1].key
    assert parts(spool) == []


def test_a_command_that_names_another_class_does_not_get_into_the_file(spool):
    kept = []

    def on_store(received):
        kept.append(spool.put(site="drammen", received=received))
        return scp.SUCCESS

    with listening(spool, on_store=on_store) as hub:
        assert hub.store(LARGE, sop_class=MRImageStorage) == scp.SUCCESS
    meta = pydicom.dcmread(spool.path(kept[0].key)).file_meta
    assert meta.MediaStorageSOPClassUID == CTImageStorage
    assert parts(spool) == []


def test_a_large_data_set_that_breaks_off_leaves_nothing(spool):
    with listening(spool) as hub:
        association = hub.associate((CTImageStorage, None))
        request = C_STORE()
        request.MessageID, request.Priority = 1, 0
        request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CTImageStorage, "1.2.3.4"
        request.DataSet = BytesIO(bytes(20_000_000))
        sending = threading.Thread(target=association.dimse.send_msg, args=(request, 1))
        sending.start()
        until = time.monotonic() + 5
        while not parts(spool) and time.monotonic() < until:
            time.sleep(0.001)
        assert len(parts(spool)) == 1
        hub.server.shutdown(0)
        sending.join()
    assert parts(spool) == []
    assert hub.instances == []


def test_a_large_data_set_takes_a_few_megabytes_of_memory_while_it_comes(spool):
    gathering = Gathering(scp.Landing(spool.open_part, lambda: 1 << 40))
    tracemalloc.start()
    try:
        gathering.begin(ExplicitVRLittleEndian, b"")
        for _ in range(400):
            gathering.took(gathering.room(100_000))
        assert isinstance(gathering.content(), LargeDataset)
        _, highest = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gathering.forget()
    assert highest < 15_000_000


def test_the_content_is_hashed_as_it_comes(spool):
    with listening(spool) as hub:
        hub.store(LARGE)
        hub.store(SMALL)
        given = [one.digest for one in hub.instances]
    assert given == [content_digest(ExplicitVRLittleEndian, one) for one in (LARGE, SMALL)]


def test_memory_that_somebody_still_looks_at_is_not_used_again(spool):
    with listening(spool) as hub:
        association = hub.associate((CTImageStorage, None))
        others = [encode(minimal(PatientID=str(number))) for number in range(5)]
        assert [send(association, other) for other in others] == [scp.SUCCESS] * 5
        association.release()
        assert [bytes(one.dataset) for one in hub.instances] == others


@pytest.mark.parametrize("room", [0, 200_000])
def test_without_room_it_is_refused_and_the_association_goes_on(spool, room):
    with listening(spool, free=lambda: room) as hub:
        association = hub.associate(("1.2.840.10008.5.1.4.1.1.2", None))
        assert send(association, LARGE) == scp.OUT_OF_RESOURCES
        assert send(association, SMALL) == (scp.SUCCESS if room else scp.OUT_OF_RESOURCES)
        association.release()
        assert len(hub.instances) == bool(room)
    assert parts(spool) == []


def test_a_small_data_set_is_on_disk_while_it_comes_and_is_the_file_that_is_kept(spool):
    gathering = Gathering(scp.Landing(spool.open_part, lambda: 1 << 40))
    gathering.begin(ExplicitVRLittleEndian, b"meta")
    piece = gathering.room(3)
    piece[:] = b"abc"
    gathering.took(piece)
    piece.release()

    lying = gathering.lying()
    assert lying is not None
    assert [os.path.basename(lying.part.path)] == parts(spool)
    with lying.part.open() as file:
        assert file.read() == b"metaabc"
    assert bytes(gathering.content()) == b"abc"
    gathering.release()
    assert parts(spool) == []
