"""What the processes of a hub hold open: files, threads and children."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import astuple, dataclass
from pathlib import Path

from tests.fakes.running_hub import RunningHub

# database, write-ahead log and its index
_FILES_OF_A_THREAD = 3


@dataclass(frozen=True, slots=True)
class Holdings:
    """Of one process, or the most of several of one name."""

    files: int
    threads: int
    children: int

    def exceeds(self, before: Holdings, *, files: int, threads: int) -> bool:
        """Whether it is more than before and so much, or any child more.

        A thread more has a connection to the database of its own.
        """
        more_threads = max(self.threads - before.threads, 0)
        return (
            self.files > before.files + files + _FILES_OF_A_THREAD * more_threads
            or more_threads > threads
            or self.children > before.children
        )


def holdings(hub: RunningHub) -> dict[str, list[Holdings]]:
    """What each process holds, by the name that ps shows."""
    assert hub.process is not None
    found: defaultdict[str, list[Holdings]] = defaultdict(list)
    for pid in [hub.process.pid, *hub.descendants()]:
        try:
            root = Path(f"/proc/{pid}")
            name = (root / "comm").read_text().strip()
            children = (root / f"task/{pid}/children").read_text().split()
            held = Holdings(
                len(list((root / "fd").iterdir())), len(list((root / "task").iterdir())),
                len(children),
            )  # fmt: skip
        except OSError:
            continue
        found[name].append(held)
    return dict(found)


def most(*seen: dict[str, list[Holdings]]) -> dict[str, Holdings]:
    """The most that any process of a name was seen to hold."""
    every: defaultdict[str, list[Holdings]] = defaultdict(list)
    for one in seen:
        for name, held in one.items():
            every[name] += held
    return {
        name: Holdings(*map(max, zip(*map(astuple, held), strict=True)))
        for name, held in every.items()
    }
