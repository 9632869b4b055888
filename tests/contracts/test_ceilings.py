"""A price is held against its ceiling at every volume, and nothing slips through between tiers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.pricing import price_of
from contracts.pricing.ceilings import Excess, excess
from contracts.pricing.charging import by_tier

TARIFF: dict[str, Any] = {
    "tiers": [
        {"up_to": 10000, "unit_price": "24.00"},
        {"up_to": 30000, "unit_price": "18.00"},
        {"unit_price": "9.75"},
    ]
}


def flat(price: str, **terms: Any) -> tuple[str, dict[str, Any]]:
    return "flat", {"unit_price": price, **terms}


@pytest.mark.parametrize(
    ("own", "ceiling", "found"),
    [
        (flat("24.00"), flat("24.00"), None),
        (flat("24.0001"), flat("24.00"), Excess("", 1, Decimal("24.0001"), Decimal("24.00"))),
        (flat("9.75"), ("graduated", TARIFF), None),
        # 18.00 is less than the first tiers, and in the end more than the last
        (flat("18.00"), ("graduated", TARIFF), Excess(
            "", 60002, Decimal("1080036.00"), Decimal("892519.50"))),
        (("all_units", TARIFF), ("graduated", TARIFF), None),
        (("graduated", TARIFF), ("all_units", TARIFF), Excess(
            "", 10001, Decimal("240018.00"), Decimal("180018.00"))),
        (("package", {"package": {"size": 100, "price": "900.00"}}), flat("9.00"), Excess(
            "", 1, Decimal("900.00"), Decimal("9.00"))),
        (flat("9.00"), ("package", {"package": {"size": 100, "price": "900.00"}}), None),
        (flat("9.00", included_units=10), flat("9.00"), None),
        (flat("9.00"), flat("9.00", included_units=10), Excess(
            "", 1, Decimal("9.00"), Decimal(0))),
        (flat("9.00", fee={"amount": "1.00"}), flat("9.00"), Excess("fee")),
        (flat("9.00", fee={"amount": "1.00"}), flat("9.00", fee={"amount": "1.00"}), None),
        (flat("9.00", minimum="10.00"), flat("9.00", minimum="9.99"), Excess("minimum")),
        (flat("9.00"), flat("9.00", cap="100.00"), Excess("cap")),
        (flat("9.00", cap="99.00"), flat("9.00", cap="100.00"), None),
        (("graduated", TARIFF | {"tier_period": "month"}), ("graduated", TARIFF),
         Excess("tier_period")),
        (flat("9.00", tier_period="month"), ("graduated", TARIFF), None),
        (("percentage", {"percentage": {"share": "5%"}}), flat("9.00"), Excess("percentage")),
        (("percentage", {"percentage": {"share": "5%"}}),
         ("percentage", {"percentage": {"share": "6%"}}), None),
    ],
)  # fmt: skip
def test_where_a_price_is_above_its_ceiling_is_told(own: Any, ceiling: Any, found: Any) -> None:
    assert excess(price_of(*own), price_of(*ceiling)) == found


PRICES = st.integers(1, 12).map(lambda one: f"{one}.00")
FEES = st.sampled_from([None, "5.00", "20.00"])


@st.composite
def prices(draw: Any) -> Any:
    """Prices whose pieces all end below 100 examinations."""
    model = draw(st.sampled_from(["flat", "graduated", "all_units", "stair_step", "package"]))
    terms: dict[str, Any] = {"included_units": draw(st.sampled_from([0, 0, 3]))}
    if model == "package":
        terms["package"] = {"size": draw(st.integers(1, 9)), "price": draw(PRICES)}
    elif model == "flat":
        terms["unit_price"] = draw(PRICES)
    else:
        bounds = sorted(draw(st.sets(st.integers(1, 20), max_size=2)))
        terms["tiers"] = [_tier(draw, model, bound) for bound in [*bounds, None]]
        if model == "all_units":
            terms["better_of"] = draw(st.booleans())
    return price_of(model, terms)


def _tier(draw: Any, model: str, bound: int | None) -> dict[str, Any]:
    tier = {} if bound is None else {"up_to": bound}
    if model == "stair_step":
        return tier | {"flat_fee": draw(PRICES)}
    fee = draw(FEES)
    return tier | {"unit_price": draw(PRICES)} | ({"flat_fee": fee} if fee else {})


@settings(max_examples=400, deadline=None)
@given(prices(), prices())
def test_a_price_is_above_its_ceiling_where_one_volume_is(own: Any, ceiling: Any) -> None:
    """Beside all volumes up to 400, by which each of these prices has shown how it goes on."""

    def cost(price: Any, quantity: int) -> Decimal:
        return sum((one.amount for one in by_tier(price, quantity)), Decimal(0))

    found = excess(own, ceiling)
    if found is None:
        assert all(cost(own, one) <= cost(ceiling, one) for one in range(400))
    else:
        assert cost(own, found.quantity) == found.cost > found.ceiling
        assert cost(ceiling, found.quantity) == found.ceiling
