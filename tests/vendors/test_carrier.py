"""The tar that travels: what is packed comes out the same, and nothing leads out of its folder."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vendors.performers import carrier
from vendors.performers.carrier import Bounds, Unfit, pack, unpack

MUCH = Bounds(1 << 40)


def tar_of(*entries: tuple[str, dict[str, Any], bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar as Python's own library writes it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        for name, fields, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in fields.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes()
            for one in folder.rglob("*") if one.is_file() and not one.is_symlink()}  # fmt: skip


def test_what_is_packed_comes_out_the_same_and_twice_alike(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    deep = source / "dicom" / ("long-" * 30) / ("æøå-" * 30)
    deep.mkdir(parents=True)
    target.mkdir()
    (source / "empty").touch()
    (source / "nothing").mkdir()
    (deep / "000001.dcm").write_bytes(os.urandom(1_300_001))
    (deep / "513").write_bytes(b"x" * 513)
    packed = b"".join(pack(str(source), MUCH))
    assert unpack(io.BytesIO(packed).read, str(target), MUCH) == (3, 1_300_514)
    assert files_below(target) == files_below(source)
    assert (target / "nothing").is_dir()
    for one in source.rglob("*"):
        os.utime(one, (1, 1))
    assert b"".join(pack(str(source), MUCH)) == packed
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert sum(one.isfile() for one in tar) == 3


def test_links_and_pipes_of_an_algorithm_are_not_packed(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "findings.json").write_text("{}")
    (tmp_path / "out" / "link").symlink_to("/etc/passwd")
    (tmp_path / "out" / "folder").symlink_to("/etc")
    os.mkfifo(tmp_path / "out" / "pipe")
    packed = b"".join(pack(str(tmp_path / "out"), MUCH))
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert tar.getnames() == ["findings.json"]


EVIL: dict[str, tuple[bytes, str]] = {
    "a link": (tar_of(("a", {"type": tarfile.SYMTYPE, "linkname": "/etc"}, b"")), "link"),
    "a hard link": (tar_of(("a", {"type": tarfile.LNKTYPE, "linkname": "b"}, b"")), "link"),
    "a device": (tar_of(("a", {"type": tarfile.CHRTYPE}, b"")), "device"),
    "a pipe": (tar_of(("a", {"type": tarfile.FIFOTYPE}, b"")), "neither file nor folder"),
    "an absolute path": (tar_of(("/etc/x", {}, b"1")), "leads out"),
    "a way up": (tar_of(("a/../../x", {}, b"1")), "leads out"),
    "a way up in a long name": (tar_of(("a/" * 90 + "../x", {}, b"1")), "leads out"),
    "a folder above": (tar_of(("..", {"type": tarfile.DIRTYPE}, b"")), "leads out"),
    "a name with a line feed": (tar_of(("a\nb", {}, b"1")), "not printable"),
    "a name of 2000 bytes": (tar_of(("a" * 2000, {}, b"1")), "too long"),
    "a name twice": (tar_of(("a", {}, b"1"), ("a", {}, b"2")), "twice"),
    "a file as a folder": (tar_of(("a", {}, b"1"), ("a/b", {}, b"2")), "twice"),
    "a folder as a file": (tar_of(("a/b", {}, b"1"), ("a", {}, b"2")), "twice"),
    "a long name of GNU": (tar_of(("a" * 200, {}, b"1"), form=tarfile.GNU_FORMAT), "neither"),
    "more files than may be": (tar_of(*((f"{n}", {}, b"") for n in range(11))), "more than 10"),
    "more bytes than may be": (tar_of(("a", {}, b"1" * 1001)), "more than 1000"),
    "no tar": (b"PK\3\4" + b"x" * 2000, "no tar"),
    "nothing": (b"", "cut off"),
    "half of it": (tar_of(("a", {}, b"1" * 900))[:700], "cut off"),
    "without an end": (tar_of(("a", {}, b"1" * 9))[:1024], "cut off"),
    "something after its end": (tar_of(("a", {}, b"1")) + b"more", "after its end"),
    "a header of a gigabyte": (
        tar_of(("a", {"pax_headers": {"comment": "x" * 70_000}}, b"1")), "header of its own size",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EVIL)
def test_an_evil_tar_is_refused_alike_looked_at_and_laid_out(name: str, tmp_path: Path) -> None:
    data, why = EVIL[name]
    (tmp_path / "in").mkdir()
    for folder in (None, str(tmp_path / "in")):
        with pytest.raises(Unfit, match=why):
            unpack(io.BytesIO(data).read, folder, Bounds(1000, entries=10))
    assert {one.name for one in tmp_path.iterdir()} == {"in"}


@given(st.binary(max_size=1500), st.integers(0, 1024), st.integers(0, 3))
def test_whatever_comes_is_a_tar_or_is_refused(data: bytes, place: int, end: int) -> None:
    whole = tar_of(("a/b", {}, b"12345"), ("æ" * 120, {}, b"1"))
    broken = whole[:place] + data + whole[place + len(data) * end // 3 :]
    try:
        files, size = unpack(io.BytesIO(broken).read, None, Bounds(1 << 20, 100))
    except Unfit:
        return
    assert files <= 100
    assert size <= 1 << 20


def test_a_file_with_a_hole_takes_no_memory(tmp_path: Path) -> None:
    """Half a gigabyte through a program that may have 100 MiB of data."""
    (tmp_path / "in").mkdir()
    with (tmp_path / "in" / "big").open("wb") as file:
        file.truncate(512 << 20)
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_DATA, (100 << 20,) * 2)\n"
        f"sys.path.insert(0, {os.path.dirname(carrier.__file__)!r}); import carrier\n"
        f"pieces = carrier.pack({str(tmp_path / 'in')!r}, carrier.Bounds(1 << 40))\n"
        "rest = b''\n"
        "def read(size):\n"
        "    global rest\n"
        "    rest = rest or next(pieces, b'')\n"
        "    given, rest = rest[:size], rest[size:]\n"
        "    return given\n"
        "print(carrier.unpack(read, None, carrier.Bounds(1 << 40)))\n"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == f"(1, {512 << 20})", done.stderr


def test_called_wrongly_it_says_so_and_exits_with_64(tmp_path: Path) -> None:
    program = [sys.executable, "-I", "-S", carrier.__file__]
    for words in (["stage"], ["fetch"], [
        "stage", "--url", "http://127.0.0.1:1/", "--token-file", str(tmp_path / "none"),
        "--folder", str(tmp_path),
    ]):  # fmt: skip
        done = subprocess.run([*program, *words], capture_output=True, text=True)
        assert done.returncode == carrier.MISUSED
        assert "carrier: not called as it must be" in done.stderr


def test_a_hub_that_is_not_there_is_tried_until_the_time_is_over(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    done = subprocess.run(
        [sys.executable, "-I", "-S", carrier.__file__, "collect", "--url", "http://127.0.0.1:1/x",
         "--token-file", str(tmp_path / "token"), "--folder", str(tmp_path), "--seconds", "1"],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == carrier.AWAY
    assert "gave up on the hub" in done.stderr
    assert "refused" in done.stderr
