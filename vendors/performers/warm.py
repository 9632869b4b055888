"""Algorithms that stay up between runs, because their model takes minutes to load.

A server is itself a run of the performer of its kind, with the same walls and limits; its output
folder is a mailbox in which it is given one run after another (docs/reference/warm-serving.md).
All that is known stands in files: whichever worker asks finds the same. A server is of one version
and one organisation; one that crashes or hangs fails the run that it had, and no other.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from vendors.manifest import PerformerSpec
from vendors.performers.attendant import ANSWER, REQUEST, read_answer, wipe
from vendors.performers.base import Limits, Performer, Progress, Run, SubmitFailed, is_final
from vendors.performers.files import bytes_below, open_to_all, read_json, why_too_much

log = structlog.get_logger(__name__)

# a server is replaced once it is so old, between two runs
LONGEST_SECONDS = 86_400
# a server that is not ready by then never will be
LOADING_SECONDS = 1800.0
# one above ``min`` is stopped once it has had nothing to do for so long
IDLE_SECONDS = 600.0
_LONGEST_WHY = 500


class AnswerUnread(Exception):
    """A server left something in place of an answer that is none."""


@dataclass(frozen=True, slots=True)
class WarmPerformer:
    """Gives runs to servers that ``inner`` keeps; ``root`` is theirs, beside the runs' folders.

    ``Run.group`` tells whose runs may follow each other in one server.
    """

    inner: Performer
    root: Path

    def submit(self, run: Run) -> None:
        """Give the run to a server that is free, started where it must be; raises SubmitFailed."""
        if not run.group:
            raise SubmitFailed("it is not known whose run it is", is_permanent=True)
        try:
            if self._slot_of(run) is not None:
                return
            for slot in self._slots(run.group, run.spec):
                with slot.lock():
                    if slot.given is None:
                        self._give(slot, run)
                        return
        except OSError as error:
            raise SubmitFailed(f"the run could not be handed over: {error.strerror}") from error
        raise SubmitFailed(f"all {run.spec.most_servers} servers are at work")

    def poll(self, run: Run) -> Progress:
        """How the run stands; stops a server that is past the time of its run."""
        slot = self._slot_of(run)
        if slot is None:
            return _kept_outcome(run)
        with slot.lock():
            given = slot.given
            if given is None or given["run"] != run.name:
                return _kept_outcome(run)
            started_at = datetime.fromtimestamp(given["at"], UTC)
            try:
                answer = slot.answer_to(run.name)
            except AnswerUnread as fault:
                # It may still be at work: the next run gets a new server.
                self._stop(slot, run.spec)
                ended = Progress("failed", str(fault), exit_code=1, is_retryable=True)
                return self._end(slot, run, ended, started_at)
            if answer is not None:
                return self._take(slot, run, answer, started_at)
            return self._at_work(slot, run, started_at)

    def _at_work(self, slot: _Slot, run: Run, started_at: datetime) -> Progress:
        # the input lies in the mailbox, and is not what the algorithm wrote
        given = bytes_below(slot.mailbox / run.name / "input")
        limits = replace(run.limits, output_bytes=run.limits.output_bytes + given)
        server = self.inner.poll(slot.server(run.spec, limits))
        if server.state == "silent":
            return server
        if server.state != "running":
            return self._lost(slot, run, server, started_at)
        if why := slot.why_too_long(run.spec.timeout_seconds):
            self._stop(slot, run.spec)
            return self._end(slot, run, Progress("failed", why, is_retryable=True), started_at)
        return Progress("running", started_at=started_at)

    def cancel(self, run: Run) -> None:
        """Stop the server that has the run, and leave nothing of the run behind."""
        slot = self._slot_of(run)
        if slot is not None:
            with slot.lock():
                if slot.given is not None and slot.given["run"] == run.name:
                    self._stop(slot, run.spec)
                    slot.clear()
        _outcome_file(run).unlink(missing_ok=True)

    def cleanup(self, run: Run) -> None:
        """Forget a run; a server that still has it is stopped."""
        self.cancel(run)

    def tend(self, group: str, spec: PerformerSpec) -> int:
        """Start what ``min`` asks for, stop what has been idle for long; how many were touched."""
        count = 0
        for slot in self._slots(group, spec):
            if not slot.folder.exists():
                continue
            with slot.lock():
                if slot.given is None:
                    count += self._tend(slot, spec)
        return count

    def _tend(self, slot: _Slot, spec: PerformerSpec) -> int:
        is_up = slot.has_server and self._is_up(slot, spec)
        if slot.number < spec.least_servers:
            if not is_up:
                self._start(slot, spec, Limits())
            return int(not is_up)
        if is_up and slot.idle_seconds > IDLE_SECONDS:
            self._stop(slot, spec)
            return 1
        return 0

    def _slots(self, group: str, spec: PerformerSpec) -> Iterator[_Slot]:
        most = range(spec.most_servers)
        return (_Slot(self.root / group / str(number), number) for number in most)

    def _slot_of(self, run: Run) -> _Slot | None:
        for slot in self._slots(run.group, run.spec):
            given = slot.given
            if given is not None and given["run"] == run.name:
                return slot
        return None

    def _give(self, slot: _Slot, run: Run) -> None:
        slot.empty_mailbox()
        if not slot.has_server or not self._is_up(slot, run.spec):
            self._start(slot, run.spec, run.limits)
        folder = slot.mailbox / run.name
        folder.mkdir(mode=0o755)
        shutil.move(run.input_dir, folder / "input")
        (folder / "output").mkdir()
        open_to_all(folder / "input", folder / "output")
        slot.give(run.name)

    def _is_up(self, slot: _Slot, spec: PerformerSpec) -> bool:
        is_young = slot.server_seconds < LONGEST_SECONDS / 2
        state = self.inner.poll(slot.server(spec, Limits())).state
        if state == "running" and is_young:
            return True
        self._stop(slot, spec)
        return False

    def _start(self, slot: _Slot, spec: PerformerSpec, limits: Limits) -> None:
        slot.next_server()
        self.inner.submit(slot.server(spec, limits))

    def _stop(self, slot: _Slot, spec: PerformerSpec) -> None:
        self.inner.cancel(slot.server(spec, Limits()))
        slot.forget_server()

    def _take(
        self, slot: _Slot, run: Run, answer: dict[str, Any], started_at: datetime
    ) -> Progress:
        """Keep what the server made of the run; the mailbox is empty afterwards."""
        output = slot.mailbox / run.name / "output"
        if output.is_dir() and not output.is_symlink():
            shutil.rmtree(run.output_dir, ignore_errors=True)
            output.rename(run.output_dir)
        code = answer["exit_code"]
        why = why_too_much(run) or (_why(answer) if code else "")
        is_retryable = bool(code) and not is_final(code)
        state = "failed" if why else "succeeded"
        ended = Progress(state, why, exit_code=code, is_retryable=is_retryable)  # type: ignore[arg-type]
        return self._end(slot, run, ended, started_at)

    def _lost(self, slot: _Slot, run: Run, server: Progress, started_at: datetime) -> Progress:
        """The server ended without an answer: this run has failed, the next gets a new server."""
        # what it wrote for earlier runs is about other patients
        log_tail = server.log_tail if slot.served == 1 else ()
        why = f"the warm server ended: {server.why or 'without a word'}"
        self._stop(slot, run.spec)
        ended = Progress("failed", why, server.exit_code, log_tail, is_retryable=True)
        return self._end(slot, run, ended, started_at)

    def _end(self, slot: _Slot, run: Run, ended: Progress, started_at: datetime) -> Progress:
        told = replace(ended, started_at=started_at, finished_at=datetime.now(UTC))
        run.work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(_outcome_file(run), {
            "state": told.state, "why": told.why, "exit_code": told.exit_code,
            "log_tail": told.log_tail, "is_retryable": told.is_retryable,
            "started_at": started_at.timestamp(), "finished_at": datetime.now(UTC).timestamp(),
        })  # fmt: skip
        slot.clear()
        return told


@dataclass(frozen=True, slots=True)
class _Slot:
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
        return _now() - float(self._known.get("since", 0.0))

    @property
    def idle_seconds(self) -> float:
        return _now() - float(self._known.get("idle_since", 0.0))

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """One worker at a time."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def server(self, spec: PerformerSpec, limits: Limits) -> Run:
        """The present server as a run of the performer below."""
        group = self.folder.parent.name
        return Run(
            f"warm-{group}-{self.number}-{self._known['generation']}",
            replace(spec, timeout_seconds=LONGEST_SECONDS),
            self.folder / "nothing", self.mailbox, self.folder / "work", limits,
        )  # fmt: skip

    def next_server(self) -> None:
        """A server of a new name, with folders that nobody has used."""
        generation = self._known["generation"] + 1
        for name in ("work", "mailbox", "nothing"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir(mode=0o700)
        known = {"generation": generation, "up": True, "served": 0, "since": _now()}
        _write(self.folder / "server.json", known | {"idle_since": _now()})

    def forget_server(self) -> None:
        _write(self.folder / "server.json", self._known | {"up": False})

    def give(self, name: str) -> None:
        """Tell the server; from now on the run is its."""
        _write(self.folder / "given.json", {"run": name, "at": _now()})
        _write(self.folder / "server.json", self._known | {"served": self.served + 1})
        request = {"run": name, "input": f"{name}/input", "output": f"{name}/output"}
        _write(self.mailbox / REQUEST, request, mode=0o644)

    def why_too_long(self, timeout_seconds: float) -> str:
        """Why its run should have ended; the time of a run begins once the server is ready."""
        given_at = float((self.given or {}).get("at", _now()))
        try:
            ready_at = (self.mailbox / "ready").lstat().st_mtime
        except FileNotFoundError:
            is_late = _now() - given_at > max(LOADING_SECONDS, timeout_seconds)
            return f"was not ready after {LOADING_SECONDS:g} s" if is_late else ""
        # an algorithm may set any time on its file
        since = max(given_at, min(ready_at, given_at + LOADING_SECONDS))
        return f"timed out after {timeout_seconds} s" if _now() - since > timeout_seconds else ""

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
        _write(self.folder / "server.json", self._known | {"idle_since": _now()})
        (self.folder / "given.json").unlink(missing_ok=True)

    def empty_mailbox(self) -> None:
        if not self.mailbox.exists():
            return
        try:
            wipe(str(self.mailbox))
        except OSError as fault:
            # The answer is still there: its server takes no run until it is replaced.
            log.warning("warm.mailbox_not_emptied", server=self.folder.name, why=fault.strerror)


def _outcome_file(run: Run) -> Path:
    return run.work_dir / "warm.json"


def _kept_outcome(run: Run) -> Progress:
    kept = read_json(_outcome_file(run))
    if kept is None:
        return Progress("unknown", why="no such run was started here")
    return Progress(
        kept["state"], kept["why"], kept["exit_code"], tuple(kept["log_tail"]),
        datetime.fromtimestamp(kept["started_at"], UTC),
        datetime.fromtimestamp(kept["finished_at"], UTC), kept["is_retryable"],
    )  # fmt: skip


def _why(answer: dict[str, Any]) -> str:
    said = str(answer.get("why") or "")[:_LONGEST_WHY]
    printable = "".join(c if c.isprintable() else " " for c in said)
    return printable or f"ended with exit code {answer['exit_code']}"


def _now() -> float:
    return datetime.now(UTC).timestamp()


def _write(path: Path, data: dict[str, Any], *, mode: int = 0o600) -> None:
    """Write whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(data), "utf-8")
    part.chmod(mode)
    part.replace(path)
