"""What there is in the model of the way of a study, and which moves there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

STUDY_MOVES = {
    "receiving": {"complete"}, "complete": {"matched", "receiving"}, "matched": {"receiving"},
}  # fmt: skip
WORKITEM_MOVES = {
    "matched": {"entitled", "refused", "failed", "superseded"},
    "entitled": {"dispatched", "failed", "superseded"},
    "dispatched": {"collected", "failed", "entitled", "superseded"},
    "collected": {"writing_back", "held", "withheld", "failed", "superseded"},
    "held": {"collected", "rejected", "superseded"},
    "writing_back": {"written_back", "superseded", "rejected"},
    "written_back": {"superseded", "rejected"},
    "withheld": {"superseded"},
    "failed": {"matched", "superseded"},
    "refused": {"matched", "superseded"},
    "rejected": {"superseded"},
    "superseded": set[str](),
}
DELIVERY_MOVES = {
    "pending": {"delivered", "dead", "cancelled"},
    "dead": {"pending", "cancelled"},
    "delivered": set[str](),
    "cancelled": {"pending"},
}
AT_WORK = ("entitled", "dispatched")
STANDING = ("writing_back", "written_back")
AT_REST = ("refused", "failed", "superseded", "written_back")
# where a row must stand to be taken, by what is done with it
TAKEN_AT = {"dispatch": "entitled", "collect": "dispatched", "write_back": "collected"}
LAST_RUN, REVISIONS = 1, 2


class Lease(NamedTuple):
    """Of which worker, and whether it has not run out."""

    worker: int
    lasts: bool = True


@dataclass(frozen=True, slots=True)
class Item:
    """A Workitem: which run it is at, and which run its findings are of."""

    state: str = "matched"
    lease: Lease | None = None
    run: int = 0
    findings: int | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """A Delivery."""

    state: str = "pending"
    lease: Lease | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """What a worker is at: with which row, how far, and whether the row has still its number."""

    job: str
    item: int
    at: str = "taken"
    is_current: bool = True
    run: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds; a model without one of them must break."""

    fences: bool = True
    letters_wait: bool = True
    senders_are_paused: bool = False
    faults: int = 1


@dataclass(frozen=True, slots=True)
class World:
    """All that there is. ``runs`` are (item, number, how it goes), ``told`` in order of coming."""

    study: str = "receiving"
    revision: int = 1
    items: tuple[Item, ...] = ()
    letters: tuple[Letter | None, ...] = ()
    acts: tuple[Act | None, Act | None] = (None, None)
    runs: frozenset[tuple[int, int, str]] = frozenset()
    told: tuple[int, ...] = ()
    is_counted: bool = False
    faults: int = 0


def is_stray(item: Item, run: int) -> bool:
    """Whether nobody waits for a run."""
    return item.state not in AT_WORK or run < item.run


def row_of(act: Act) -> tuple[bool, int]:
    """Whether a worker is at a letter, and of which Workitem; or at that itself."""
    return act.job == "deliver", act.item
