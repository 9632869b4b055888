"""A PostgreSQL that dies: one server, or a primary with a standby that takes its place."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.fakes.ports import free_ports
from tests.fakes.waiting import until

_USER = "avrop"


@dataclass
class Server:
    """One PostgreSQL on loopback."""

    folder: Path
    port: int
    password: str

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, *others: Server) -> str:
        """Where the hub finds it, or whichever of several takes writes."""
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in (self, *others))
        asked = "?target_session_attrs=read-write" if others else ""
        return f"postgres://{_USER}:{self.password}@{hosts}/postgres{asked}"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        self._control("start", "-w", "-l", str(self.folder / "log"), "-o", options)

    def stop(self, *, mode: str = "immediate") -> None:
        """``immediate`` is a crash: no word to anybody, recovery at the next start."""
        self._control("stop", "-m", mode)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Let it answer nobody in the block: the system still takes what is sent to it."""
        first = int((self.data / "postmaster.pid").read_text().split()[0])
        own = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        pids = [first, *map(int, own)]
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                _signal(pid, signal.SIGCONT)

    def promote(self) -> None:
        self._control("promote", "-w")

    def ask(self, question: str) -> list[tuple[object, ...]]:
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as wire:
            found = wire.execute(question)
            return list(found.fetchall()) if found.description else []

    def is_running(self) -> bool:
        return (self.data / "postmaster.pid").exists()

    def _control(self, *words: str) -> None:
        _run([_program("pg_ctl"), "-D", str(self.data), "-t", "60", *words], self.folder)


@contextmanager
def server() -> Iterator[Server]:
    """A new PostgreSQL, as careful as in production, until the block ends."""
    folder = Path(mkdtemp(prefix="avrop-cluster-"))
    _give(folder)
    one = Server(folder / "one", free_ports(1)[0], secrets.token_hex(8))
    try:
        _make(one)
        one.start()
        yield one
    finally:
        _end(folder, one)


@contextmanager
def primary_and_standby() -> Iterator[tuple[Server, Server]]:
    """Two servers, the second of which has all that the first has committed."""
    with server() as first:
        (port,) = free_ports(1)
        second = Server(first.folder.parent / "two", port, first.password)
        first.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        second.folder.mkdir()
        _give(second.folder)
        source = f"host=127.0.0.1 port={first.port} user={_USER} password={first.password}"
        _run([_program("pg_basebackup"), "-d", source, "-D", str(second.data), "-R", "-X",
              "stream", "-c", "fast"], second.folder)  # fmt: skip
        try:
            second.start()
            first.ask("SELECT pg_reload_conf()")
            synchronous = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
            until(lambda: first.ask(synchronous), "the standby follows")
            yield first, second
        finally:
            if second.is_running():
                second.stop()


def _make(one: Server) -> None:
    one.folder.mkdir()
    secret = one.folder / "password"
    secret.write_text(one.password)
    _give(one.folder)
    _run([_program("initdb"), "-D", str(one.data), "-U", _USER, f"--pwfile={secret}",
          "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"], one.folder)  # fmt: skip
    with (one.data / "postgresql.auto.conf").open("a") as settings:
        settings.write("max_connections = 200\n")


def _end(folder: Path, one: Server) -> None:
    if one.is_running():
        one.stop()
    shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> str:
    """A program of PostgreSQL, which Debian keeps out of PATH; skips the test where it lacks."""
    found = shutil.which(name) or next(
        (str(one) for one in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None
    )
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    return found


def _run(words: Sequence[str], folder: Path) -> None:
    """PostgreSQL refuses to be root."""
    identity = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
    with (folder / "output").open("ab") as output:
        done = subprocess.run(words, cwd=folder, stdout=output, stderr=output, check=False,
                              stdin=subprocess.DEVNULL, timeout=120, **identity)  # type: ignore[call-overload] # fmt: skip
    assert done.returncode == 0, (folder / "output").read_text(errors="replace")[-2000:]


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _give(folder: Path) -> None:
    if os.getuid() == 0:
        account = pwd.getpwnam("postgres")
        for path in (folder, *folder.iterdir()):
            os.chown(path, account.pw_uid, account.pw_gid)
