"""How much of an agreement is bound, and when that is told."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.utilisation import Bound, Utilisation, percent, total

MILLION = Decimal(1_000_000)
money = st.decimals(0, 10**9, places=2)


def test_the_worked_example_of_the_hard_stop() -> None:
    held = Utilisation(Decimal("31.2") * MILLION, 40 * MILLION)

    assert not held.has_room_for(9 * MILLION)
    assert held.with_more(9 * MILLION).used == Decimal("40.2") * MILLION
    assert held.headroom == Decimal("8.8") * MILLION
    assert held.percent == Decimal("78.00")


def test_each_call_off_binds_the_greater_of_what_it_committed_and_what_was_invoiced() -> None:
    bounds = [
        Bound(Decimal(10), Decimal(3)),
        Bound(Decimal(10), Decimal(12)),
        Bound(Decimal(10), Decimal(4), is_committed=False),
    ]
    assert total(bounds) == 26


@pytest.mark.parametrize(
    ("used", "warning"),
    [("69.99", None), ("70", 70), ("84.99", 70), ("85", 85), ("94.99", 85), ("95", 95), ("99", 95)],
)
def test_those_concerned_are_told_from_each_threshold_on(used: str, warning: int | None) -> None:
    assert Utilisation(Decimal(used), Decimal(100)).warning == warning


def test_of_an_agreement_for_nothing_everything_is_used() -> None:
    assert percent(Decimal(0), Decimal(0)) == 100
    assert not Utilisation(Decimal(0), Decimal(0)).has_room_for(Decimal("0.01"))


@given(st.lists(st.tuples(money, money)), money, money)
def test_what_has_room_leaves_headroom_and_what_has_not_would_pass_the_maximum(
    rows: list[tuple[Decimal, Decimal]], maximum: Decimal, new: Decimal
) -> None:
    held = Utilisation(total(Bound(*row) for row in rows), maximum)

    assert held.has_room_for(new) == (held.with_more(new).headroom >= 0)
    assert held.used >= max((max(row) for row in rows), default=Decimal(0))
