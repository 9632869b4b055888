"""A bonus or malus on a contract year by what was measured in it against a target."""

from __future__ import annotations

from decimal import Decimal
from statistics import NormalDist

from contracts.pricing.agreement import Line, Measured
from contracts.pricing.basis import Basis
from contracts.pricing.ledger import Kind, Ledger, Snapshot
from contracts.pricing.money import ONE, ZERO, rounded
from contracts.pricing.periods import Period, contract_year_of
from contracts.pricing.terms import Outcome, Scope


def adjust_for_outcome(basis: Basis, ledger: Ledger, *, priced_as: str) -> None:
    """Post the adjustment of each contract year that is over and was measured, in its last slot.

    What was measured of an algorithm is so for each of its lines, whatever their prices.
    """
    lines = basis.lines_of(priced_as)
    for slot in basis.slots:
        year = contract_year_of(slot.start, begins=basis.begins)
        price = basis.price(priced_as, slot)
        if slot.last != year.last or price is None or price.outcome is None:
            continue
        for one in basis.usages.measured:
            is_of_year = contract_year_of(one.day, begins=basis.begins) == year
            of = [line for line in lines if line.algorithm == one.algorithm]
            if is_of_year and one.kpi == price.outcome.kpi:
                _post(basis, ledger, of, measured=one, terms=price.outcome, slot=slot)


def adjustment(terms: Outcome, *, successes: int, n: int) -> Decimal:
    """``clip(s * (m - m*) / m*, -malus_cap, +bonus_cap)``, as a share of the base.

    A bonus is due only where n is large enough and the lower bound of Wilson's interval is above
    the target; a malus as soon as the measured share is below it.
    """
    if n == 0:
        return ZERO
    found = terms.slope * (Decimal(successes) / n - terms.target) / terms.target
    if found <= ZERO:
        return max(-terms.malus_cap, found)
    is_sure = wilson_lower_bound(successes, n=n, confidence=terms.confidence) > terms.target
    return min(terms.bonus_cap, found) if n >= terms.min_n and is_sure else ZERO


def wilson_lower_bound(successes: int, *, n: int, confidence: Decimal) -> Decimal:
    """The lower bound of Wilson's score interval for ``successes`` of ``n``."""
    z = Decimal(str(NormalDist().inv_cdf(float((ONE + confidence) / 2))))
    share, square = Decimal(successes) / n, z * z
    spread = z * (share * (ONE - share) / n + square / (4 * n * n)).sqrt()
    return (share + square / (2 * n) - spread) / (ONE + square / n)


def _post(
    basis: Basis, ledger: Ledger, lines: list[Line], *, measured: Measured, terms: Outcome,
    slot: Period,
) -> None:  # fmt: skip
    year = contract_year_of(slot.start, begins=basis.begins)
    by = adjustment(terms, successes=measured.successes, n=measured.n)
    slots = [one for one in basis.slots if year.start <= one.start < year.end]
    details = (("kpi", terms.kpi), ("measured", f"{measured.successes}/{measured.n}"))
    for line in lines:
        base = max(ZERO, ledger.posted(line, slots))
        due = rounded(base * by)
        snapshot = Snapshot(
            year, slot.last, Scope.CALL_OFF, line.call_off, 0, base, 0, due, details=details
        )
        ledger.post(Kind.OUTCOME, line, slot, amount=due, snapshot=snapshot)
