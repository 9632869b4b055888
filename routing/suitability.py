"""Which series of a study an algorithm wants and can take: its manifest's needs, then its rules."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

from django.utils.translation import gettext_noop as _

from hub.phrases import Phrase, phrase
from routing import conditions
from routing.compiled import Clauses, Holds, Known, Which, places
from routing.conditions import Decision, Facts
from routing.facts import facts_of
from routing.models import Instance, Series, Study
from routing.rulebook import ReadyRule
from vendors.manifest import Needs, Range

# The needs of many versions are the same.
_CLAUSES = Clauses()


@dataclass(frozen=True, slots=True)
class Suitable:
    """The input that an algorithm gets, and the clauses that chose it."""

    series: tuple[Series, ...]
    rule_code: str
    clause: Phrase


@dataclass(frozen=True, slots=True)
class Unsuitable:
    """Why an algorithm gets nothing of this study: the clause of the series that came nearest."""

    rule_code: str
    clause: Phrase


@dataclass(frozen=True, slots=True)
class Offered:
    """The series that an algorithm may get, and what is known of each, in one order."""

    series: tuple[Series, ...]
    known: Known


def offered_by(study: Study) -> Offered:
    """The series of a study; what the hub itself wrote is never one."""
    rows = tuple(study.series.filter(is_own=False))
    return Offered(rows, Known([facts_of(study, one, series_count=len(rows)) for one in rows]))


def judge(
    offered: Offered, *, needs: Needs, rules: Sequence[ReadyRule]
) -> Suitable | Unsuitable:
    """Hold every series against needs and rules; clauses hold together for one and the same.

    The needs are the same for every rule. So the series that came nearest is the one that meets
    most of them, and only of the clause that decided is a sentence made.
    """
    if not rules:
        return Unsuitable("", phrase(_("no rule at this site names it")))
    if not offered.series:
        return Unsuitable("", phrase(_("the study holds no series but the hub's own")))
    known = offered.known
    fit = known.all
    for step in _need_steps(needs):
        met = fit & step.holds(known)
        if not met:
            return Unsuitable(rules[0].code, step.decide(_first(offered, fit)).clause)
        fit = met
    for rule in rules:
        if chosen := fit & rule.holds(known):
            return _choose(offered, chosen, needs=needs, rule=rule)
    return Unsuitable(rules[0].code, conditions.decide(rules[0].when, _first(offered, fit)).clause)


def _first(offered: Offered, which: Which) -> Facts:
    return offered.known.facts[places(which)[0]]


def _choose(offered: Offered, chosen: Which, *, needs: Needs, rule: ReadyRule) -> Suitable:
    found = places(chosen)
    if needs.input == "study":
        rows = tuple(offered.series[place] for place in found)
        return Suitable(rows, rule.code, _clause(rule, offered, found[0]))
    # The fullest series, then the first one taken: the same answer whatever order they came in.
    best = min(found, key=lambda place: _preference(offered.series[place]))
    return Suitable((offered.series[best],), rule.code, _clause(rule, offered, best))


def _preference(series: Series) -> tuple[int, int, str]:
    return -series.instance_count, series.series_number or 0, series.series_instance_uid


def _clause(rule: ReadyRule, offered: Offered, place: int) -> Phrase:
    return conditions.decide(rule.when, offered.known.facts[place]).clause


@dataclass(frozen=True, slots=True)
class _Step:
    """One of the needs, to be asked quickly, and to be explained."""

    holds: Holds
    decide: Callable[[Facts], Decision]


@lru_cache(maxsize=1024)
def _need_steps(needs: Needs) -> tuple[_Step, ...]:
    steps = [
        _clause_step(field, "in", list(wanted))
        for field, wanted in (
            ("series.modality", needs.modality),
            ("series.sop_class_uid", needs.sop_class),
            ("series.body_part_examined", needs.body_part_examined),
        )
        if wanted
    ]
    steps.append(_clause_step("series.instance_count", "at_least", needs.minimum_instances))
    if (wanted := needs.patient_age_years) is not None:
        steps.append(_age_step(wanted))
    return tuple(steps)


def _clause_step(field: str, operator: str, operand: Any) -> _Step:
    return _Step(
        itemgetter(_CLAUSES.clause(field, operator, operand)),
        lambda facts: conditions.clause(field, operator, operand, facts.get(field)),
    )


def _age_step(wanted: Range) -> _Step:
    def decide(facts: Facts) -> Decision:
        return _decide_age(wanted, facts["study.patient_age_years"])

    return _Step(lambda known: known.that(lambda facts: decide(facts).holds), decide)


def _decide_age(wanted: Range, age: int | None) -> Decision:
    if age is None:
        return Decision(False, phrase(_("the patient's age is not known")))
    if wanted.at_least is not None and age < wanted.at_least:
        words = phrase(_("age %(age)s < %(bound)s"), age=age, bound=_number(wanted.at_least))
        return Decision(False, words)
    if wanted.at_most is not None and age > wanted.at_most:
        words = phrase(_("age %(age)s > %(bound)s"), age=age, bound=_number(wanted.at_most))
        return Decision(False, words)
    return Decision(True, phrase(_("age %(age)s is in range"), age=age))


def _number(bound: float) -> int | float:
    return int(bound) if float(bound).is_integer() else bound


def fingerprint(series: Iterable[Series]) -> str:
    """A hash over the SOP Instance UIDs of the input: the same input gives the same result."""
    uids = (
        Instance.objects.filter(series__in=[one.pk for one in series])
        .order_by("sop_instance_uid")
        .values_list("sop_instance_uid", flat=True)
    )
    return hashlib.sha256("\n".join(uids).encode()).hexdigest()
