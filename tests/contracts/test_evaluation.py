"""Four models, three winners: the worked example, reversals of rank, and rules for criteria."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.evaluation import (
    IN_MONEY,
    CannotEvaluate,
    Criterion,
    Formula,
    Model,
    Tender,
    example_of_reversal,
    problems_of,
    rank,
    rank_reversals,
)

D = Decimal
MILLION = D(1_000_000)


def model(formula: str, *, break_point: str | None = None) -> Model:
    is_priced = formula == Formula.PRICED_QUALITY
    return Model(
        Formula(formula),
        (
            Criterion("price", "price", D(40)),
            Criterion("quality", "quality", D(30), value=3 * MILLION if is_priced else None),
            Criterion("environment", "quality", D(30), is_environment=True,
                      value=2 * MILLION if is_priced else None),
        ),
        break_point=None if break_point is None else D(break_point),
    )  # fmt: skip


def tender(code: str, price: int, quality: int, environment: int) -> Tender:
    return Tender(code, price * MILLION, {"quality": D(quality), "environment": D(environment)})


A, B, C = tender("A", 8, 7, 6), tender("B", 10, 9, 8), tender("C", 12, 10, 9)


@pytest.mark.parametrize(
    ("formula", "winner", "figures"),
    [
        ("linear", "B", {"A": "7.9000", "B": "8.1000", "C": "7.7000"}),
        ("proportional", "C", {"A": "7.9000", "B": "8.3000", "C": "8.3667"}),
        ("priced_quality", "A", {"A": "4700000", "B": "5700000", "C": "7200000"}),
        ("mark_up", "A", {"A": "12200000", "B": "12250000", "C": "12900000"}),
    ],
)
def test_the_worked_example_has_another_winner_by_another_model(
    formula: str, winner: str, figures: dict[str, str]
) -> None:
    ranked = rank(model(formula), [A, B, C])
    assert ranked[0].code == winner
    assert [one.place for one in ranked] == [1, 2, 3]
    assert {one.code: round(float(one.figure), 4) for one in ranked} == {
        code: float(figure) for code, figure in figures.items()
    }


def test_the_withdrawal_of_a_loser_turns_the_worked_example() -> None:
    without_a = rank(model("proportional"), [B, C])
    assert {one.code: round(float(one.figure), 4) for one in without_a} == {"B": 9.1, "C": 9.0333}
    (found,) = rank_reversals(model("proportional"), [A, B, C])
    assert (found.without, found.winner, found.instead) == ("A", "C", "B")
    assert rank_reversals(model("linear"), [B, C]) == []


def test_points_for_a_price_far_from_the_lowest_go_below_zero_when_linear() -> None:
    ranked = rank(model("linear"), [A, tender("D", 20, 10, 10)])
    assert ranked[-1].code == "D"
    assert ranked[-1].price_points == -5


def test_the_hybrid_is_linear_and_then_proportional_without_a_step() -> None:
    hybrid = model("hybrid", break_point="1.5")

    def points(price: int) -> object:
        ranked = rank(hybrid, [tender("L", 10, 5, 5), tender("T", price, 5, 5)])
        return next(one.price_points for one in ranked if one.code == "T")

    assert [points(price) for price in (12, 15, 30)] == [8, 5, D("2.5")]


def test_equal_figures_share_a_place_and_nobody_is_drawn_by_lot() -> None:
    twin = Tender("Z", A.price, A.points)
    assert [(one.code, one.place) for one in rank(model("linear"), [twin, A, C])] == [
        ("A", 1), ("Z", 1), ("C", 3),
    ]  # fmt: skip


@pytest.mark.parametrize("formula", list(Formula))
def test_an_example_of_a_reversal_is_shown_where_there_can_be_one(formula: Formula) -> None:
    one = model(formula, break_point="1.5" if formula is Formula.HYBRID else None)
    found = example_of_reversal(one)
    assert (found is None) == (formula in IN_MONEY)
    if found is not None:
        tenders, reversal = found
        assert reversal in rank_reversals(one, tenders)


PRICES = st.integers(1, 100)
POINTS = st.integers(0, 10)


@given(st.lists(st.tuples(PRICES, POINTS, POINTS), min_size=2, max_size=5),
       st.sampled_from(IN_MONEY))  # fmt: skip
def test_a_figure_in_money_never_hangs_on_who_else_tenders(
    given_: list[tuple[int, int, int]], formula: Formula
) -> None:
    tenders = [tender(f"T{n}", *one) for n, one in enumerate(given_)]
    assert rank_reversals(model(formula), tenders) == []


@given(st.lists(st.tuples(PRICES, POINTS, POINTS), min_size=1, max_size=5),
       st.sampled_from(["linear", "proportional", "priced_quality", "mark_up"]))  # fmt: skip
def test_the_order_of_tenders_does_not_matter(
    given_: list[tuple[int, int, int]], formula: str
) -> None:
    tenders = [tender(f"T{n}", *one) for n, one in enumerate(given_)]
    assert rank(model(formula), tenders) == rank(model(formula), tenders[::-1])


def problems(*criteria: Criterion, exemption: str = "", **fields: D) -> list[str]:
    made = Model(Formula.LINEAR, criteria, **fields)
    return [
        f"{where}: {what}"
        for where, what in problems_of(made, environment_least=D(30), exemption=exemption)
    ]


PRICE, GREEN = Criterion("p", "price", D(40)), Criterion("e", "quality", D(30), True)
GOOD = Criterion("q", "quality", D(30))


def test_criteria_sum_to_a_hundred_with_a_price_and_thirty_for_the_environment() -> None:
    assert problems(PRICE, GOOD, GREEN) == []
    (found,) = problems(PRICE, GREEN)
    assert found == "criteria: expected weights that sum to 100, found 70"
    (found,) = problems(Criterion("p", "price", D(70)), GOOD)
    assert found.startswith("environment: expected at least 30 for the environment")
    assert problems(Criterion("p", "price", D(70)), GOOD, exemption="no footprint") == []
    (found,) = problems(Criterion("e", "quality", D(100), True))
    assert "one criterion of price or cost and others, found 0" in found
    (found,) = problems(PRICE, GOOD, GREEN, break_point=D(2))
    assert found == "break_point: expected none for linear"


def test_ranked_criteria_need_the_environment_among_the_three_highest() -> None:
    def ranked(code: str, weight: int, *, green: bool = False) -> Criterion:
        kind = "price" if code == "p" else "quality"
        return Criterion(code, kind, D(weight), green, weight_kind="ord-imp")

    low = ranked("p", 40), ranked("q", 30), ranked("s", 20), ranked("e", 10, green=True)
    high = ranked("p", 40), ranked("q", 30), ranked("e", 20, green=True), ranked("s", 10)
    assert problems(*high) == []
    assert len(problems(*low)) == 1


def test_what_cannot_be_evaluated_is_told_by_tender_and_field() -> None:
    with pytest.raises(CannotEvaluate, match=r"A\.price"):
        rank(model("linear"), [Tender("A", D(0), A.points)])
    with pytest.raises(CannotEvaluate, match=r"A\.points: expected points for environment"):
        rank(model("linear"), [Tender("A", D(1), {"quality": D(1)})])
    with pytest.raises(CannotEvaluate, match=r"expected 0 to 10 for quality, found 11"):
        rank(model("linear"), [tender("A", 1, 11, 1)])
