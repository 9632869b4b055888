"""Which series of a study an algorithm wants and can take: its manifest's needs, then its rules."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_noop as _

from hub.phrases import Phrase, phrase
from routing import conditions
from routing.facts import facts_of
from routing.models import Instance, Rule, Series, Study
from vendors.manifest import Needs, Range


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


def judge(
    study: Study, series: Sequence[Series], *, needs: Needs, rules: Sequence[Rule]
) -> Suitable | Unsuitable:
    """Hold every series against needs and rules; clauses hold together for one and the same."""
    nearest = Unsuitable("", phrase(_("no rule at this site names it")))
    if not rules:
        return nearest
    if not series:
        return Unsuitable("", phrase(_("the study holds no series but the hub's own")))
    distance = -1
    for rule in rules:
        chosen = []
        for one in series:
            facts = facts_of(study, one, series_count=len(series))
            steps = [*_need_steps(needs, one, facts), conditions.decide(rule.when, facts)]
            passed = next((i for i, step in enumerate(steps) if not step.holds), len(steps))
            if passed == len(steps):
                chosen.append((one, steps[-1].clause))
            elif passed > distance:
                distance, nearest = passed, Unsuitable(rule.code, steps[passed].clause)
        if chosen:
            return _choose(chosen, needs=needs, rule=rule)
    return nearest


def _choose(chosen: list[tuple[Series, Phrase]], *, needs: Needs, rule: Rule) -> Suitable:
    if needs.input == "study":
        rows = tuple(one for one, _clause in chosen)
        return Suitable(rows, rule.code, chosen[0][1])
    # The fullest series, then the first one taken: the same answer whatever order they came in.
    row, clause = min(
        chosen,
        key=lambda pair: (
            -pair[0].instance_count,
            pair[0].series_number or 0,
            pair[0].series_instance_uid,
        ),
    )
    return Suitable((row,), rule.code, clause)


def _need_steps(
    needs: Needs, series: Series, facts: dict[str, Any]
) -> list[conditions.Decision]:
    steps = []
    for field, wanted in (
        ("series.modality", needs.modality),
        ("series.sop_class_uid", needs.sop_class),
        ("series.body_part_examined", needs.body_part_examined),
    ):
        if wanted:
            steps.append(conditions.clause(field, "in", list(wanted), facts.get(field)))
    steps.append(
        conditions.clause(
            "series.instance_count", "at_least", needs.minimum_instances, series.instance_count
        )
    )
    if needs.patient_age_years is not None:
        steps.append(_age_step(needs.patient_age_years, facts["study.patient_age_years"]))
    return steps


def _age_step(wanted: Range, age: int | None) -> conditions.Decision:
    if age is None:
        return conditions.Decision(False, phrase(_("the patient's age is not known")))
    if wanted.at_least is not None and age < wanted.at_least:
        words = phrase(_("age %(age)s < %(bound)s"), age=age, bound=_number(wanted.at_least))
        return conditions.Decision(False, words)
    if wanted.at_most is not None and age > wanted.at_most:
        words = phrase(_("age %(age)s > %(bound)s"), age=age, bound=_number(wanted.at_most))
        return conditions.Decision(False, words)
    return conditions.Decision(True, phrase(_("age %(age)s is in range"), age=age))


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
