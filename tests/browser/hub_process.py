"""The web side of the hub as a real process with a database of its own, for real browsers."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import templates
from tests.fakes.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"
PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Hub:
    """One running web process; ``scene`` changes its rows from outside, as a worker would."""

    url: str
    pid: int
    environment: dict[str, str]
    database: Path

    def scene(self, *words: str) -> None:
        """Run ``tests.browser.scene`` with ``words`` on the same database."""
        command = [sys.executable, "-m", "tests.browser.scene", *words]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True)

    def open_files(self) -> int:
        """How many files of the database the process holds open now."""
        return sum(name.startswith(str(self.database)) for name in self._opened())

    def _opened(self) -> Iterator[str]:
        for file in Path(f"/proc/{self.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                yield str(file.readlink())


@contextlib.contextmanager
def running_hub(folder: Path) -> Iterator[Hub]:
    """A hub with one morning's worklist, stopped at the end."""
    (port,) = free_ports(1)
    environment = _environment(folder)
    database = folder / "hub.sqlite3"
    templates.copy_sqlite(database)
    hub_of = Hub(f"http://127.0.0.1:{port}", 0, environment, database)
    hub_of.scene("morning")
    command = [sys.executable, "-m", "uvicorn", "hub.asgi:application", "--port", str(port)]
    quiet = ["--log-level", "warning", "--timeout-graceful-shutdown", "1"]
    process = subprocess.Popen([*command, *quiet], cwd=ROOT, env=environment)
    try:
        _wait_for(f"{hub_of.url}/health/ready", process)
        yield Hub(hub_of.url, process.pid, environment, database)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    return kept | {
        "HUB_STATE_DIR": str(folder),
        "HUB_BROKER_URL": "filesystem://",
        "HUB_MINIMUM_FREE_BYTES": "1000000",
        "HUB_SECRET_KEY": "browser-tests-only-" + "0123456789abcdef" * 4,
        "DJANGO_SETTINGS_MODULE": "hub.settings",
        "PYTHONWARNINGS": "ignore",
    }


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends_at:
        assert process.poll() is None, f"the hub ended with {process.returncode}"
        try:
            urllib.request.urlopen(url, timeout=2)
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer in {PATIENCE_SECONDS} s")
