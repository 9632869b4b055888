"""Algorithms that stay up between runs, because their model takes minutes to load.

A server is itself a run of the performer of its kind, with the same walls and limits; its output
folder is a mailbox in which it is given one run after another (docs/reference/warm-serving.md).
All that is known stands in files: whichever worker asks finds the same. A server is of one version
and one organisation; one that crashes or hangs fails the run that it had, and no other.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from vendors.manifest import PerformerSpec
from vendors.performers.base import Limits, Performer, Progress, Run, SubmitFailed, is_final
from vendors.performers.files import bytes_below, open_to_all, read_json, why_too_much
from vendors.performers.warm_slots import (
    LONGEST_SECONDS,
    AnswerUnread,
    Slot,
    SlotHeld,
    passed_over,
    slot_of,
    write,
)

log = structlog.get_logger(__name__)

# one above ``min`` is stopped once it has had nothing to do for so long
IDLE_SECONDS = 600.0
# to start or to stop a server takes seconds
HELD_SECONDS = 5.0
_LONGEST_WHY = 500
_STANDS_STILL = "the worker that holds its server does not go on"


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
            held = self._hand_over(run)
        except OSError as error:
            raise SubmitFailed(f"the run could not be handed over: {error.strerror}") from error
        if held is not None:
            if held.is_stale:
                self._pass_over(held, run.spec)
            why = f"the worker that holds server {held.number} does not go on"
            raise SubmitFailed(why, is_away=True)

    def _hand_over(self, run: Run) -> Slot | None:
        """Give the run to a server that is free; where others hold all of these, one of them."""
        if next(self._slots_with(run), None) is not None:
            return None
        held = None
        # who holds one for a moment is waited for only where no other is free
        for seconds in (0.0, HELD_SECONDS):
            held = None
            for slot in self._slots(run.group, run.spec):
                try:
                    if self._takes(slot, run, seconds=seconds):
                        return None
                except SlotHeld:
                    held = slot
            if held is None:
                raise SubmitFailed(f"all {run.spec.most_servers} servers are at work")
        return held

    def _takes(self, slot: Slot, run: Run, *, seconds: float) -> bool:
        if slot.given is not None:
            return False
        with slot.lock(seconds=seconds):
            if slot.given is not None:
                return False
            self._give(slot, run)
            return True

    def poll(self, run: Run) -> Progress:
        """How the run stands; stops a server that is past the time of its run."""
        slot = next(self._slots_with(run), None)
        if slot is None:
            return _kept_outcome(run)
        try:
            with slot.lock(seconds=HELD_SECONDS):
                return self._look(slot, run)
        except SlotHeld:
            if not slot.is_stale:
                return Progress("silent", _STANDS_STILL)
            self._pass_over(slot, run.spec)
            return Progress("failed", _STANDS_STILL, is_retryable=True, is_disruption=True)

    def _look(self, slot: Slot, run: Run) -> Progress:
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

    def _at_work(self, slot: Slot, run: Run, started_at: datetime) -> Progress:
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
        for slot in self._slots_with(run):
            try:
                with slot.lock(seconds=HELD_SECONDS):
                    if slot.given is not None and slot.given["run"] == run.name:
                        self._stop(slot, run.spec)
                        slot.clear()
            except SlotHeld as fault:
                if not slot.is_stale:
                    raise SubmitFailed(_STANDS_STILL, is_away=True) from fault
                self._pass_over(slot, run.spec)
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
            with suppress(SlotHeld), slot.lock():
                if slot.given is None:
                    count += self._tend(slot, spec)
        for slot in passed_over(self.root / group):
            with suppress(SlotHeld), slot.lock():
                count += self._clear_away(slot, spec)
        return count

    def _clear_away(self, slot: Slot, spec: PerformerSpec) -> int:
        """Leave nothing of one that was passed over, once it is at work for nobody."""
        is_up = self.inner.poll(slot.server(spec, Limits())).state == "running"
        if is_up and slot.given is not None and not slot.why_too_long(spec.timeout_seconds):
            return 0
        self._stop(slot, spec)
        shutil.rmtree(slot.folder, ignore_errors=True)
        return 1

    def _pass_over(self, slot: Slot, spec: PerformerSpec) -> None:
        """Do without a server whose worker stands still: it may, when it wakes, touch its own."""
        log.warning("warm.passed_over", group=slot.folder.parent.name, server=slot.folder.name)
        slot.pass_over()
        with suppress(SubmitFailed):
            self.inner.cancel(slot.server(spec, Limits()))

    def _tend(self, slot: Slot, spec: PerformerSpec) -> int:
        is_up = slot.has_server and self._is_up(slot, spec)
        if slot.number < spec.least_servers:
            if not is_up:
                self._start(slot, spec, Limits())
            return int(not is_up)
        if is_up and slot.idle_seconds > IDLE_SECONDS:
            self._stop(slot, spec)
            return 1
        return 0

    def _slots(self, group: str, spec: PerformerSpec) -> Iterator[Slot]:
        return (slot_of(self.root / group, number) for number in range(spec.most_servers))

    def _slots_with(self, run: Run) -> Iterator[Slot]:
        """More than one only where a worker that stood still gave it once more."""
        for slot in (*self._slots(run.group, run.spec), *passed_over(self.root / run.group)):
            given = slot.given
            if given is not None and given["run"] == run.name:
                yield slot

    def _give(self, slot: Slot, run: Run) -> None:
        slot.empty_mailbox()
        if not slot.has_server or not self._is_up(slot, run.spec):
            self._start(slot, run.spec, run.limits)
        folder = slot.mailbox / run.name
        folder.mkdir(mode=0o755)
        shutil.move(run.input_dir, folder / "input")
        (folder / "output").mkdir()
        open_to_all(folder / "input", folder / "output")
        slot.give(run.name)

    def _is_up(self, slot: Slot, spec: PerformerSpec) -> bool:
        is_young = slot.server_seconds < LONGEST_SECONDS / 2
        state = self.inner.poll(slot.server(spec, Limits())).state
        if state == "running" and is_young:
            return True
        self._stop(slot, spec)
        return False

    def _start(self, slot: Slot, spec: PerformerSpec, limits: Limits) -> None:
        slot.next_server()
        self.inner.submit(slot.server(spec, limits))

    def _stop(self, slot: Slot, spec: PerformerSpec) -> None:
        self.inner.cancel(slot.server(spec, Limits()))
        slot.forget_server()

    def _take(
        self, slot: Slot, run: Run, answer: dict[str, Any], started_at: datetime
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

    def _lost(self, slot: Slot, run: Run, server: Progress, started_at: datetime) -> Progress:
        """The server ended without an answer: this run has failed, the next gets a new server."""
        # what it wrote for earlier runs is about other patients
        log_tail = server.log_tail if slot.served == 1 else ()
        why = f"the warm server ended: {server.why or 'without a word'}"
        self._stop(slot, run.spec)
        ended = Progress("failed", why, server.exit_code, log_tail, is_retryable=True)
        return self._end(slot, run, ended, started_at)

    def _end(self, slot: Slot, run: Run, ended: Progress, started_at: datetime) -> Progress:
        told = replace(ended, started_at=started_at, finished_at=datetime.now(UTC))
        run.work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        write(_outcome_file(run), {
            "state": told.state, "why": told.why, "exit_code": told.exit_code,
            "log_tail": told.log_tail, "is_retryable": told.is_retryable,
            "started_at": started_at.timestamp(), "finished_at": datetime.now(UTC).timestamp(),
        })  # fmt: skip
        slot.clear()
        return told


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
