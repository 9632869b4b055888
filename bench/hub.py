"""A hub as its administrator runs it, on embedded defaults and free ports, for a benchmark."""

from __future__ import annotations

import os
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench import processes
from bench.places import ROOT, NotMeasured, free_ports, wait_until
from hub.supervisor import die_with_parent

# One site that takes images from one sender, and nothing that would act on them.
ONE_SITE = """
version: 1
organisations: [{code: trust, name: Trust, kind: hospital_trust, country: "NO"}]
sites: [{code: site, organisation: trust, name: Site, timezone: Europe/Oslo}]
nodes:
  - {code: scanner, site: site, protocol: dicom, ae_title: BENCH, host: 127.0.0.1, port: 104,
     roles: [source]}
"""
# While one is measured the others are idle: no study is complete in the middle of it.
NEVER_QUIET = {"HUB_QUIET_SECONDS": "3600", "HUB_SHORT_QUIET_SECONDS": "3600"}


@dataclass(frozen=True, slots=True)
class Hub:
    """A running hub: its variables, ports and processes. ``dicom_ae_title`` is HUB."""

    environment: dict[str, str]
    http_port: int
    dicom_port: int
    hl7_port: int
    process: subprocess.Popen[bytes]
    dicom_ae_title: str = "HUB"

    @property
    def pids(self) -> list[int]:
        """Its processes, the one that started them first."""
        return processes.family(self.process.pid)

    @property
    def receivers(self) -> list[int]:
        """Those of its processes that receive DICOM: who listens, and whom it gives connections."""
        listening = processes.listeners(self.dicom_port, self.pids)
        return [pid for one in listening for pid in processes.family(one)]

    def manage(self, *words: object) -> str:
        """What a management command prints. Raises NotMeasured where it fails."""
        return manage(self.environment, *words)

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        """The rows that a SELECT finds in its database."""
        url = self.environment["HUB_DATABASE_URL"]
        if url.startswith("sqlite:///"):
            path = url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                return connection.execute(question).fetchall()
        with psycopg.connect(url) as connection:
            return connection.execute(question).fetchall()


@contextmanager
def running_hub(folder: Path, setup: str = ONE_SITE, **settings: str) -> Iterator[Hub]:
    """Start `manage.py hub` with a set-up file's text applied; stops it and keeps its state.

    ``folder`` gets its state and log. ``settings`` are HUB_* variables, HUB_DATABASE_URL for
    PostgreSQL for example; those of the caller's own environment do not count. Raises NotMeasured
    where it does not start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    environment = variables(folder) | settings
    http, dicom, hl7 = (int(environment[f"HUB_{door}_PORT"]) for door in ("HTTP", "DICOM", "HL7"))
    path = folder / "setup.yaml"
    path.write_text(setup, "utf-8")
    manage(environment, "migrate", "--verbosity=0")
    manage(environment, "apply", path)
    log = folder / "hub.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "hub"], cwd=ROOT, env=environment,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=die_with_parent,
        )  # fmt: skip
    try:
        wait_until(lambda: _is_open(process, log), "the hub is open")
        yield Hub(environment, http, dicom, hl7, process)
    finally:
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def manage(environment: dict[str, str], *words: object) -> str:
    """What `manage.py` prints with these variables. Raises NotMeasured where it fails."""
    done = subprocess.run(
        [sys.executable, "manage.py", *map(str, words)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise NotMeasured(f"manage.py {words[0]}: {done.stderr.strip()[-500:]}")
    return done.stdout


def variables(folder: Path) -> dict[str, str]:
    """The variables of a hub on embedded defaults whose state is in ``folder``, and free ports."""
    http, dicom, hl7 = free_ports(3)
    return _environment(folder, http=http, dicom=dicom, hl7=hl7)


def _environment(folder: Path, *, http: int, dicom: int, hl7: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    kept.pop("DJANGO_SETTINGS_MODULE", None)
    state = folder / "state"
    return kept | {
        "HUB_STATE_DIR": str(state),
        "HUB_DATABASE_URL": f"sqlite:///{state}/hub.sqlite3",
        "HUB_SECRET_KEY": secrets.token_urlsafe(64),
        "HUB_HTTP_PORT": str(http),
        "HUB_DICOM_PORT": str(dicom),
        "HUB_HL7_PORT": str(hl7),
    }


def _is_open(process: subprocess.Popen[bytes], log: Path) -> bool:
    said = log.read_text(errors="replace")
    if process.poll() is not None:
        raise NotMeasured(f"the hub did not start: {said.strip()[-500:]}")
    return "hub is open" in said
