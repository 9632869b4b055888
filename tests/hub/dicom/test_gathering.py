"""A data set too large for memory arrives on disk, whole, or is refused for want of room."""

import os
from contextlib import contextmanager
from dataclasses import replace

import pytest

from hub.dicom import scp
from hub.dicom.spool import Spool
from tests.hub.dicom.encoded import encode, minimal
from tests.hub.dicom.listening import QUICK, Hub, send

LARGE = encode(minimal(PatientID="4711", PixelData=bytes(range(256)) * 4096))
SMALL = encode(minimal(PatientID="4711"))


@contextmanager
def listening(spool, *, free=lambda: 1 << 40):
    overflow = scp.Overflow(spool.open_nameless, free, beyond=100_000)
    hub = Hub(limits=replace(QUICK, overflow=overflow))
    try:
        yield hub
    finally:
        hub.server.shutdown(0)


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool", 0)


def test_a_large_data_set_comes_by_way_of_a_file_and_a_small_one_does_not(spool):
    with listening(spool) as hub:
        assert hub.store(LARGE) == hub.store(SMALL) == scp.SUCCESS
        large, small = hub.instances
    assert isinstance(large.dataset, memoryview)
    assert large.dataset == LARGE
    assert small.dataset == SMALL


def test_it_is_kept_as_it_would_be_from_memory(spool, tmp_path):
    with listening(spool) as hub:
        hub.store(LARGE)
        (large,) = hub.instances
    stored = spool.put(site="drammen", received=large)
    assert spool.path(stored.key).read_bytes().endswith(LARGE)
    other = Spool(tmp_path / "other", 0)
    assert other.put(site="drammen", received=replace(large, dataset=LARGE)).key == stored.key
    key = spool.set_aside(large.dataset, reason="any", suffix=".dataset")
    assert spool.path(key).read_bytes() == LARGE
    # what it arrived in has no name that a killed process could leave behind
    assert os.listdir(tmp_path / "spool" / "parts") == []


@pytest.mark.parametrize("room", [0, 200_000])
def test_without_room_it_is_refused_and_the_association_goes_on(spool, room):
    with listening(spool, free=lambda: room) as hub:
        association = hub.associate(("1.2.840.10008.5.1.4.1.1.2", None))
        assert send(association, LARGE) == scp.OUT_OF_RESOURCES
        assert send(association, SMALL) == scp.SUCCESS
        association.release()
        assert len(hub.instances) == 1
