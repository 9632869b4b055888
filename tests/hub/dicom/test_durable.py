"""Of two who write the same file at once, one that fails takes nothing from the other."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hub.dicom.durable import DurableFiles, Part


@pytest.fixture
def files(tmp_path: Path) -> DurableFiles:
    return DurableFiles(tmp_path / "spool", parts="parts", sync=True)


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    """As in a process that has as many files open as it may."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def part_of(files: DurableFiles, content: bytes) -> Part:
    part = files.open_part()
    part.write(content)
    return part


def place_of(files: DurableFiles, tmp_path: Path) -> Path:
    path = tmp_path / "spool" / "instances" / "oslo" / "one.dcm"
    files.make_folder(path.parent)
    return path


def test_who_fails_takes_nothing_away_that_another_has_kept(
    files: DurableFiles, tmp_path: Path
) -> None:
    """Both looked before either had written; the first was told that it is kept."""
    path = place_of(files, tmp_path)
    late = part_of(files, b"content")
    files.write(path, b"content")
    with no_more_descriptors(), pytest.raises(OSError, match="Too many open files"):
        files.keep(late, path)
    late.discard()
    assert path.read_bytes() == b"content"
    assert not list(tmp_path.glob("spool/parts/*"))


def test_who_fails_alone_leaves_nothing_that_looks_kept(
    files: DurableFiles, tmp_path: Path
) -> None:
    path = place_of(files, tmp_path)
    part = part_of(files, b"content")
    with no_more_descriptors(), pytest.raises(OSError, match="Too many open files"):
        files.keep(part, path)
    part.discard()
    assert not path.exists()
    assert not list(tmp_path.glob("spool/parts/*"))


class FailingPart(Part):
    """One whose disk fails as it is synced, after something else has happened."""

    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def sync(self) -> None:
        self.meanwhile()
        raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("does", ["confirms", "writes"])
def test_what_another_made_durable_meanwhile_stays(
    files: DurableFiles, tmp_path: Path, does: str
) -> None:
    path = place_of(files, tmp_path)
    part = FailingPart(str(tmp_path / "spool" / "parts" / "one.part"), sync=True)
    part.write(b"content")
    acts = {"confirms": lambda: files.confirm(path), "writes": lambda: files.write(path, b"same")}
    part.meanwhile = acts[does]
    with pytest.raises(OSError, match="Input/output error"):
        files.keep(part, path)
    part.discard()
    assert path.read_bytes() == (b"content" if does == "confirms" else b"same")
    assert not list(tmp_path.glob("spool/parts/*"))


def test_nothing_takes_the_place_of_a_file_before_it_is_durable(
    files: DurableFiles, tmp_path: Path
) -> None:
    path = place_of(files, tmp_path)
    files.write(path, b"kept")
    part = FailingPart(str(tmp_path / "spool" / "parts" / "one.part"), sync=True)
    part.write(b"never whole on disk")
    with pytest.raises(OSError, match="Input/output error"):
        files.keep(part, path)
    part.discard()
    assert path.read_bytes() == b"kept"
