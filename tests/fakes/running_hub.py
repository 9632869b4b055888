"""The hub as a user runs it: `manage.py hub` as a process, and what one can ask of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.doors import is_open
from hub.supervisor import die_with_parent
from tests.fakes import database
from tests.fakes.ports import free_ports
from tests.fakes.waiting import until

ROOT = Path(__file__).parents[2]
PROCESSES = ("web", "listen_dicom", "listen_hl7", "worker", "beat")
Json = dict[str, Any]


@dataclass
class RunningHub:
    """One hub: its folder, ports, database and broker. ``settings`` are more HUB_* variables.

    ``code`` is where its manage.py lies: another folder for another version.
    """

    folder: Path
    database: str
    broker: str
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    code: Path = ROOT

    def __post_init__(self) -> None:
        self.http_port, self.dicom_port, self.hl7_port = free_ports(3)
        self._tokens: dict[str, str] = {}

    # -- as its administrator has it -----------------------------------------------------------
    @property
    def state(self) -> Path:
        """HUB_STATE_DIR."""
        return self.folder / "state"

    @property
    def log(self) -> Path:
        """What it wrote to its terminal."""
        return self.folder / f"hub-{self.http_port}.log"

    def environment(self, **changes: str) -> dict[str, str]:
        """The variables of this hub and nothing of the test run's own hub."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        kept.pop("DJANGO_SETTINGS_MODULE", None)
        own = {
            "HUB_STATE_DIR": str(self.state),
            "HUB_DATABASE_URL": self.database,
            "HUB_BROKER_URL": self.broker,
            "HUB_SECRET_KEY": "journeys-only-" + "0123456789abcdef" * 4,
            "HUB_HTTP_PORT": str(self.http_port),
            "HUB_DICOM_PORT": str(self.dicom_port),
            "HUB_HL7_PORT": str(self.hl7_port),
            "HUB_QUIET_SECONDS": "1.5",
            "HUB_SHORT_QUIET_SECONDS": "0.5",
            "HUB_SWEEP_SECONDS": "1",
            "HUB_LEASE_SECONDS": "3",
            "HUB_SEND_TIMEOUT_SECONDS": "3",
            "HUB_MINIMUM_FREE_BYTES": "1000000",
            "HUB_ALLOW_PROCESS_PERFORMER": "on",
            "HUB_CLUSTER_HUB_URL": f"http://127.0.0.1:{self.http_port}",
        }
        return kept | own | self.settings | changes

    def manage(self, *words: object, is_fine: bool = True, seconds: float = 600) -> str:
        """What a management command prints; it must succeed, unless told otherwise."""
        done = subprocess.run(
            [sys.executable, "manage.py", *map(str, words)],
            cwd=self.code, env=self.environment(), capture_output=True, text=True,
            timeout=seconds, check=False,
        )  # fmt: skip
        assert not is_fine or done.returncode == 0, done.stderr
        return done.stdout if is_fine else done.stdout + done.stderr

    def start(self) -> None:
        """Start it, and wait for the line that says that all doors are open."""
        said = self.log.stat().st_size if self.log.exists() else 0
        self.process = self.run("hub")
        until(lambda: self._is_open(said), "the hub is open", seconds=120)

    def run(self, *words: str, **settings: str) -> subprocess.Popen[bytes]:
        """Start one of its processes, which ends with this one; it writes into the same log."""
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-W", "ignore", "manage.py", *words],
                cwd=self.code, env=self.environment(**settings), stdout=output, stderr=output,
                stdin=subprocess.DEVNULL, preexec_fn=die_with_parent,
            )  # fmt: skip

    def _is_open(self, said: int) -> bool:
        text = self.log.read_bytes()[said:].decode(errors="replace")
        assert self.process is not None
        assert self.process.poll() is None, text
        return "hub is open" in text

    def stop(self) -> int:
        """Ask it to stop as systemd would; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def child(self, name: str) -> int | None:
        """The process id of one of its processes, while it lives."""
        for pid in self.descendants():
            try:
                is_it = Path(f"/proc/{pid}/comm").read_text().strip() == name
            except OSError:
                continue
            if is_it:
                return pid
        return None

    def descendants(self) -> list[int]:
        """The process ids of all its processes below the first, and of theirs."""
        assert self.process is not None
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            try:
                listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            except OSError:
                continue
            found += map(int, listed)
            waiting += map(int, listed)
        return found

    def kill(self, name: str) -> bool:
        """kill -9 one of its processes; whether there was one to kill."""
        pid = self.child(name)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        return pid is not None

    @contextmanager
    def another(self, code: Path = ROOT) -> Iterator[RunningHub]:
        """A second supervisor with ports of its own, on the same database, broker and folders."""
        second = RunningHub(self.folder, self.database, self.broker, self.settings, code=code)
        second.start()
        try:
            yield second
        finally:
            if second.process is not None and second.process.poll() is None:
                second.stop()

    @contextmanager
    def beside(self, name: str, door: str, **settings: str) -> Iterator[int]:
        """Run one more of its processes with other settings; gives the port of its ``door``."""
        (port,) = free_ports(1)
        process = self.run(name, **{door: str(port)}, **settings)
        try:
            until(lambda: is_open("127.0.0.1", port), f"{name} listens")
            yield port
        finally:
            process.terminate()
            process.wait(30)

    def rows(self, question: str, *values: Any) -> list[tuple[Any, ...]]:
        """What stands in the database."""
        return database.rows(self.database, question, *values)

    # -- as its users see it -------------------------------------------------------------------
    def ask(self, path: str, *, user: str, post: Json | None = None) -> Json:
        """The API's answer to a user; with ``post`` a POST. Raises urllib's HTTPError."""
        if user not in self._tokens:
            self._tokens[user] = self.manage("token", user).strip()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}/api/v1/{path}",
            headers={
                "Authorization": f"Token {self._tokens[user]}",
                "Content-Type": "application/json",
            },
            data=None if post is None else json.dumps(post).encode(),
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return dict(json.load(answer))

    def study(self, uid: str, *, user: str) -> Json | None:
        """A study with all its steps, or None where this user sees no such study."""
        try:
            return self.ask(f"studies/{uid}/", user=user)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def worklist(self, *, user: str, **narrow: str) -> list[Json]:
        """All rows of a user's worklist, in the order to read."""
        query = "&".join(f"{name}={value}" for name, value in ({"limit": "500"} | narrow).items())
        return list(self.ask(f"worklist/?{query}", user=user)["results"])


@contextmanager
def running_hub(
    folder: Path, setup: str, *, database_url: str = "", broker_url: str = "",
    is_started: bool = True, code: Path = ROOT, **settings: str,
) -> Iterator[RunningHub]:  # fmt: skip
    """A hub of this code with ``setup`` (the text of a set-up file) applied.

    On a database and a broker of its own, unless it is given those of somebody else. With
    ``is_started`` false all is ready, and the caller starts its processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "setup.yaml"
    path.write_text(setup, encoding="utf-8")
    given = nullcontext(database_url) if database_url else database.own_database(folder)
    with given as url:
        hub = RunningHub(
            folder, url, broker_url or database.own_broker(), settings, code=code
        )
        if database_url:
            hub.manage("migrate", "--verbosity=0")
        hub.manage("apply", path)
        try:
            if is_started:
                hub.start()
            yield hub
        finally:
            if hub.process is not None and hub.process.poll() is None:
                hub.stop()
