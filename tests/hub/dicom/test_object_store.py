"""The client of an S3-compatible store, against a real one on loopback (moto's server)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.dicom.object_store import (
    Address,
    NotInStore,
    ObjectStore,
    StoreAway,
    StoreUrlUnfit,
)
from tests.fakes.s3 import S3, s3_server


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    with s3_server() as started:
        yield started


@pytest.fixture
def store(server: S3) -> ObjectStore:
    return ObjectStore(Address.of(server.url))


def put(store: ObjectStore, key: str, content: bytes, folder: Path) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    (folder / "file").write_bytes(content)
    store.put_file(key, folder / "file", sha256)
    return sha256


def got(store: ObjectStore, key: str) -> bytes:
    pieces: list[bytes] = []
    store.fetch(key, pieces.append)
    return b"".join(pieces)


def test_what_is_put_lies_below_the_prefix_and_comes_back(
    server: S3, store: ObjectStore, tmp_path: Path
) -> None:
    sha256 = put(store, "instances/a/1.dcm", b"DICM" * 1000, tmp_path)
    put(store, "objects/b.dcm", b"", tmp_path)
    assert server.held() == {"site/instances/a/1.dcm", "site/objects/b.dcm"}
    assert got(store, "instances/a/1.dcm") == b"DICM" * 1000
    assert store.holds("instances/a/1.dcm", size=4000, sha256=sha256)
    assert list(store.keys("instances/")) == ["instances/a/1.dcm"]
    with store.open("instances/a/1.dcm", 3996) as file:
        assert file.read() == b"DICM"
    for _ in range(2):
        store.delete("instances/a/1.dcm")
    with pytest.raises(NotInStore):
        got(store, "instances/a/1.dcm")
    store.delete("objects/b.dcm")


def test_other_content_is_not_held_and_not_given(
    server: S3, store: ObjectStore, tmp_path: Path
) -> None:
    sha256 = put(store, "objects/x.dcm", b"1234", tmp_path)
    assert not store.holds("objects/x.dcm", size=5, sha256=sha256)
    assert not store.holds("objects/x.dcm", size=4, sha256="0" * 64)
    assert not store.holds("objects/none.dcm", size=4, sha256=sha256)
    server.spoil("site/objects/x.dcm")
    assert not store.holds("objects/x.dcm", size=4, sha256=sha256)
    with pytest.raises(StoreAway, match="not what it was given"):
        store.require("objects/x.dcm", size=4, sha256=sha256)
    store.delete("objects/x.dcm")


def test_a_store_that_is_away_or_refuses_is_told_without_a_secret(
    server: S3, tmp_path: Path
) -> None:
    there = Address.of(server.url)
    with pytest.raises(StoreAway) as told:
        put(ObjectStore(Address("nobodys", "", server.endpoint)), "x", b"1", tmp_path)
    assert "NoSuchBucket" in str(told.value)
    away = ObjectStore(Address(there.bucket, "", "http://127.0.0.1:1"))
    with pytest.raises(StoreAway, match="does not answer"):
        away.holds("x", size=1, sha256="0" * 64)


def test_an_address_says_bucket_prefix_endpoint_and_region() -> None:
    assert Address.of("s3://images") == Address("images")
    url = "s3://images/a/b/?endpoint=https://s3.example.org:9000&region=no-1"
    assert Address.of(url) == Address("images", "a/b/", "https://s3.example.org:9000", "no-1")
    for unfit in (
        "file:///x", "s3:///x", "s3://KEY:SECRET@images", "s3://images?endpoint=ftp://x",
        "s3://images?key=1", "s3://images?region=a&region=b", "s3://images#x",
    ):  # fmt: skip
        with pytest.raises(StoreUrlUnfit):
            Address.of(unfit)
