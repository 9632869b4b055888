"""Which files stand behind the gates of a deployment, and whether one that asks for it has none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from marketplace.models import Gate, GateFile
from vendors import filing

Kind = Gate.Kind
# The regulatory snapshot is looked up, and call-offs are asked: the others are decided on a paper.
ASKS_FOR_FILE = frozenset(Kind) - {Kind.REGULATORY_SNAPSHOT, Kind.CALL_OFF_LINE}


def behind(owners: Mapping[Kind, int]) -> dict[Kind, list[GateFile]]:
    """Every file of each gate, in the order in which they came; ``owners`` are deployments."""
    rows = filing.whole(GateFile.objects.filter(deployment__in=set(owners.values())))
    found: dict[tuple[int, str], list[GateFile]] = defaultdict(list)
    for one in rows:
        found[one.deployment_id, one.gate].append(one)
    return {kind: found[owner, kind] for kind, owner in owners.items()}


def standing(files: list[GateFile]) -> list[GateFile]:
    """Those whose place no newer one took."""
    return [one for one in files if not one.is_replaced]


def is_missing(kind: Kind, files: list[GateFile]) -> bool:
    """Whether the gate asks for a document, and no file of it is kept here."""
    return kind in ASKS_FOR_FILE and not standing(files)
