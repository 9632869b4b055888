"""The rule language: total over whatever a header or a set-up file holds, and true to logic."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hub.phrases import render
from routing import conditions
from routing.conditions import check, decide

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
# json.loads gives lone surrogates for "\ud800", and integers of any length up to 4300 digits
odd = st.sampled_from(["\ud800", "\x00", "²", "1_000", "nan", 10**400, -(10**400), float("inf")])
json_values = st.recursive(
    scalars | odd,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
fields = st.sampled_from(sorted(conditions.FIELDS))
facts = st.dictionaries(fields, json_values | st.lists(scalars | odd, max_size=6), max_size=8)

words = st.text(max_size=10) | st.integers() | st.floats() | st.sampled_from(["CT", "ct ", 10**400])
patterns = st.text(min_size=1, max_size=30) | st.sampled_from([r"^CT\b", "(a+)+$", "[", "\ud800"])
tests = st.one_of(
    st.fixed_dictionaries({"equals": words}),
    st.fixed_dictionaries({"in": st.lists(words, min_size=1, max_size=4)}),
    st.fixed_dictionaries({"contains": words}),
    st.fixed_dictionaries({"matches": patterns}),
    st.fixed_dictionaries({"at_least": words}),
    st.fixed_dictionaries({"at_most": words}),
    st.fixed_dictionaries({"exists": st.booleans()}),
)
clauses = st.builds(lambda field, test: {field: test}, fields, tests)
rules = st.recursive(
    clauses,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, min_size=1, max_size=5)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=5)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=12,
)
# JSON that looks like a rule without being one
almost_rules = st.recursive(
    json_values,
    lambda inner: st.dictionaries(
        st.sampled_from(["all", "any", "not", "equals", "matches", "in", "series.modality"]),
        inner | st.lists(inner, max_size=3),
        max_size=2,
    ),
    max_leaves=12,
)


def holds(rule: Any, known: dict[str, Any]) -> bool:
    """What a rule decides; its clause must be fit to be shown, whatever the facts."""
    decision = decide(rule, known)
    assert render(decision.clause.stored())
    return decision.holds


@given(rules, facts)
def test_a_rule_without_fault_decides_about_any_header(rule: Any, known: dict[str, Any]) -> None:
    assume(not check(rule))
    assert holds(rule, known) in (True, False)


@given(json_values | almost_rules | rules, facts)
def test_any_json_is_either_a_rule_or_told_what_is_wrong_with_it(
    value: Any, known: dict[str, Any]
) -> None:
    faults = check(value)
    for path, expected in faults:
        assert path.startswith("when")
        assert expected.startswith("expected")
    if not faults:
        holds(value, known)


@given(rules, facts)
def test_not_is_the_opposite_and_twice_not_is_nothing(rule: Any, known: dict[str, Any]) -> None:
    assume(not check(rule))
    assert holds({"not": rule}, known) is not holds(rule, known)
    assert holds({"not": {"not": rule}}, known) is holds(rule, known)


@given(st.lists(rules, min_size=1, max_size=5), facts)
def test_all_and_any_are_those_of_logic(parts: list[Any], known: dict[str, Any]) -> None:
    assume(not any(check(part) for part in parts))
    each = [holds(part, known) for part in parts]
    assert holds({"all": parts}, known) is all(each)
    assert holds({"any": parts}, known) is any(each)
    # De Morgan
    assert holds({"not": {"all": parts}}, known) is holds(
        {"any": [{"not": part} for part in parts]}, known
    )


@given(st.permutations(["CT", "HEAD", 12]), clauses)
def test_the_order_of_values_never_decides(values: list[Any], rule: Any) -> None:
    assume(not check(rule))
    (field,) = rule
    assert holds(rule, {field: values}) is holds(rule, {field: sorted(values, key=str)})


@pytest.mark.parametrize("evil", ["(a+)+$", "(a|aa)+$", "(a|a?)+$", "(.*a){20}$", "(x+x+)+y"])
def test_a_hostile_pattern_takes_linear_time(evil: str) -> None:
    assert check({"series.series_description": {"matches": evil}}) == []
    known = {"series.series_description": ["a" * 200_000 + "!" + "x" * 200_000]}
    started = time.monotonic()
    decide({"series.series_description": {"matches": evil}}, known)
    assert time.monotonic() - started < 2.0


def test_a_rule_of_a_thousand_clauses_decides_and_can_be_shown() -> None:
    rule = {"any": [{"series.modality": {"equals": f"M{number}"}} for number in range(2000)]}
    assert check(rule) == []
    assert holds(rule, {"series.modality": ["CT"]}) is False
    assert holds(rule, {"series.modality": ["M1999"]}) is True


def test_conditions_nested_beyond_reason_are_a_fault_and_no_crash() -> None:
    rule: Any = {"series.modality": {"equals": "CT"}}
    for _ in range(400):
        rule = {"not": rule}
    ((_path, expected),) = check(rule)
    assert "nested" in expected


def test_a_faulty_pattern_is_told_in_words() -> None:
    ((path, fault),) = check({"series.series_description": {"matches": "("}})
    assert path == "when.series.series_description.matches"
    assert fault == "expected a regular expression (RE2 syntax): missing ): ("
