"""How tenders are ranked: four evaluation models, rules for criteria, reversals of rank. Pure.

``P`` is the evaluated price, ``L`` the lowest of all tenders, ``M`` the most points.

- linear: ``M - M (P - L) / L``, which may be negative (KOFA 2015/60)
- proportional: ``M L / P``
- hybrid: linear up to ``b`` times the lowest price, from there ``s(b) b L / P``
- priced quality: ``P - sum(V points / M)``, the lowest wins
- mark-up: ``P (1 + (M - q) / M * w_quality / w_price)``, ``q`` the weighted mean; the lowest wins
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from django.utils.translation import gettext as _

PRICE_KINDS = ("price", "cost")
WEIGHT_KINDS = (
    "per-exa", "per-mid", "dec-exa", "dec-mid", "poi-exa", "poi-mid", "ord-imp",
)  # fmt: skip
FULL_WEIGHT = Decimal(100)
# where criteria are only ranked, the environment must be among so many
RANKED_AMONG = 3


class Formula(StrEnum):
    """Which model brings price and quality together."""

    LINEAR = "linear"
    PROPORTIONAL = "proportional"
    HYBRID = "hybrid"
    PRICED_QUALITY = "priced_quality"
    MARK_UP = "mark_up"


# The lowest figure wins, and it hangs on no other tender: nobody's withdrawal changes the rest.
IN_MONEY = (Formula.PRICED_QUALITY, Formula.MARK_UP)


class CannotEvaluate(ValueError):
    """The model or a tender is not fit to be evaluated; the message names field and rule."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One award criterion; ``value`` is what full points are worth (priced quality)."""

    code: str
    kind: str
    weight: Decimal
    is_environment: bool = False
    value: Decimal | None = None
    weight_kind: str = "per-exa"


@dataclass(frozen=True, slots=True)
class Model:
    """A formula with its criteria; ``break_point`` as a multiple of the lowest price (hybrid)."""

    formula: Formula
    criteria: tuple[Criterion, ...]
    max_points: Decimal = Decimal(10)
    break_point: Decimal | None = None

    @property
    def price(self) -> Criterion:
        """The one criterion that is about money."""
        return next(one for one in self.criteria if one.kind in PRICE_KINDS)

    @property
    def qualities(self) -> tuple[Criterion, ...]:
        """All others."""
        return tuple(one for one in self.criteria if one.kind not in PRICE_KINDS)


