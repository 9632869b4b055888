"""A Redis of a test's own, which may be killed and comes back empty."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.doors import is_open
from hub.supervisor import die_with_parent
from tests.fakes.ports import free_ports
from tests.fakes.waiting import until


@dataclass
class Redis:
    """The broker, which keeps nothing on disk."""

    program: str
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """For HUB_BROKER_URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        words = [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self.process = subprocess.Popen(
            [*words, "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL, preexec_fn=die_with_parent,
        )  # fmt: skip
        until(lambda: is_open("127.0.0.1", self.port), "Redis listens")

    def kill(self) -> None:
        """kill -9: all its messages are lost."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)


@contextmanager
def running_redis(folder: Path) -> Iterator[Redis]:
    """A broker until the block ends."""
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("Redis is not installed")
    folder.mkdir(parents=True)
    redis = Redis(found, folder, free_ports(1)[0])
    redis.start()
    try:
        yield redis
    finally:
        redis.kill()
