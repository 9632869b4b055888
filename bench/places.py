"""Where a benchmark works: a folder on a real disk, free ports, and waiting for what must come."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class NotMeasured(Exception):  # noqa: N818 (named by what failed)
    """Something could not be measured, and why; never a figure in its place."""


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that goes away again, the same disk for the hub and its peers.

    Below BENCH_FOLDER, or else /var/tmp, which unlike /tmp is a disk by custom (FHS 3.0 5.15): in
    memory nothing costs what it costs in a hospital. Others may pass through: PostgreSQL refuses
    to be root.
    """
    above = os.environ.get("BENCH_FOLDER") or "/var/tmp"
    with tempfile.TemporaryDirectory(prefix="avrop-bench-", dir=above) as name:
        Path(name).chmod(0o711)
        _spread(Path(name))
        # of a name that no run had before: it decides in which group of inodes the files are
        within = Path(name) / secrets.token_hex(4)
        within.mkdir(mode=0o711)
        yield within


def _spread(folder: Path) -> None:
    """Let ext4 put what is made in a folder into other groups of inodes than its neighbours.

    For minutes after a deletion ext4 passes over each inode that became free, one by one for every
    new file (recently_deleted): a run would pay for what the one before it took away.
    """
    with suppress(OSError):
        subprocess.run(
            ["chattr", "+T", str(folder)], check=False, stderr=subprocess.DEVNULL
        )


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_until(is_so: Callable[[], object], what: str, *, seconds: float = 60) -> None:
    """Come back once it is so. Raises NotMeasured where it is not within that time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise NotMeasured(f"{what}: not within {seconds:g} s")
        time.sleep(0.01)


def nine_trusts() -> str:
    """The text of the demonstration's set-up file, with manifests named from anywhere."""
    text = (ROOT / "demo/setup.yaml").read_text("utf-8")
    return text.replace("../examples", str(ROOT / "examples"))
