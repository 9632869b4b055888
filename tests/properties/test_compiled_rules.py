"""Rules made ready decide as the plain evaluation does, whatever the rules, needs and studies."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from hub.phrases import Phrase, phrase
from routing import conditions
from routing.compiled import Clauses, Known, places
from routing.conditions import check, decide
from routing.rulebook import ReadyRule
from routing.suitability import Offered, Suitable, judge
from tests.properties.test_conditions import facts, rules
from vendors.manifest import Needs, Range

# Rules that have something to do with the facts: few fields, few values.
FIELDS = ["series.modality", "series.body_part_examined", "study.instance_count", "order.reason"]
VALUES = ["CT", "ct ", "CTA", "head", "HEAD", 1, 1.0, True, "1", "", None, 12, "12.5"]
near_tests = st.one_of(
    st.builds(lambda value: {"equals": value}, st.sampled_from(VALUES[:-3] + ["12.5"])),
    st.builds(lambda value: {"in": value}, st.lists(st.sampled_from(VALUES[:9]), min_size=1)),
    st.builds(lambda value: {"contains": value}, st.sampled_from(["c", "T", "ead", 1])),
    st.builds(lambda value: {"matches": value}, st.sampled_from(["^c", "HEAD$", "[0-9]", "."])),
    st.builds(lambda value: {"at_least": value}, st.sampled_from([1, "2", 12.5])),
    st.builds(lambda value: {"at_most": value}, st.sampled_from([1, "2", 12.5])),
    st.builds(lambda value: {"exists": value}, st.booleans()),
)
near_clauses = st.builds(lambda field, test: {field: test}, st.sampled_from(FIELDS), near_tests)
near_rules = st.recursive(
    near_clauses,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, min_size=1, max_size=4)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=4)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=8,
)
near_values = st.sampled_from(VALUES) | st.lists(st.sampled_from(VALUES), max_size=3)
near_facts = st.dictionaries(st.sampled_from(FIELDS), near_values, max_size=4)


@given(
    st.lists(near_rules | rules, min_size=1, max_size=6),
    st.lists(near_facts | facts, max_size=4),
)
def test_a_rule_made_ready_holds_where_the_plain_one_does(
    several: list[Any], found: list[dict[str, Any]]
) -> None:
    assume(not any(check(rule) for rule in several))
    clauses, known = Clauses(), Known(found)
    for rule in several:
        plain = [place for place, one in enumerate(found) if decide(rule, one).holds]
        assert places(clauses.holds(rule)(known)) == plain


def test_a_rule_with_a_fault_breaks_when_it_is_asked_and_not_before() -> None:
    holds = Clauses().holds({"series.modality": {"nonsense": 1}})
    try:
        holds(Known([{"series.modality": ["CT"]}]))
    except KeyError:
        return
    raise AssertionError("a faulty rule decided")


def plainly_judged(
    series: list[dict[str, Any]], needs: Needs, several: list[ReadyRule]
) -> tuple[list[dict[str, Any]] | None, str, Phrase]:
    """The chosen series or None, the rule, the clause: every clause of every rule evaluated."""
    nearest: tuple[None, str, Phrase] = (None, "", phrase(""))
    distance = -1
    for rule in several:
        chosen = []
        for one in series:
            steps = [*plain_steps(needs, one), decide(rule.when, one)]
            passed = next((i for i, step in enumerate(steps) if not step.holds), len(steps))
            if passed == len(steps):
                chosen.append((one, steps[-1].clause))
            elif passed > distance:
                distance, nearest = passed, (None, rule.code, steps[passed].clause)
        if chosen:
            return [one for one, _ in chosen], rule.code, chosen[0][1]
    return nearest


def plain_steps(needs: Needs, found: dict[str, Any]) -> list[Any]:
    steps = []
    if needs.modality:
        fact = found.get("series.modality")
        steps.append(conditions.clause("series.modality", "in", list(needs.modality), fact))
    fact = found["series.instance_count"]
    steps.append(
        conditions.clause(
            "series.instance_count", "at_least", needs.minimum_instances, fact
        )
    )
    if needs.patient_age_years:
        age = found["study.patient_age_years"]
        steps.append(SimpleNamespace(**AGES[age is None, bool(age and age >= 18)]))
    return steps


AGES = {
    (True, False): {"holds": False, "clause": phrase("the patient's age is not known")},
    (False, False): {"holds": False, "clause": phrase("age %(age)s < %(bound)s", age=7, bound=18)},
    (False, True): {"holds": True, "clause": phrase("")},
}
series = st.builds(
    lambda found, count, age: found
    | {"series.instance_count": count, "study.patient_age_years": age},
    near_facts, st.integers(1, 3), st.sampled_from([None, 7, 40]),
)  # fmt: skip
needs = st.builds(
    lambda modality, least, age: Needs(
        modality=modality, minimum_instances=least, patient_age_years=age, input="study"
    ),
    st.sampled_from([(), ("CT",)]), st.integers(1, 2), st.sampled_from([None, Range(at_least=18)]),
)  # fmt: skip


@given(
    st.lists(series, min_size=1, max_size=4),
    needs,
    st.lists(near_rules, min_size=1, max_size=5),
)
def test_a_study_is_judged_as_if_every_clause_of_every_rule_were_asked(
    found: list[dict[str, Any]], wanted: Needs, several: list[Any]
) -> None:
    assume(not any(check(rule) for rule in several))
    clauses = Clauses()
    ready = [ReadyRule(f"r{n}", one, clauses.holds(one)) for n, one in enumerate(several)]
    offered = Offered(tuple(found), Known(found))  # type: ignore[arg-type]
    verdict = judge(offered, needs=wanted, rules=ready)
    chosen, code, clause = plainly_judged(found, wanted, ready)
    assert isinstance(verdict, Suitable) is (chosen is not None)
    assert (verdict.rule_code, verdict.clause.stored()) == (code, clause.stored())
    if isinstance(verdict, Suitable):
        assert list(verdict.series) == chosen


def test_patterns_that_cannot_be_tried_together_are_tried_alone() -> None:
    patterns = ["(?P<a>CT)", "(?P<a>MR)", r"\QC", "T$", "c|x", "^MR", "(?s)C.", "x" * 60]
    several = [{"series.modality": {"matches": pattern}} for pattern in patterns]
    assert not any(check(rule) for rule in several)
    for values in (["CT"], ["MR", "CT"], ["C\nT"], []):
        clauses, known = Clauses(), Known([{"series.modality": values}])
        # Made ready first, so that they are together when they are asked.
        ready = [clauses.holds({"all": [rule]}) for rule in several]
        plain = [decide(rule, {"series.modality": values}).holds for rule in several]
        assert [bool(holds(known)) for holds in ready] == plain
