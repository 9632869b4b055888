"""What every way of running an algorithm offers: submit, poll, cancel, cleanup."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from vendors.manifest import PerformerSpec

# unknown: there is no such run. silent: whoever would know does not answer, and it may be running
State = Literal["unknown", "silent", "running", "succeeded", "failed"]
Settings = Mapping[str, Mapping[str, Any]]

# modules of this package that are no way of running
NOT_A_KIND = frozenset(
    {"base", "shim", "files", "carrier", "attendant", "warm", "warm_slots", "kubernetes_warm"}
)
# what runs where the hub's folders are not: input and output travel by HTTP (Run.transfer)
CARRIED = frozenset({"kubernetes"})
# contract with vendors: bad input, unsupported, bad configuration; the same run would end the same
FINAL_EXIT_CODES = frozenset({64, 65, 66, 78})
LOG_TAIL_LINES = 50
RUN_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")


class SubmitFailed(Exception):
    """A run could not be started; ``is_permanent`` when trying again would fail the same way.

    ``is_away``: whatever would start it does not answer, which is no word about the run.
    """

    def __init__(
        self, reason: str, *, is_permanent: bool = False, is_away: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_permanent = is_permanent
        self.is_away = is_away


class PerformerRefused(Exception):
    """The settings allow no performer of this kind, or no such kind is known."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may take beyond the resources of its manifest, in bytes and counts."""

    log_bytes: int = 1024 * 1024
    output_bytes: int = 1024**3
    # of the disk that the output is on: the hub needs room to receive what comes
    least_free_bytes: int = 1024**3
    scratch_bytes: int = 1024**3
    shared_memory_bytes: int = 256 * 1024**2
    process_count: int = 512


@dataclass(frozen=True, slots=True)
class Transfer:
    """Where a run that is elsewhere fetches its input and brings its output, and by which tokens.

    A token is good for this run and one direction alone; keep it where the algorithm cannot read
    it. ``input_bytes``: size of the tar that is fetched, 0 before the input was staged.
    """

    input_url: str
    input_token: str = field(repr=False)
    output_url: str
    output_token: str = field(repr=False)
    input_bytes: int


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of an algorithm, told from all others by ``name``.

    ``input_dir`` and ``output_dir`` hold what goes in and comes out and nothing else; ``work_dir``
    is the performer's own. All three lie in a folder that others of this host cannot enter.
    ``transfer`` is set for the CARRIED kinds alone. ``labels`` lead to its Workitem, and say
    nothing of the patient.
    """

    name: str
    spec: PerformerSpec
    input_dir: Path
    output_dir: Path
    work_dir: Path
    limits: Limits = field(default_factory=Limits)
    transfer: Transfer | None = None
    # 1 is the most urgent, 5 the least (Requested Procedure Priority); what may be told of it
    priority: int = 4
    labels: Mapping[str, str] = field(default_factory=dict)
    # of one version and organisation: only runs of one group follow each other in a warm server
    group: str = ""

    def __post_init__(self) -> None:
        if not RUN_NAME.fullmatch(self.name):
            raise ValueError(f"a run is named by small letters, digits, . and -: {self.name!r}")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come; ``why`` is a sentence for people, set when it did not succeed.

    ``log_tail`` is the last lines that the algorithm wrote: show it to administrators only, for an
    algorithm that was given the study as it came may have written who the patient is.
    """

    state: State
    why: str = ""
    exit_code: int | None = None
    log_tail: tuple[str, ...] = ()
    started_at: datetime | None = None
    finished_at: datetime | None = None
    is_retryable: bool = False
    # taken away by what runs it: run again, and no attempt of the algorithm
    is_disruption: bool = False
    # when it wants to be asked again; None: as often as its age says
    next_look: timedelta | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ("succeeded", "failed")

    @property
    def seconds(self) -> float:
        """For how long it ran, to a tenth; 0 where that is not known."""
        if self.started_at is None or self.finished_at is None:
            return 0.0
        return round((self.finished_at - self.started_at).total_seconds(), 1)


class Performer(Protocol):
    """A way of running; every method may be called from any process, and more than once."""

    def submit(self, run: Run) -> None:
        """Start the run unless one of this name was started; raises SubmitFailed."""

    def poll(self, run: Run) -> Progress:
        """How the run stands, also after whoever submitted it was killed; enforces its limits."""

    def cancel(self, run: Run) -> None:
        """Stop the run and leave nothing of it behind."""

    def cleanup(self, run: Run) -> None:
        """Forget a run that is over, once its output has been collected; stops one that is not."""


def performer_for(kind: str, settings: Settings) -> Performer:
    """The performer of ``kind``, set up from ``settings[kind]``; raises PerformerRefused.

    A kind is a module of this package with a ``make(settings) -> Performer``.
    """
    if kind not in known_kinds():
        raise PerformerRefused(f"no way of running {kind!r}; known: {', '.join(known_kinds())}")
    module = importlib.import_module(f"{__package__}.{kind}")
    return cast(Performer, module.make(settings.get(kind, {})))


def known_kinds() -> tuple[str, ...]:
    """The ways of running that this installation has, in alphabetical order."""
    return _KINDS


def _kinds_in(folder: Path) -> tuple[str, ...]:
    """Raises OSError where it cannot be listed: pkgutil would say that there are none."""
    names = {Path(name).stem for name in os.listdir(folder) if name.endswith(".py")}
    return tuple(sorted(names - NOT_A_KIND - {"__init__"}))


# Once, at the start: a process that may open no more files knows what there is all the same.
_KINDS = _kinds_in(Path(__file__).parent)


def is_final(exit_code: int) -> bool:
    """Whether this exit code says that trying again is of no use."""
    return exit_code in FINAL_EXIT_CODES
