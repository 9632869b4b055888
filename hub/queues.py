"""The queues of work, and which of them this process serves.

Each may have worker processes of its own: what is slow in one keeps none of the others waiting.
"""

from __future__ import annotations

from collections.abc import Iterable

# receive: is all of a study here, and the sweep. route: rules and contracts. run: what algorithms
# are given, and what they left. write_back: PACS and RIS. billing: usage, certificates, retention,
# and whatever else takes long and nobody waits for.
RECEIVE, ROUTE, RUN, WRITE_BACK, BILLING = "receive", "route", "run", "write_back", "billing"
QUEUES = (RECEIVE, ROUTE, RUN, WRITE_BACK, BILLING)


class UnknownQueue(ValueError):  # noqa: N818 (named by what failed)
    """No queue has that name; ``str()`` tells the names."""


class _Process:
    """What this process serves; one that is no worker counts as one that serves all."""

    queues: frozenset[str] = frozenset(QUEUES)


def read(text: str) -> tuple[str, ...]:
    """The queues named in a list with commas, each once; raises UnknownQueue.

    Deployments are named write-back, as Kubernetes allows no write_back, and that is taken too.
    """
    given = (name.strip().replace("-", "_") for name in text.split(","))
    names = tuple(dict.fromkeys(name for name in given if name))
    unknown = [name for name in names if name not in QUEUES]
    if unknown or not names:
        raise UnknownQueue(
            f"expected some of {','.join(QUEUES)}, found {','.join(unknown) or 'none'}"
        )
    return names


def workers(text: str) -> list[tuple[str, ...]]:
    """The queues of each worker in a list with semicolons; raises UnknownQueue."""
    return [read(part) for part in text.split(";") if part.strip()]


def serve(names: Iterable[str]) -> None:
    """Say which queues this process serves."""
    _Process.queues = frozenset(names)


def serves_alone(name: str) -> bool:
    """Whether this process serves that queue and no other."""
    return _Process.queues == {name}
