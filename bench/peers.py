"""The peers beside the hub: finds them, starts them on the same disk, and tells their versions."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench import processes
from bench.places import NotMeasured, free_ports, wait_until
from hub.doors import is_open
from hub.supervisor import die_with_parent

# pynetdicom installs a storescp and a storescu of its own beside our Python.
_OURS = Path(sys.executable).parent
NO_DELAY = {"TCP_NODELAY": "1"}


@dataclass(frozen=True, slots=True)
class Receiver:
    """A peer that takes C-STORE and keeps what it gets below ``folder``."""

    name: str
    ae_title: str
    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    http_port: int = 0
    pattern: str = "*"

    def count(self) -> int:
        """How many instances it holds."""
        if self.http_port:
            return int(_ask(self.http_port, "statistics")["CountInstances"])
        return sum(1 for path in self.folder.rglob(self.pattern) if path.is_file())


def program(name: str) -> str:
    """The path of a peer's program, not that of pynetdicom's. Raises NotMeasured without it."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/sbin", "/sbin"]
    path = os.pathsep.join(one for one in folders if one and Path(one).resolve() != _OURS.resolve())
    if found := shutil.which(name, path=path):
        return found
    raise NotMeasured(f"{name} is not installed")


def versions() -> dict[str, str]:
    """What each peer calls itself; those that are missing say so."""
    found = {}
    for name, pattern in (
        ("storescp", r"v([\d.]+)"), ("Orthanc", r"Orthanc ([\w.]+)"),
        ("postgres", r"([\d.]+)"), ("redis-server", r"v=([\d.]+)"),
    ):  # fmt: skip
        called = {"storescp": "dcmtk", "postgres": "PostgreSQL", "redis-server": "Redis"}
        found[called.get(name, name)] = _version(name, pattern)
    for package in ("pynetdicom", "pydicom", "highdicom", "hl7", "hl7apy", "Django"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found


@contextmanager
def orthanc(folder: Path, *, is_synced: bool, has_no_delay: bool = True) -> Iterator[Receiver]:
    """Orthanc as Debian ships it; ``is_synced`` is its SyncStorageArea, which it has on."""
    dicom, http = free_ports(2)
    store = folder / "store"
    store.mkdir(parents=True)
    configuration = {
        "StorageDirectory": str(store), "IndexDirectory": str(store), "DicomAet": "ORTHANC",
        "DicomPort": dicom, "HttpPort": http, "Plugins": [], "AuthenticationEnabled": False,
        "RemoteAccessAllowed": False, "DicomAlwaysAllowStore": True,
        "SyncStorageArea": is_synced,
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    command = [program("Orthanc"), str(folder / "orthanc.json")]
    with started(command, folder, has_no_delay=has_no_delay) as process:
        wait_until(lambda: _answers(http), "Orthanc answers")
        yield Receiver("Orthanc", "ORTHANC", dicom, store, process, http)


@contextmanager
def storescp(folder: Path, *, has_no_delay: bool = True) -> Iterator[Receiver]:
    """dcmtk's storescp at its fastest: a process for each association, the largest PDUs it has.

    It neither parses, indexes nor syncs what it writes.
    """
    (port,) = free_ports(1)
    store = folder / "store"
    store.mkdir(parents=True)
    command = [program("storescp"), "--fork", "-pdu", "131072", "-od", str(store), str(port)]
    with started(command, folder, has_no_delay=has_no_delay) as process:
        wait_until(lambda: is_open("127.0.0.1", port), "storescp listens")
        yield Receiver("storescp", "STORESCP", port, store, process)


@contextmanager
def pynetdicom_storescp(folder: Path) -> Iterator[Receiver]:
    """pynetdicom's own storescp, as it comes; syncs nothing."""
    (port,) = free_ports(1)
    store = folder / "store"
    store.mkdir(parents=True)
    command = [sys.executable, "-m", "pynetdicom", "storescp", str(port), "-od", str(store), "-q"]
    with started(command, folder) as process:
        wait_until(lambda: is_open("127.0.0.1", port), "pynetdicom's storescp listens")
        yield Receiver("pynetdicom", "STORESCP", port, store, process)


@contextmanager
def started(
    command: Sequence[str], folder: Path, *, has_no_delay: bool = True
) -> Iterator[subprocess.Popen[bytes]]:
    """A peer's process, killed at the end; its log lies in ``folder``."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent,
            env=environment(has_no_delay=has_no_delay), cwd=folder,
        )  # fmt: skip
    try:
        yield process
    finally:
        for pid in reversed(processes.family(process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def environment(*, has_no_delay: bool) -> Mapping[str, str]:
    """The variables of a sender or peer: dcmtk sets TCP_NODELAY where it is told to by one."""
    kept = {name: value for name, value in os.environ.items() if name not in NO_DELAY}
    return kept | NO_DELAY if has_no_delay else kept


def _answers(http_port: int) -> bool:
    try:
        return bool(_ask(http_port, "system"))
    except OSError:
        return False


def _ask(http_port: int, route: str) -> dict[str, object]:
    with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/{route}", timeout=20) as answer:
        return dict(json.load(answer))


def _version(name: str, pattern: str) -> str:
    try:
        path = _postgres() if name == "postgres" else program(name)
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    except (NotMeasured, OSError):
        return "missing"
    match = re.search(pattern, said.stdout + said.stderr)
    return match[1] if match else "?"


def _postgres() -> str:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return str(installed[-1]) if installed else program("postgres")
