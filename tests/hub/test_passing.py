"""What the system lacks for a moment is told as that, and as nothing about file or peer."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import NoReturn

import pytest
from pydicom.dataset import Dataset

from hub.dicom import scp, validate
from hub.dicom.deidentify import CopyNotWritten, NoMeansForCopy, deidentify_file
from hub.dicom.instance_reading import read_patiently
from hub.dicom.objects import swells, uids_of_objects
from hub.dicom.reidentify import reidentify_file
from hub.dicom.spool import Spool
from hub.passing import is_of_the_system, is_scarcity
from tests.fakes.scarcity import NO_MORE_FILES, no_more_files
from tests.hub.dicom.encoded import encode, minimal
from tests.hub.dicom.listening import Hub
from tests.hub.dicom.pseudonym_cases import ct, pseudonymiser, save
from tests.hub.dicom.returned_cases import secondary_capture, write
from tests.hub.dicom.test_reidentify import originals
from tests.hub.dicom.test_validate import EXPECTED


def in_other_words(cause: BaseException) -> Exception:
    fault = ValueError("not done")
    fault.__cause__ = cause
    return fault


@pytest.mark.parametrize(
    ("fault", "is_scarce", "is_the_systems"),
    [
        (NO_MORE_FILES, True, True),
        (BlockingIOError(errno.EAGAIN, "no process"), True, True),
        (OSError(errno.ENOMEM, "no memory"), True, True),
        (RuntimeError("can't start new thread"), True, True),
        (in_other_words(NO_MORE_FILES), True, True),
        (OSError(errno.EIO, "broken"), False, True),
        (OSError(errno.ENOSPC, "full"), False, True),
        (MemoryError(), False, True),
        (FileNotFoundError(errno.ENOENT, "gone"), False, False),
        (OSError("as pydicom says it of a file"), False, False),
        (ValueError("no"), False, False),
    ],
)
def test_a_fault_is_of_the_moment_of_the_system_or_of_the_file(
    fault: Exception, is_scarce: bool, is_the_systems: bool
) -> None:
    assert (is_scarcity(fault), is_of_the_system(fault)) == (is_scarce, is_the_systems)


def test_an_original_that_cannot_be_opened_now_is_not_called_unfit(tmp_path: Path) -> None:
    source = save(ct(), tmp_path / "original.dcm")
    with no_more_files(), pytest.raises(NoMeansForCopy):
        deidentify_file(source, tmp_path / "copy.dcm", pseudonymiser=pseudonymiser())
    with no_more_files(), pytest.raises(OSError, match="Too many open files"):
        read_patiently(source)
    deidentify_file(source, tmp_path / "copy.dcm", pseudonymiser=pseudonymiser())


def test_an_original_for_which_there_is_no_memory_is_not_called_unfit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_given: object) -> NoReturn:
        raise MemoryError

    monkeypatch.setattr("hub.dicom.deidentify.read_plain", no_memory)
    source = save(ct(), tmp_path / "original.dcm")
    with pytest.raises(CopyNotWritten):
        deidentify_file(source, tmp_path / "copy.dcm", pseudonymiser=pseudonymiser())


def test_a_result_that_cannot_be_opened_now_is_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(secondary_capture(), tmp_path / "returned.dcm")
    with no_more_files():
        with pytest.raises(OSError, match="Too many open files"):
            reidentify_file(path, tmp_path / "turned.dcm", originals=originals())
        with pytest.raises(OSError, match="Too many open files"):
            swells(path)
        with pytest.raises(OSError, match="Too many open files"):
            uids_of_objects([path])

    def none_left(*_given: object, **_how: object) -> Dataset:
        raise NO_MORE_FILES

    monkeypatch.setattr(validate.pydicom, "dcmread", none_left)
    with pytest.raises(OSError, match="Too many open files"):
        validate.validate_returned(path, expected=EXPECTED)


def test_a_spool_that_cannot_be_looked_into_is_not_called_empty(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 0)
    spool.put_file(b"x", prefix="north", suffix=".dcm")
    with no_more_files():
        with pytest.raises(OSError, match="Too many open files"):
            spool.is_empty()
        with pytest.raises(OSError, match="Too many open files"):
            list(spool.walk())
    assert not spool.is_empty()


def test_a_sender_is_told_to_come_again_where_the_system_has_no_more_files() -> None:
    hub = Hub()
    hub.answer = NO_MORE_FILES  # type: ignore[assignment]
    try:
        assert hub.store(encode(minimal())) == scp.OUT_OF_RESOURCES
    finally:
        hub.server.shutdown(0)
