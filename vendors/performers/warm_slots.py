"""The folders of warm servers: what is known of each, the run that it has, and who may touch it.

One worker at a time: it holds a lock of the folder. One that stands still while it does must hold
up nobody: others wait for it for a moment, and later put another folder in the place of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from vendors.manifest import PerformerSpec
from vendors.performers.attendant import ANSWER, REQUEST, read_answer, wipe
from vendors.performers.base import Limits, Run
from vendors.performers.files import read_json

log = structlog.get_logger(__name__)

# a server is replaced once it is so old, between two runs
LONGEST_SECONDS = 86_400
# a server that is not ready by then never will be
LOADING_SECONDS = 1800.0
# longer than any call of an engine may take: who still holds a folder then does not go on
STALE_SECONDS = 180.0
_STEP_SECONDS = 0.02


class AnswerUnread(Exception):
    """A server left something in place of an answer that is none."""


class SlotHeld(Exception):
    """A worker holds a server, and has not let go of it in time."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The folder of one server: its number, its mailbox, and the run that it has."""

    folder: Path
    number: int

    @property
    def mailbox(self) -> Path:
        return self.folder / "mailbox"

    @property
    def given(self) -> dict[str, Any] | None:
        """The run that the server has, with the time of its start."""
        return read_json(self.folder / "given.json")

    @property
    def _known(self) -> dict[str, Any]:
        return read_json(self.folder / "server.json") or {"generation": 0, "up": False, "served": 0}

    @property
    def has_server(self) -> bool:
        return bool(self._known["up"])

    @property
    def served(self) -> int:
        """How many runs the present server was given."""
        return int(self._known["served"])

    @property
    def server_seconds(self) -> float:
        return now() - float(self._known.get("since", 0.0))

    @property
    def idle_seconds(self) -> float:
        return now() - float(self._known.get("idle_since", 0.0))

    @property
    def is_stale(self) -> bool:
        """Whether who holds it has held it for so long that it cannot be at work any more."""
        try:
            held_at = (self.folder / "lock").stat().st_mtime
        except FileNotFoundError:
            return False
        return now() - held_at > STALE_SECONDS

    @contextlib.contextmanager
    def lock(self, *, seconds: float = 0.0) -> Iterator[None]:
        """One worker at a time; raises SlotHeld where another does not let go in ``seconds``."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _take(descriptor, until=time.monotonic() + seconds)
            os.utime(descriptor)
            yield
        finally:
            os.close(descriptor)

    def pass_over(self) -> None:
        """Put another folder in its place: who holds this one goes on in it, and harms nobody."""
        number, _dot, epoch = self.folder.name.partition(".")
        later = self.folder.with_name(f"{number}.{int(epoch or 0) + 1}")
        later.mkdir(mode=0o700, exist_ok=True)

    def server(self, spec: PerformerSpec, limits: Limits) -> Run:
        """The present server as a run of the performer below."""
        group = self.folder.parent.name
        return Run(
            f"warm-{group}-{self.folder.name}-{self._known['generation']}",
            replace(spec, timeout_seconds=LONGEST_SECONDS),
            self.folder / "nothing", self.mailbox, self.folder / "work", limits,
        )  # fmt: skip

    def next_server(self) -> None:
        """A server of a new name, with folders that nobody has used."""
        generation = self._known["generation"] + 1
        for name in ("work", "mailbox", "nothing"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir(mode=0o700)
        known = {"generation": generation, "up": True, "served": 0, "since": now()}
        write(self.folder / "server.json", known | {"idle_since": now()})

    def forget_server(self) -> None:
        write(self.folder / "server.json", self._known | {"up": False})

    def give(self, name: str) -> None:
        """Tell the server; from now on the run is its."""
        write(self.folder / "given.json", {"run": name, "at": now()})
        write(self.folder / "server.json", self._known | {"served": self.served + 1})
        request = {"run": name, "input": f"{name}/input", "output": f"{name}/output"}
        write(self.mailbox / REQUEST, request, mode=0o644)

    def why_too_long(self, timeout_seconds: float) -> str:
        """Why its run should have ended; the time of a run begins once the server is ready."""
        given_at = float((self.given or {}).get("at", now()))
        try:
            ready_at = (self.mailbox / "ready").lstat().st_mtime
        except FileNotFoundError:
            is_late = now() - given_at > max(LOADING_SECONDS, timeout_seconds)
            return f"was not ready after {LOADING_SECONDS:g} s" if is_late else ""
        # an algorithm may set any time on its file
        since = max(given_at, min(ready_at, given_at + LOADING_SECONDS))
        return f"timed out after {timeout_seconds} s" if now() - since > timeout_seconds else ""

    def answer_to(self, name: str) -> dict[str, Any] | None:
        """What the server says of the run, None where nothing yet; raises AnswerUnread."""
        raw = read_answer(str(self.mailbox / ANSWER))
        if raw is None:
            return None
        try:
            said = json.loads(raw)
            if said["run"] == name and isinstance(said["exit_code"], int):
                return dict(said)
        except (ValueError, KeyError, TypeError, RecursionError) as fault:
            raise AnswerUnread("the warm server's answer cannot be read") from fault
        return None

    def clear(self) -> None:
        """Leave nothing of a run, whatever became of it."""
        self.empty_mailbox()
        write(self.folder / "server.json", self._known | {"idle_since": now()})
        (self.folder / "given.json").unlink(missing_ok=True)

    def empty_mailbox(self) -> None:
        if not self.mailbox.exists():
            return
        try:
            wipe(str(self.mailbox))
        except OSError as fault:
            # The answer is still there: its server takes no run until it is replaced.
            log.warning("warm.mailbox_not_emptied", server=self.folder.name, why=fault.strerror)


def slot_of(group: Path, number: int) -> Slot:
    """The present one of a number."""
    parts = [name.partition(".") for name in _names(group)]
    epochs = [int(epoch) for own, dot, epoch in parts if dot and own == str(number)]
    return Slot(group / (f"{number}.{max(epochs)}" if epochs else str(number)), number)


def passed_over(group: Path) -> list[Slot]:
    """Those that another has taken the place of."""
    numbered = sorted(name for name in _names(group) if name[:1].isdecimal())
    found = [Slot(group / name, int(name.partition(".")[0])) for name in numbered]
    return [one for one in found if one != slot_of(group, one.number)]


def _names(folder: Path) -> list[str]:
    """What is in a folder; raises OSError where nobody can look, unlike glob() of later Pythons."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _take(descriptor: int, *, until: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise SlotHeld from None
            time.sleep(_STEP_SECONDS)
        else:
            return


def now() -> float:
    return datetime.now(UTC).timestamp()


def write(path: Path, data: dict[str, Any], *, mode: int = 0o600) -> None:
    """Write whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(data), "utf-8")
    part.chmod(mode)
    part.replace(path)
