"""Runs a hub of its own for the demonstration: its folder, its environment, its process."""

from __future__ import annotations

import ctypes
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import yaml

from demo.options import HOST, CannotStart

ROOT = Path(__file__).resolve().parent.parent
SETUP = Path(__file__).with_name("setup.yaml")
OPEN_SECONDS = 60.0
MOST_LINES = 12
_PR_SET_PDEATHSIG = 1


@dataclass
class OwnHub:
    """A hub under ``folder``, which is emptied first; it ends when the demonstration ends."""

    folder: Path
    ports: Mapping[str, int]
    process: subprocess.Popen[bytes] | None = None
    key: str = field(default_factory=lambda: secrets.token_urlsafe(64))

    def __post_init__(self) -> None:
        self._lock = _sole_use(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, mode=0o700)

    @property
    def log(self) -> Path:
        """What the processes of the hub write."""
        return self.folder / "hub.log"

    @property
    def url(self) -> str:
        """Of the web page, with a slash at the end."""
        return f"http://{HOST}:{self.ports['http_port']}/"

    def environment(self) -> dict[str, str]:
        """Every setting that matters, so that none of a hub in use is taken from .env."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        return kept | {
            "HUB_STATE_DIR": str(self.folder),
            "HUB_DATABASE_URL": f"sqlite:///{self.folder}/hub.sqlite3",
            "HUB_BROKER_URL": "filesystem://",
            "HUB_STORAGE_URL": f"file://{self.folder}/spool",
            "HUB_SECRET_KEY": self.key,
            "HUB_BIND": HOST,
            "HUB_HTTP_PORT": str(self.ports["http_port"]),
            "HUB_DICOM_PORT": str(self.ports["dicom_port"]),
            "HUB_HL7_PORT": str(self.ports["hl7_port"]),
            "HUB_AE_TITLE": "HUB",
            "HUB_QUIET_SECONDS": "4",
            "HUB_SHORT_QUIET_SECONDS": "2",
            "HUB_CEILING_SECONDS": "90",
            "HUB_ALLOW_PROCESS_PERFORMER": "on",
            "HUB_HTTPS": "off",
            "HUB_DEBUG": "off",
            "HUB_ALLOWED_HOSTS": f"{HOST},localhost",
            "HUB_TRUSTED_ORIGINS": "",
        }

    def manage(self, *words: str, stdin: str = "") -> str:
        """What a management command prints; raises CannotStart with what it complained of."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT, env=self.environment(), input=stdin, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            said = "\n".join(done.stderr.strip().splitlines()[:MOST_LINES])
            raise CannotStart(f"manage.py {' '.join(words)} failed:\n{said}")
        return done.stdout

    def write_setup(self) -> Path:
        """demo/setup.yaml with the ports of this run, as a file beside the state."""
        root = yaml.compose(SETUP.read_text("utf-8"), Loader=yaml.SafeLoader)
        for node in _entries(root, "nodes"):
            is_dicom = node["protocol"].value == "dicom"
            node["host"].value = HOST
            node["port"].value = str(self.ports["pacs_port" if is_dicom else "ris_port"])
        for algorithm in _entries(root, "algorithms"):
            for version in algorithm["versions"].value:
                manifest = dict(_named(version))["manifest"]
                whole = (SETUP.parent / manifest.value).resolve()
                manifest.value = os.path.relpath(whole, self.folder)
        path = self.folder / "setup.yaml"
        path.write_text(yaml.serialize(root, Dumper=yaml.SafeDumper, allow_unicode=True), "utf-8")
        return path

    def start(self) -> None:
        """Start `manage.py hub`; wait_until_open() tells when it is there."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "hub"],
                cwd=ROOT, env=self.environment(),
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C comes to the demonstration alone
                preexec_fn=_end_with_parent,  # noqa: PLW1509 (no thread of ours holds a lock)
            )  # fmt: skip

    def wait_until_open(self) -> None:
        """Until all its doors are open; raises CannotStart where they do not open."""
        deadline = time.monotonic() + OPEN_SECONDS
        while b"hub is open" not in self.log.read_bytes():
            self.require_running()
            if time.monotonic() > deadline:
                raise CannotStart(f"The hub did not open within {OPEN_SECONDS:g} s:\n{self.tail()}")
            time.sleep(0.1)

    def require_running(self) -> None:
        """Raises CannotStart where the hub has ended by itself."""
        if self.process is None or self.process.poll() is not None:
            raise CannotStart(f"The hub has ended by itself. The end of {self.log}:\n{self.tail()}")

    def tail(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text("utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-MOST_LINES:])

    def stop(self) -> None:
        """Ask the hub to end, and wait for it."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._lock.close()

    def forget(self) -> None:
        """Remove all that it kept: what a user sent may be of real patients."""
        shutil.rmtree(self.folder, ignore_errors=True)


def read_setup() -> dict[str, Any]:
    """demo/setup.yaml, every value a text as the hub reads it: NO is Norway, and not false."""
    text = SETUP.read_text("utf-8")
    return dict(yaml.load(text, Loader=yaml.BaseLoader))  # nosec B506 (it makes texts alone)


def _entries(root: Any, kind: str) -> list[dict[str, Any]]:
    # Nodes and not values: what was quoted stays quoted, and NO stays Norway.
    return [dict(_named(entry)) for entry in dict(_named(root))[kind].value]


def _named(mapping: Any) -> Iterator[tuple[str, Any]]:
    yield from ((key.value, value) for key, value in mapping.value)


def _sole_use(folder: Path) -> IO[str]:
    """Keep the folder to this demonstration: another must not empty it under our feet."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = folder.with_name(folder.name + ".lock").open("w")
    except OSError as fault:
        raise CannotStart(
            f"Nothing can be kept in {folder} ({fault.strerror}): "
            "name a folder that you may write with HUB_STATE_DIR=DIR."
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise CannotStart(
            f"Another demonstration is running in {folder}: stop it, "
            "or name another folder with HUB_STATE_DIR=DIR."
        ) from None
    return lock


def _end_with_parent() -> None:
    """Linux: end the hub when the demonstration is killed, so that no port stays taken."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
