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
from routing.compiled import Clauses, Holds, Known
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
class Candidate:
    """A series that an algorithm may get, and what is known of it."""

    series: Series
    known: Known


def candidates(study: Study) -> list[Candidate]:
    """The series of a study; what the hub itself wrote is never one."""
    rows = list(study.series.filter(is_own=False))
    return [Candidate(one, Known(facts_of(study, one, series_count=len(rows)))) for one in rows]


def judge(
    offered: Sequence[Candidate], *, needs: Needs, rules: Sequence[ReadyRule]
) -> Suitable | Unsuitable:
    """Hold every series against needs and rules; clauses hold together for one and the same.

    The needs are the same for every rule. So the series that came nearest is the one that meets
    most of them, and only of the clause that decided is a sentence made.
    """
    if not rules:
        return Unsuitable("", phrase(_("no rule at this site names it")))
    if not offered:
        return Unsuitable("", phrase(_("the study holds no series but the hub's own")))
    steps = _need_steps(needs)
    met = [_count_met(steps, one.known) for one in offered]
    fit = [one for one, count in zip(offered, met, strict=True) if count == len(steps)]
    known = [one.known for one in fit]
    for rule in rules:
        if any(map(rule.holds, known)):
            chosen = [one for one in fit if rule.holds(one.known)]
            return _choose(chosen, needs=needs, rule=rule)
    nearest = max(met)
    facts = offered[met.index(nearest)].known.facts
    if nearest == len(steps):
        decision = conditions.decide(rules[0].when, facts)
    else:
        decision = steps[nearest].decide(facts)
    return Unsuitable(rules[0].code, decision.clause)


def _choose(chosen: Sequence[Candidate], *, needs: Needs, rule: ReadyRule) -> Suitable:
    if needs.input == "study":
        rows = tuple(one.series for one in chosen)
        return Suitable(rows, rule.code, _clause(rule, chosen[0]))
    # The fullest series, then the first one taken: the same answer whatever order they came in.
    best = min(
        chosen,
        key=lambda one: (
            -one.series.instance_count,
            one.series.series_number or 0,
            one.series.series_instance_uid,
        ),
    )
    return Suitable((best.series,), rule.code, _clause(rule, best))


def _clause(rule: ReadyRule, candidate: Candidate) -> Phrase:
    return conditions.decide(rule.when, candidate.known.facts).clause


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


def _count_met(steps: Sequence[_Step], known: Known) -> int:
    """How many of the needs are met before the first that is not."""
    return next((n for n, step in enumerate(steps) if not step.holds(known)), len(steps))


def _clause_step(field: str, operator: str, operand: Any) -> _Step:
    return _Step(
        itemgetter(_CLAUSES.clause(field, operator, operand)),
        lambda facts: conditions.clause(field, operator, operand, facts.get(field)),
    )


def _age_step(wanted: Range) -> _Step:
    def decide(facts: Facts) -> Decision:
        return _decide_age(wanted, facts["study.patient_age_years"])

    return _Step(lambda known: decide(known.facts).holds, decide)


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
