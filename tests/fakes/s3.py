"""An S3-compatible server on loopback (moto's), which can go away and come back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
from moto.server import ThreadedMotoServer

from tests.fakes.ports import free_ports

_ACCESS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "only-for-tests"}


class S3:
    """One bucket, and what a stranger sees in it."""

    def __init__(self) -> None:
        [self.port] = free_ports(1)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.url = f"s3://avrop/site?endpoint={self.endpoint}"
        self.comes_back()
        self.client = boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1")
        self.client.create_bucket(Bucket="avrop")

    def comes_back(self) -> None:
        self._server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self._server.start()

    def goes_away(self) -> None:
        self._server.stop()

    def held(self) -> set[str]:
        found = self.client.list_objects_v2(Bucket="avrop").get("Contents", [])
        return {one["Key"] for one in found}

    def content(self, key: str) -> bytes:
        return self.client.get_object(Bucket="avrop", Key=key)["Body"].read()

    def spoil(self, key: str) -> None:
        """Put other bytes where an object lies, of the same length."""
        size = len(self.content(key))
        self.client.put_object(Bucket="avrop", Key=key, Body=b"?" * size)

    def close(self) -> None:
        for key in self.held():
            self.client.delete_object(Bucket="avrop", Key=key)
        self.client.delete_bucket(Bucket="avrop")
        self.goes_away()


@contextmanager
def s3_server() -> Iterator[S3]:
    """A server with one empty bucket, and its credentials in the environment."""
    before = {name: os.environ.get(name) for name in _ACCESS}
    os.environ.update(_ACCESS)
    server = S3()
    try:
        yield server
    finally:
        server.close()
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