@dataclass(frozen=True, slots=True)
class Tender:
    """A tender with its evaluated price and its points by criterion of quality."""

    code: str
    price: Decimal
    points: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A tender with its place (1 is the winner; equal figures share it) and the figure behind."""

    code: str
    place: int
    figure: Fraction
    price_points: Fraction | None


@dataclass(frozen=True, slots=True)
class Reversal:
    """Without one tender that did not win, another would."""

    without: str
    winner: str
    instead: str


def problems_of(
    model: Model, *, environment_least: Decimal | None = None, exemption: str = ""
) -> list[tuple[str, str]]:
    """What is wrong with the criteria and numbers of a model: pairs of field and rule."""
    found = []
    total = sum((one.weight for one in model.criteria), Decimal(0))
    if total != FULL_WEIGHT:
        text = _("expected weights that sum to 100, found %(found)s")
        found.append(("criteria", text % {"found": f"{total.normalize():f}"}))
    money = [one.code for one in model.criteria if one.kind in PRICE_KINDS]
    if len(money) != 1 or len(model.criteria) < 2:
        text = _("expected one criterion of price or cost and others, found %(count)s (best "
                 "price-quality ratio)")  # fmt: skip
        found.append(("criteria", text % {"count": len(money)}))
    if any(one.weight <= 0 for one in model.criteria):
        found.append(("criteria.weight", _("expected more than 0 for each")))
    if model.max_points <= 0:
        found.append(("max_points", _("expected more than 0")))
    found += _problems_of_formula(model)
    if environment_least is not None and not exemption.strip():
        found += _problems_of_environment(model, environment_least)
    return found


def _problems_of_formula(model: Model) -> list[tuple[str, str]]:
    found = []
    if model.formula is Formula.HYBRID:
        if model.break_point is None or not 1 < model.break_point < 2:
            found.append(("break_point", _("expected a multiple between 1 and 2 for hybrid")))
    elif model.break_point is not None:
        text = _("expected none for %(formula)s") % {"formula": model.formula}
        found.append(("break_point", text))
    for one in model.criteria:
        is_wanted = model.formula is Formula.PRICED_QUALITY and one.kind not in PRICE_KINDS
        if is_wanted and (one.value is None or one.value <= 0):
            text = _("expected what full points are worth")
            found.append((f"criteria[{one.code}].value", text))
        elif one.value is not None and not is_wanted:
            found.append((f"criteria[{one.code}].value", _("expected none here")))
    return found


def _problems_of_environment(model: Model, least: Decimal) -> list[tuple[str, str]]:
    """FOA 7-9: so much weight, or among the three highest where criteria are only ranked."""
    weight = sum((one.weight for one in model.criteria if one.is_environment), Decimal(0))
    if model.criteria and all(one.weight_kind == "ord-imp" for one in model.criteria):
        ranked = sorted(model.criteria, key=lambda one: -one.weight)
        if any(one.is_environment for one in ranked[:RANKED_AMONG]):
            return []
    elif weight >= least:
        return []
    text = _("expected at least %(least)s for the environment, or the reason for an exemption, "
             "found %(found)s (FOA 7-9)")  # fmt: skip
    return [("environment", text % {"least": f"{least:f}", "found": f"{weight:f}"})]


def rank(model: Model, tenders: Sequence[Tender]) -> list[Ranked]:
    """The tenders from the first place on; CannotEvaluate where one has no price or points."""
    _must_be_whole(model, tenders)
    lowest = min((Fraction(one.price) for one in tenders), default=Fraction(1))
    figures = {one.code: _figure(model, one, lowest) for one in tenders}
    sign = 1 if model.formula in IN_MONEY else -1
    best = {code: sign * figure for code, figure in figures.items()}
    return [
        Ranked(
            code,
            1 + sum(other < best[code] for other in best.values()),
            figures[code],
            None
            if model.formula in IN_MONEY
            else _price_points(model, Fraction(_by_code(tenders, code).price), lowest),
        )
        for code in sorted(figures, key=lambda code: (best[code], code))
    ]


def rank_reversals(model: Model, tenders: Sequence[Tender]) -> list[Reversal]:
    """Each tender that did not win, but whose withdrawal would give another winner."""
    first = _winners(model, tenders)
    found = []
    for gone in tenders:
        if gone.code in first or len(tenders) < 3:
            continue
        instead = _winners(model, [one for one in tenders if one is not gone])
        if instead != first:
            found.append(Reversal(gone.code, " = ".join(first), " = ".join(instead)))
    return found


def example_of_reversal(model: Model) -> tuple[tuple[Tender, ...], Reversal] | None:
    """Three made-up tenders whose ranking turns when one that lost withdraws; None: never.

    Shown before the model is frozen, so that nobody is surprised afterwards.
    """
    if model.formula in IN_MONEY:
        return None
    for second, third, share in itertools.product((1, 5, 10, 25), (1, 5, 10, 25), (1, 5, 8)):
        prices = [Decimal(100), Decimal(100 + second), Decimal(100 + second + third)]
        least = model.max_points * share / 10
        more = _between(model, prices)
        given = (Decimal(0), least, least + more)
        tenders = tuple(
            Tender(code, price, {one.code: points for one in model.qualities})
            for code, price, points in zip("ABC", prices, given, strict=True)
        )
        if least + more <= model.max_points and (found := rank_reversals(model, tenders)):
            return tenders, found[0]
    return None


def _between(model: Model, prices: Sequence[Decimal]) -> Decimal:
    """Points of quality worth what parts the two dearer prices, halfway between its worth with and
    without the cheapest: so its being there decides.
    """
    gaps = []
    for lowest in prices[:2]:
        second, third = (
            _price_points(model, Fraction(one), Fraction(lowest)) for one in prices[1:]
        )
        gaps.append(second - third)
    weight = Fraction(model.price.weight) / (100 - Fraction(model.price.weight))
    points = sum(gaps, Fraction(0)) / 2 * weight
    return Decimal(points.numerator) / Decimal(points.denominator)


def _winners(model: Model, tenders: Sequence[Tender]) -> list[str]:
    return [one.code for one in rank(model, tenders) if one.place == 1]


def _by_code(tenders: Sequence[Tender], code: str) -> Tender:
    return next(one for one in tenders if one.code == code)


def _must_be_whole(model: Model, tenders: Sequence[Tender]) -> None:
    for one in tenders:
        if one.price <= 0:
            text = _("expected more than 0, found %(found)s") % {"found": one.price}
            raise CannotEvaluate(f"{one.code}.price: {text}")
        for criterion in model.qualities:
            points = one.points.get(criterion.code)
            if points is None:
                text = _("expected points for %(criterion)s") % {"criterion": criterion.code}
                raise CannotEvaluate(f"{one.code}.points: {text}")
            if not 0 <= points <= model.max_points:
                text = _("expected 0 to %(most)s for %(criterion)s, found %(found)s")
                told = {"most": model.max_points, "criterion": criterion.code, "found": points}
                raise CannotEvaluate(f"{one.code}.points: {text % told}")


def _figure(model: Model, tender: Tender, lowest: Fraction) -> Fraction:
    price, most = Fraction(tender.price), Fraction(model.max_points)
    points = {one.code: Fraction(tender.points[one.code]) for one in model.qualities}
    if model.formula is Formula.PRICED_QUALITY:
        return price - sum(
            (Fraction(one.value or 0) * points[one.code] / most for one in model.qualities),
            Fraction(0),
        )
    if model.formula is Formula.MARK_UP:
        weights = sum((Fraction(one.weight) for one in model.qualities), Fraction(0))
        mean = sum(Fraction(one.weight) * points[one.code] for one in model.qualities) / weights
        return price * (1 + (most - mean) / most * weights / Fraction(model.price.weight))
    weighed = sum((Fraction(one.weight) * points[one.code] for one in model.qualities), Fraction(0))
    return (Fraction(model.price.weight) * _price_points(model, price, lowest) + weighed) / 100


def _price_points(model: Model, price: Fraction, lowest: Fraction) -> Fraction:
    most = Fraction(model.max_points)
    if model.formula is Formula.PROPORTIONAL:
        return most * lowest / price
    bound = Fraction(model.break_point or 0)
    if model.formula is Formula.HYBRID and price > bound * lowest:
        return most * (2 - bound) * bound * lowest / price
    return most - most * (price - lowest) / lowest
