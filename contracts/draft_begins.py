"""What a new draft of a call-off says before anybody has typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from contracts import competed
from contracts.acting import OFFICER
from contracts.models import CallOff, FrameworkAgreement
from hub.access import organisations_of


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a new draft says before anybody typed: codes by field, and codes of its lines."""

    fields: dict[str, str] = field(default_factory=dict)
    lines: list[dict[str, str]] = field(default_factory=list)


def following_from(framework: FrameworkAgreement, code: str, *, user: Any) -> Beginning:
    """The draft that follows from a competition: its winner, what was offered, the own sites.

    Nothing where the user buys for nobody who took part.
    """
    mine = organisations_of(user, roles=OFFICER)
    found = [one for one in competed.under(framework, for_any=mine) if code and one.code == code]
    if not found:
        return Beginning()
    row = found[0]
    sites = competed.sites_of(row)
    own = sites if mine is None else sites.filter(organisation__in=mine)
    said = {
        "mode": CallOff.Mode.MINI_COMPETITION.value, "competition": row.code, "lot": row.lot,
        "supplier": row.winner.vendor.code if row.winner else "",
        "organisation": own[0].organisation.code if own else "",
    }  # fmt: skip
    algorithms = sorted(competed.won_with(row) or ())
    return Beginning(said, [
        {"algorithm": algorithm, "site": site.code} for algorithm in algorithms for site in own
    ])  # fmt: skip
