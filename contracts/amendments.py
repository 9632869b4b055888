"""How far an agreement was changed after it was signed, in percent of what it was: pure rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _

from contracts.utilisation import percent
from vendors import legal
from vendors.legal import Fact

# the limit is held against all modifications with this reason together, not against each
TOGETHER = ("mod-minv",)


@dataclass(frozen=True, slots=True)
class Change:
    """One amendment: the value of the agreement before and after it, and the reason (BT-200)."""

    number: int
    agreed: date
    reason: str
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class Step:
    """An amendment with its share of the original value, and that of all so far.

    ``excess`` says which limit of the law it passes, "" where none.
    """

    change: Change
    percent: Decimal
    cumulative: Decimal
    excess: str


def steps(changes: Iterable[Change], *, added: Iterable[Fact] = ()) -> Iterator[Step]:
    """Each amendment in its order; the original value is that before the first of them."""
    ordered, known = sorted(changes, key=lambda one: one.number), tuple(added)
    together: dict[str, Decimal] = {}
    total = Decimal(0)
    for change in ordered:
        original = ordered[0].before
        delta = change.after - change.before
        total += delta
        together[change.reason] = together.get(change.reason, Decimal(0)) + delta
        held = together[change.reason] if change.reason in TOGETHER else delta
        yield Step(
            change,
            percent(delta, original),
            percent(total, original),
            _excess(change, percent(held, original), known),
        )


def _excess(change: Change, share: Decimal, added: tuple[Fact, ...]) -> str:
    most = legal.limit_in_force(f"amendment.{change.reason}", on=change.agreed, added=added)
    if most is None or share <= most.number:
        return ""
    text = _("%(share)s percent of the original value, where %(reason)s allows %(most)s percent "
             "(%(source)s)")  # fmt: skip
    return text % {
        "share": share, "reason": change.reason, "most": f"{most.number:.0f}",
        "source": most.source,
    }  # fmt: skip
