"""Credits for a month in which the service fell short: late, failed, not available."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from contracts.pricing.agreement import Line
from contracts.pricing.basis import Basis
from contracts.pricing.ledger import Kind, Ledger, Snapshot
from contracts.pricing.money import ZERO, rounded
from contracts.pricing.periods import Period, month_of
from contracts.pricing.terms import Band, Scope, ServiceLevel


def credit_service(basis: Basis, ledger: Ledger, *, priced_as: str) -> None:
    """Post the credit of each line and month: together within the cap and what the month came to.

    A credit is a share of the month's charge before discounts, and is taken after them.
    """
    months: dict[Period, list[Period]] = {}
    for slot in basis.slots:
        months.setdefault(month_of(slot.start), []).append(slot)
    for month, slots in months.items():
        price = basis.price(priced_as, slots[-1])
        if price is None or price.sla is None:
            continue
        for line in basis.lines_of(priced_as):
            _credit(basis, ledger, line, terms=price.sla, month=month, slots=slots)


def credit(parts: Iterable[Decimal], *, charge: Decimal, net: Decimal, cap: Decimal) -> Decimal:
    """The parts together, within ``cap`` of the charge, and never more than is paid (``net``)."""
    return min(rounded(cap * charge), sum(parts, ZERO), max(ZERO, net))


def late_credit(late: int, *, charge: Decimal, units: int, share: Decimal) -> Decimal:
    """``share`` of the average price of each late result."""
    return rounded(late * charge * share / units) if units else ZERO


def _credit(
    basis: Basis, ledger: Ledger, line: Line, *, terms: ServiceLevel, month: Period,
    slots: list[Period],
) -> None:  # fmt: skip
    counts = [basis.count(line, slot) for slot in slots]
    units, late = sum(one.units for one in counts), sum(one.late for one in counts)
    failed = sum(one.failed for one in counts)
    usage = max(ZERO, ledger.posted(line, slots, kind=Kind.USAGE))
    charge = usage + max(ZERO, ledger.posted(line, slots, kind=Kind.FEE))
    parts = {
        "late": late_credit(late, charge=usage, units=units, share=terms.late),
        "availability": rounded(charge * _unavailable(basis, line, month, terms)),
        "failed": rounded(charge * _failing(failed, units + failed, terms)),
    }
    net = ledger.posted(line, slots)
    total = credit(parts.values(), charge=charge, net=net, cap=terms.cap)
    told = tuple((name, str(part)) for name, part in parts.items() if part)
    counted = (("late_results", str(late)), ("failed_jobs", str(failed)))
    snapshot = Snapshot(
        month, slots[-1].last, Scope.CALL_OFF, line.call_off, units, charge, units, -total,
        details=told + counted,
    )  # fmt: skip
    ledger.post(Kind.SERVICE, line, slots[-1], amount=-total, snapshot=snapshot)


def _unavailable(basis: Basis, line: Line, month: Period, terms: ServiceLevel) -> Decimal:
    shares = [
        one.share
        for one in basis.usages.availability
        if one.line == line.key and month_of(one.month) == month
    ]
    return _greatest(band for band in terms.availability if any(x < band.bound for x in shares))


def _failing(failed: int, jobs: int, terms: ServiceLevel) -> Decimal:
    return _greatest(band for band in terms.failed if failed > band.bound * jobs)


def _greatest(bands: Iterable[Band]) -> Decimal:
    return max((band.credit for band in bands), default=ZERO)
