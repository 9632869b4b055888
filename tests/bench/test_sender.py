"""What the benchmarks send is valid, new for each pair, and arrives byte for byte."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from bench import tcpcopy
from bench.data import Images, make_images
from bench.places import ROOT
from bench.sender import Part10, Refused, associate, read
from hub.dicom import scp
from hub.dicom.received import ReceivedInstance


class Keeping:
    """A Storage SCP of the hub that keeps what it gets, and answers with ``status``."""

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.status = scp.SUCCESS
        self.server = scp.serve(
            ae_title="HUB", bind="127.0.0.1", port=0, policy=self.policy, on_store=self.store
        )

    def policy(self, calling: str, _address: str) -> scp.Refusal | None:
        return None if calling == "BENCH" else scp.Refusal("unknown")

    def store(self, received: ReceivedInstance) -> int:
        self.received.append((received.sop_instance_uid, bytes(received.dataset)))
        return self.status


@pytest.fixture
def keeping() -> Iterator[Keeping]:
    found = Keeping()
    yield found
    found.server.shutdown()


@pytest.fixture
def images(tmp_path: Path) -> Images:
    return make_images(tmp_path / "images", 5, size=16)


def _send(port: int, *words: object) -> subprocess.CompletedProcess[bytes]:
    options = [str(word) for word in words if str(word).startswith("--") or isinstance(word, int)]
    files = [str(word) for word in words if isinstance(word, Path)]
    return subprocess.run(
        [sys.executable, "-m", "bench.sender", *options, "127.0.0.1", str(port), "HUB", *files],
        cwd=ROOT, input=b"go\n", capture_output=True, timeout=60, check=False,
    )  # fmt: skip


def _content(file: Part10) -> bytes:
    return file.path.read_bytes()[file.offset :]


def test_every_file_arrives_byte_for_byte_in_order(keeping: Keeping, images: Images) -> None:
    done = _send(keeping.server.port, *images.files)
    assert (done.returncode, done.stdout.split()) == (0, [b"ready", b"done"]), done.stderr
    files = [read(path) for path in images.files]
    assert keeping.received == [(f.sop_instance_uid.decode(), _content(f)) for f in files]
    assert len({content for _, content in keeping.received}) == 5


def test_zeros_follow_a_file_as_if_they_stood_in_it(keeping: Keeping, images: Images) -> None:
    done = _send(keeping.server.port, "--zeros", 300_001, images.files[0])
    assert done.returncode == 0, done.stderr
    ((_, content),) = keeping.received
    assert content == _content(read(images.files[0])) + bytes(300_001)


def test_a_sender_that_is_answered_with_anything_but_success_fails(
    keeping: Keeping, images: Images
) -> None:
    keeping.status = 0xB000
    assert _send(keeping.server.port, *images.files).returncode != 0
    address = ("127.0.0.1", keeping.server.port)
    with socket.create_connection(address) as connection, pytest.raises(Refused):
        associate(connection, "OTHER", read(images.files[0]))
    assert len(keeping.received) == 1


def test_each_run_has_uids_of_its_own_and_the_files_stay_valid(images: Images) -> None:
    seen: set[str] = set()
    sizes = [path.stat().st_size for path in images.files]
    for run in range(3):
        images.rename(run)
        for path in images.files:
            dataset = pydicom.dcmread(path)
            assert dataset.SOPInstanceUID == dataset.file_meta.MediaStorageSOPInstanceUID
            assert dataset.SOPInstanceUID.is_valid
            assert dataset.StudyInstanceUID.is_valid
            seen.add(dataset.SOPInstanceUID)
    assert len(seen) == 15
    assert len({pydicom.dcmread(path).StudyInstanceUID for path in images.files}) == 4
    assert [path.stat().st_size for path in images.files] == sizes


def test_some_of_the_images_are_of_all_studies_alike(tmp_path: Path) -> None:
    images = make_images(tmp_path, 16, size=16)
    some = images.first(8)
    assert sorted(path.parent.name for path in some.files) == sorted("01230123")
    assert images.first(100).files == images.files


def test_tcpcopy_keeps_the_bytes_of_each_data_set(images: Images, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(
            target=lambda: tcpcopy.serve(listener.accept()[0], store), daemon=True
        )
        thread.start()
        assert _send(listener.getsockname()[1], "--plain", *images.files).returncode == 0
        thread.join(10)
    kept = {path.read_bytes() for path in store.iterdir()}
    assert kept == {_content(read(path)) for path in images.files}
