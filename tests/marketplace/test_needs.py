"""Which needs are chosen: the worked example, the gate, and breadth with its price."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from fractions import Fraction

import pytest

from marketplace.needs import (
    Breadth,
    NeedFacts,
    NothingToChooseFrom,
    choose,
    passes_gate,
    scores_of,
)

WEIGHTS = {"weight_gain": Fraction(6, 10), "weight_competence": Fraction(4, 10)}


def need(code: str, volume: int, gain: int, competence: int, risk: str, where: str,
         best_class: str = "IIa") -> NeedFacts:  # fmt: skip
    modality, organ = where.split("/")
    return NeedFacts(
        code, volume, Fraction(gain), competence, risk, modality, organ, best_class=best_class
    )


NEEDS = [
    need("skeletal", 39_000, 60, 5, "low", "XR/bone"),
    need("chest", 45_000, 25, 4, "medium", "XR/chest"),
    need("nodule", 9_000, 120, 4, "medium", "CT/chest"),
    need("embolism", 3_500, 260, 4, "high", "CT/chest", "IIb"),
    need("ms", 1_800, 300, 5, "low", "MR/brain"),
    need("ich", 8_000, 90, 3, "high", "CT/brain"),
    need("mammography", 30_000, 55, 2, "high", "MG/breast"),
    need("thyroid", 9_999, 60, 5, "low", "US/neck", ""),
]
BREADTH = [
    Breadth("modality", at_least=4),
    Breadth("organ", at_least=3, at_most_each=2),
    Breadth("risk", every=("low", "medium", "high")),
]


def test_the_worked_example_chooses_breadth_and_tells_its_price() -> None:
    choice = choose(NEEDS, pick=4, breadth=BREADTH, **WEIGHTS)
    assert {code: round(float(score), 6) for code, score in choice.scores.items()} == {
        "skeletal": 1.0, "chest": 0.608462, "nodule": 0.596923, "embolism": 0.553333,
        "ms": 0.538462, "ich": 0.424615, "mammography": 0.583077,
    }  # fmt: skip
    assert choice.excluded == ("thyroid",)
    assert set(choice.best.chosen) == {"skeletal", "nodule", "ms", "mammography"}
    assert round(float(choice.best.score), 6) == 2.718462
    assert set(choice.without_breadth.chosen) == {"skeletal", "chest", "nodule", "mammography"}
    assert round(float(choice.without_breadth.score), 6) == 2.788462
    assert round(float(choice.price_of_breadth), 6) == 0.07


@pytest.mark.parametrize("best_class", ["", "I", "Is", "Im", "A"])
def test_a_class_below_iia_never_passes_the_gate(best_class: str) -> None:
    assert not passes_gate(need("a", 1, 1, 5, "low", "CT/brain", best_class))
    assert all(passes_gate(need("a", 1, 1, 5, "low", "CT/b", one)) for one in ("IIa", "IIb", "III"))


def test_what_nobody_can_keep_is_told_with_the_rule_that_is_in_the_way() -> None:
    rules = [*BREADTH, Breadth("modality", every=("US",))]
    with pytest.raises(NothingToChooseFrom, match="without the rule modality: every one of US"):
        choose(NEEDS, pick=4, breadth=rules, **WEIGHTS)
    with pytest.raises(NothingToChooseFrom, match="expected at most 7"):
        choose(NEEDS, pick=8, **WEIGHTS)


def by_hand(
    needs: Sequence[NeedFacts], pick: int, rules: Sequence[Breadth]
) -> list[tuple[Fraction, frozenset[str]]]:
    """Every set that keeps the rules, the best first."""
    scores = scores_of(needs, **WEIGHTS)
    known = [one for one in needs if one.code in scores]
    return sorted(
        (
            (sum((scores[one.code] for one in some), Fraction(0)), frozenset(o.code for o in some))
            for some in itertools.combinations(known, pick)
            if all(rule.is_kept_by(some) for rule in rules)
        ),
        key=lambda pair: pair[0],
        reverse=True,
    )


def some_needs(number: int, seed: int) -> list[NeedFacts]:
    made = random.Random(seed)  # noqa: S311 (no secret)
    return [
        NeedFacts(
            f"n{n:02}", made.randint(100, 50_000), Fraction(made.randint(1, 300)),
            made.randint(1, 5), made.choice(["low", "medium", "high"]),
            made.choice(["CT", "MR", "XR", "MG", "US"]),
            made.choice(["brain", "chest", "bone", "breast", "liver", "neck"]),
            best_class=made.choice(["", "IIa", "IIb", "III", "IIa"]),
        )
        for n in range(number)
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_it_finds_what_trying_every_set_finds(seed: int) -> None:
    needs = some_needs(14, seed)
    rules = [Breadth("modality", at_least=3), Breadth("organ", at_most_each=1),
             Breadth("risk", every=("high",))]  # fmt: skip
    tried = by_hand(needs, 4, rules)
    if not tried:
        with pytest.raises(NothingToChooseFrom):
            choose(needs, pick=4, breadth=rules, **WEIGHTS)
        return
    choice = choose(needs, pick=4, breadth=rules, **WEIGHTS)
    assert choice.best.score == tried[0][0]
    assert choice.without_breadth.score == by_hand(needs, 4, [])[0][0]
    assert choice.runner_up is not None
    assert choice.runner_up.score == tried[1][0]


def test_the_order_of_the_needs_does_not_matter_even_where_sets_are_as_good() -> None:
    twins = [need(f"twin-{n}", 100, 10, 3, "low", "CT/brain") for n in range(9)]
    answers = {choose(order, pick=3, **WEIGHTS).best.chosen for order in (twins, twins[::-1])}
    assert len(answers) == 1


def test_six_of_fifty_five_needs_are_chosen() -> None:
    rules = [Breadth("modality", at_least=4), Breadth("organ", at_least=4, at_most_each=2),
             Breadth("risk", every=("low", "medium", "high"))]  # fmt: skip
    choice = choose(some_needs(55, 7), pick=6, breadth=rules, **WEIGHTS)
    assert len(choice.best.chosen) == 6
    assert choice.runner_up is not None
    assert choice.without_breadth.score >= choice.best.score >= choice.runner_up.score
