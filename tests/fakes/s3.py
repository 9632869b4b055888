"""An S3-compatible server on loopback (moto's), which can go away and come back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
from moto.server import ThreadedMotoServer

from tests.fakes.ports import free_ports

ACCESS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "only-for-tests"}
_BUCKET = "avrop"


class Bucket:
    """One bucket of a store on a port of this host, and what a stranger sees in it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.endpoint = f"http://127.0.0.1:{port}"
        self.client = boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1")
        self.client.create_bucket(Bucket=_BUCKET)

    @property
    def url(self) -> str:
        return self.url_by(self.port)

    def url_by(self, port: int, prefix: str = "site") -> str:
        """For HUB_STORAGE_URL, by another way to the same bucket."""
        return f"s3://{_BUCKET}/{prefix}?endpoint=http://127.0.0.1:{port}"

    def held(self) -> set[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=_BUCKET)
        return {one["Key"] for page in pages for one in page.get("Contents", [])}

    def content(self, key: str) -> bytes:
        return self.client.get_object(Bucket=_BUCKET, Key=key)["Body"].read()

    def spoil(self, key: str) -> None:
        """Put other bytes where an object lies, of the same length."""
        size = len(self.content(key))
        self.client.put_object(Bucket=_BUCKET, Key=key, Body=b"?" * size)

    def empty(self) -> None:
        for key in self.held():
            self.client.delete_object(Bucket=_BUCKET, Key=key)

    def close(self) -> None:
        self.empty()
        self.client.delete_bucket(Bucket=_BUCKET)


class S3(Bucket):
    """Moto's server."""

    def __init__(self) -> None:
        [port] = free_ports(1)
        self._listen(port)
        super().__init__(port)

    def _listen(self, port: int) -> None:
        self._server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
        self._server.start()

    def comes_back(self) -> None:
        self._listen(self.port)

    def goes_away(self) -> None:
        self._server.stop()

    def close(self) -> None:
        super().close()
        self.goes_away()


@contextmanager
def credentials() -> Iterator[None]:
    """The keys of the store in the environment, where its client looks."""
    before = {name: os.environ.get(name) for name in ACCESS}
    os.environ.update(ACCESS)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


@contextmanager
def s3_server() -> Iterator[S3]:
    """A server with one empty bucket, and its credentials in the environment."""
    with credentials():
        server = S3()
        try:
            yield server
        finally:
            server.close()
