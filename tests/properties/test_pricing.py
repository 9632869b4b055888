"""What must hold for every tariff: pricing never depends on luck."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from contracts.pricing import (
    Model,
    Phase,
    Price,
    Tier,
    amount,
    discount,
    discount_on,
    months_after,
)

unit_prices = st.decimals(min_value=0, max_value=500, places=2)
quantities = st.integers(min_value=0, max_value=200_000)


@st.composite
def tariffs(draw: st.DrawFn, model: Model = Model.GRADUATED, falling: bool = False) -> Price:
    bounds = sorted(draw(st.sets(st.integers(min_value=1, max_value=100_000), max_size=5)))
    prices = draw(st.lists(unit_prices, min_size=len(bounds) + 1, max_size=len(bounds) + 1))
    if falling:
        prices.sort(reverse=True)
    tiers = zip([*bounds, None], prices, strict=True)
    return Price(model, tuple(Tier(bound, price) for bound, price in tiers))


@given(price=tariffs(), lower=quantities, more=quantities)
def test_a_graduated_price_never_falls_when_more_is_used(
    price: Price, lower: int, more: int
) -> None:
    assert amount(price, lower) <= amount(price, lower + more)


@given(price=tariffs(falling=True), quantity=quantities)
def test_a_graduated_price_is_concave_when_unit_prices_fall(price: Price, quantity: int) -> None:
    here = amount(price, quantity)
    first_step = amount(price, quantity + 1) - here
    second_step = amount(price, quantity + 2) - amount(price, quantity + 1)

    assert second_step <= first_step


@given(price=tariffs(), quantity=quantities)
def test_a_graduated_price_is_the_sum_of_its_examinations(price: Price, quantity: int) -> None:
    quantity %= 300
    tiers = price.tiers
    one_by_one = sum(
        (
            next(t for t in tiers if t.up_to is None or n <= t.up_to).unit_price
            for n in range(1, quantity + 1)
        ),
        Decimal(0),
    )

    assert amount(price, quantity) == one_by_one


@given(price=tariffs(model=Model.ALL_UNITS), quantity=quantities)
def test_all_units_cost_the_price_of_one_single_tier(price: Price, quantity: int) -> None:
    assert amount(price, quantity) in {quantity * tier.unit_price for tier in price.tiers}


@given(unit_price=unit_prices, quantity=quantities)
def test_the_models_agree_where_there_is_one_tier(unit_price: Decimal, quantity: int) -> None:
    tiers = (Tier(None, unit_price),)

    models = (Model.GRADUATED, Model.ALL_UNITS, Model.FLAT)

    assert len({amount(Price(model, tiers), quantity) for model in models}) == 1


@given(
    gross=st.decimals(min_value=0, max_value=10**9, places=2),
    shares=st.dictionaries(
        st.decimals(min_value=0, max_value=1, places=2), st.integers(0, 10_000), max_size=4
    ),
)
def test_a_discount_lies_between_nothing_and_everything(
    gross: Decimal, shares: dict[Decimal, int]
) -> None:
    assert 0 <= discount(gross, shares) <= gross


@given(
    activated=st.dates(date(2020, 1, 1), date(2040, 1, 1)),
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    days=st.integers(0, 2000),
)
def test_every_day_falls_in_exactly_one_phase(
    activated: date, lengths: list[int], days: int
) -> None:
    phases = tuple(Phase(months, Decimal(n + 1) / 10) for n, months in enumerate(lengths))
    price = Price(Model.FLAT, (Tier(None, Decimal(24)),), phases)
    completed = date.fromordinal(activated.toordinal() + days)
    ends = [months_after(activated, sum(lengths[: n + 1])) for n in range(len(lengths))]
    phases_over = sum(1 for end in ends if completed >= end)

    found = discount_on(price, activated=activated, completed=completed)

    assert found == (phases[phases_over].discount if phases_over < len(phases) else 0)
