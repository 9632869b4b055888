"""Speaks with an S3-compatible store, and with nothing else: the only importer of its client.

What is put is there once the store has said so, of the right size and checksum. Credentials come
from the environment (AWS_ACCESS_KEY_ID and what else the client reads), never from an address.
"""

import base64
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import parse_qs, urlsplit

_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
# The most that one PUT may bring (Amazon S3: 5 GiB); what is larger goes in parts.
_LARGEST_PUT = 5 << 30
_STEP = 1 << 20
_CONNECT_SECONDS, _READ_SECONDS, _TRIES, _CONNECTIONS = 5, 60, 3, 32
_OPTIONS = frozenset({"endpoint", "region"})


class StoreAway(OSError):
    """The object store does not answer, or refuses; ``str()`` says how, without any secret."""


class NotInStore(LookupError):
    """There is nothing under this key."""


class StoreUrlUnfit(ValueError):
    """An address of a store is not of the form s3://BUCKET/PREFIX?endpoint=URL&region=NAME."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store is: a bucket, what all keys begin with, and how it is reached."""

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str = "us-east-1"

    @classmethod
    def of(cls, url: str) -> "Address":
        """From ``s3://bucket/prefix?endpoint=https://...&region=...``; raises StoreUrlUnfit."""
        parts = urlsplit(url)
        options = parse_qs(parts.query, keep_blank_values=True)
        endpoint = options.get("endpoint", [None])[0]
        is_reached = endpoint is None or urlsplit(endpoint).scheme in ("http", "https")
        is_known = set(options) <= _OPTIONS and all(len(one) == 1 for one in options.values())
        is_plain = parts.netloc == parts.hostname and not parts.fragment
        if parts.scheme != "s3" or not (is_plain and is_known and is_reached):
            raise StoreUrlUnfit("s3://BUCKET/PREFIX?endpoint=https://HOST&region=NAME")
        prefix = parts.path.strip("/")
        region = options.get("region", ["us-east-1"])[0]
        return cls(parts.netloc, f"{prefix}/" if prefix else "", endpoint, region)


class ObjectStore:
    """Files under keys in one bucket; safe to use from many threads, made anew in a fork."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._made: tuple[int, Any] | None = None

    def put_file(self, key: str, path: Path, sha256: str) -> None:
        """Bring a file whose SHA-256 is known, and look that it is there. Raises StoreAway.

        The store itself holds what came against the sum, and what it then says of size and sum is
        held against ours; where it keeps none, all of it is read again.
        """
        size, where = path.stat().st_size, self._where(key)
        sum_of_it = base64.b64encode(bytes.fromhex(sha256)).decode()
        told = {"Metadata": {"sha256": sha256}}
        with _answered(), path.open("rb") as file:
            if size <= _LARGEST_PUT:
                self._client.put_object(
                    **where, Body=file, ContentLength=size, ChecksumSHA256=sum_of_it, **told
                )
            else:
                self._client.upload_fileobj(file, *where.values(), ExtraArgs=told)
        self.require(key, size=size, sha256=sha256)

    def require(self, key: str, *, size: int, sha256: str) -> None:
        """Raise StoreAway unless exactly this content lies under the key."""
        if not self.holds(key, size=size, sha256=sha256):
            raise StoreAway("what it says it keeps is not what it was given")

    def holds(self, key: str, *, size: int, sha256: str) -> bool:
        """Whether exactly this content lies under the key. Raises StoreAway."""
        try:
            with _answered():
                said = self._client.head_object(**self._where(key), ChecksumMode="ENABLED")
        except NotInStore:
            return False
        if said["ContentLength"] != size:
            return False
        found = said.get("ChecksumSHA256")
        if found is not None and said.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
            return bool(base64.b64decode(found).hex() == sha256)
        return self._sum(key) == sha256

    def fetch(self, key: str, write: Any) -> None:
        """Hand the content to ``write(bytes)``, held against the sum it was put with.

        Raises NotInStore, StoreAway.
        """
        digest = hashlib.sha256()
        with _answered():
            said = self._client.get_object(**self._where(key))
            for piece in said["Body"].iter_chunks(_STEP):
                digest.update(piece)
                write(piece)
        expected = said["Metadata"].get("sha256", digest.hexdigest())
        if digest.hexdigest() != expected:
            raise StoreAway("it gave other content than it was given")

    def open(self, key: str, start: int = 0) -> BinaryIO:
        """The content from a byte on, as it comes; the caller closes it. Raises NotInStore."""
        span = {"Range": f"bytes={start}-"} if start else {}
        with _answered():
            said = self._client.get_object(**self._where(key), **span)
        return cast(BinaryIO, said["Body"])

    def delete(self, key: str) -> None:
        """Take away what lies under a key; nothing there is no error. Raises StoreAway."""
        with _answered():
            self._client.delete_object(**self._where(key))

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys that begin so, in the order of their bytes. Raises StoreAway."""
        own = self._address.prefix
        with _answered():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._address.bucket, Prefix=f"{own}{prefix}"
            )
            for page in pages:
                yield from (one["Key"].removeprefix(own) for one in page.get("Contents", ()))

    def _sum(self, key: str) -> str:
        digest = hashlib.sha256()
        with _answered():
            for piece in self._client.get_object(**self._where(key))["Body"].iter_chunks(_STEP):
                digest.update(piece)
        return digest.hexdigest()

    def _where(self, key: str) -> dict[str, str]:
        return {"Bucket": self._address.bucket, "Key": f"{self._address.prefix}{key}"}

    @property
    def _client(self) -> Any:
        # One for all threads, which it allows, as it takes long to make; none from before a fork.
        with self._lock:
            if self._made is None or self._made[0] != os.getpid():
                self._made = (os.getpid(), self._new_client())
            return self._made[1]

    def _new_client(self) -> Any:
        # only where there is a store: they take a while, and room
        import boto3
        from botocore.config import Config

        style = "path" if self._address.endpoint else "auto"
        return boto3.session.Session().client(
            "s3", endpoint_url=self._address.endpoint, region_name=self._address.region,
            config=Config(
                connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS,
                retries={"mode": "standard", "max_attempts": _TRIES},
                max_pool_connections=_CONNECTIONS, s3={"addressing_style": style},
            ),
        )  # fmt: skip


@contextmanager
def _answered() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as fault:
        code = str(fault.response.get("Error", {}).get("Code", ""))
        if code in _ABSENT:
            raise NotInStore(code) from fault
        raise StoreAway(f"the object store refused it: {code}") from fault
    except BotoCoreError as fault:
        # Its text may hold an address with a password.
        raise StoreAway(f"the object store does not answer: {type(fault).__name__}") from fault
