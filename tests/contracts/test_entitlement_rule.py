"""The rule of entitlement over plain facts: each clause alone refuses, and says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from contracts.clauses import (
    CallOffFacts,
    EntitlementFacts,
    FrameworkFacts,
    LineFacts,
    Refused,
)
from contracts.entitlement import Granted, decide
from tests.marketplace.test_clearance import FIT

FRAMEWORK = FrameworkFacts(
    code="2020-1968",
    valid_from=date(2026, 1, 1),
    valid_to=date(2029, 12, 31),
    maximum_value=Decimal("40000000.00"),
)
CALL_OFF = CallOffFacts(
    code="CO-0001",
    framework=FRAMEWORK,
    state="active",
    valid_from=date(2026, 3, 1),
    line=LineFacts(7, date(2026, 3, 16)),
)
FACTS = EntitlementFacts(
    on=date(2026, 6, 1),
    organisation="Vestre Viken HF",
    site="Drammen sykehus",
    algorithm="ICH Triage",
    clearance=FIT,
    call_offs=(CALL_OFF,),
    deployment_state="clinical",
    write_back="automatic",
)


def with_call_off(**change: Any) -> EntitlementFacts:
    return replace(FACTS, call_offs=(replace(CALL_OFF, **change),))


def with_framework(**change: Any) -> EntitlementFacts:
    return with_call_off(framework=replace(FRAMEWORK, **change))


def refusal(facts: EntitlementFacts) -> tuple[str, str]:
    decided = decide(facts)
    assert isinstance(decided, Refused)
    return decided.clause, str(decided.why).replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("until", "clause"),
    [(None, "framework_dates"), (date(2026, 5, 31), "call_off_dates"),
     (date(2026, 6, 1), ""), (date(2026, 5, 20), "call_off_dates")],
)  # fmt: skip
def test_a_call_off_outlives_its_agreement_where_it_says_until_when(
    until: date | None, clause: str
) -> None:
    ended = replace(FRAMEWORK, valid_to=date(2026, 5, 25))
    decided = decide(with_call_off(framework=ended, valid_to=until))
    assert (decided.clause if isinstance(decided, Refused) else "") == clause


@pytest.mark.parametrize("state", ["shadow", "validation", "clinical"])
def test_granted_for_the_purpose_of_the_deployment(state: str) -> None:
    decided = decide(replace(FACTS, deployment_state=state))

    assert decided == Granted(7, "CO-0001", state, "automatic")


@pytest.mark.parametrize(
    ("facts", "clause", "sentence"),
    [
        (replace(FACTS, call_offs=()), "call_off", "Vestre Viken HF has no call-off"),
        (
            with_call_off(line=None),
            "line",
            "Call-off CO-0001 of Vestre Viken HF has no line for ICH Triage at Drammen sykehus",
        ),
        (
            with_framework(names_organisation=False),
            "authority",
            "Vestre Viken HF is not named in framework agreement 2020-1968, "
            "so its call-off CO-0001 does not count",
        ),
        (
            with_call_off(valid_from=date(2026, 6, 2)),
            "call_off_dates",
            "Call-off CO-0001 of Vestre Viken HF is valid from 2026-06-02 only",
        ),
        (
            with_call_off(valid_to=date(2026, 5, 31)),
            "call_off_dates",
            "Call-off CO-0001 of Vestre Viken HF ended on 2026-05-31",
        ),
        (
            with_call_off(line=LineFacts(7, date(2026, 6, 2))),
            "line_activated",
            "The line for ICH Triage at Drammen sykehus of call-off CO-0001 "
            "is activated on 2026-06-02 only",
        ),
        (
            with_framework(valid_from=date(2026, 6, 2)),
            "framework_dates",
            "Framework agreement 2020-1968 is valid from 2026-06-02 only",
        ),
        (
            with_framework(valid_to=date(2026, 5, 31)),
            "framework_dates",
            "Framework agreement 2020-1968 ended on 2026-05-31",
        ),
        (
            with_framework(value_used=None, value_with_one_more=None),
            "price",
            "Framework agreement 2020-1968 has no price for ICH Triage",
        ),
        (
            with_framework(value_used=Decimal(40_000_000), value_with_one_more=Decimal(1)),
            "maximum_value",
            "The maximum value of framework agreement 2020-1968, 40 000 000.00 NOK, leaves no room "
            "for one more examination: 40 000 000.00 NOK is used",
        ),
        (
            replace(FACTS, clearance=replace(FIT, expires=date(2026, 5, 31))),
            "certificate_expired",
            "The certificate CE-700001 of ICH Triage 1.0.0 expired on 2026-05-31",
        ),
        (
            replace(FACTS, deployment_state="suspended"),
            "deployment",
            "ICH Triage 1.0.0 is suspended at Drammen sykehus",
        ),
        (
            replace(FACTS, deployment_state=None),
            "deployment",
            "ICH Triage 1.0.0 is not deployed at Drammen sykehus",
        ),
    ],
)
def test_each_clause_refuses_with_its_sentence(
    facts: EntitlementFacts, clause: str, sentence: str
) -> None:
    assert refusal(facts) == (clause, sentence)


@pytest.mark.parametrize("state", ["draft", "approved", "ordered", "closed", "cancelled"])
def test_a_call_off_counts_only_while_it_is_active(state: str) -> None:
    clause, sentence = refusal(with_call_off(state=state))

    assert clause == "call_off_state"
    assert state in sentence


def test_first_and_last_days_are_inside() -> None:
    today = FACTS.on
    framework = replace(FRAMEWORK, valid_from=today, valid_to=today)
    facts = with_call_off(
        framework=framework, valid_from=today, valid_to=today, line=LineFacts(7, today)
    )

    assert isinstance(decide(facts), Granted)


def test_the_examination_that_reaches_the_maximum_is_the_last() -> None:
    maximum = FRAMEWORK.maximum_value
    reaching = with_framework(value_used=maximum - 24, value_with_one_more=maximum)
    passing = with_framework(value_used=maximum - 23, value_with_one_more=maximum + 1)

    assert isinstance(decide(reaching), Granted)
    assert refusal(passing)[0] == "maximum_value"


def test_the_earliest_call_off_that_allows_it_is_taken_whatever_the_order_of_rows() -> None:
    later = replace(CALL_OFF, code="CO-0000", valid_from=date(2026, 4, 1))
    twin = replace(CALL_OFF, code="CO-0002")
    closed = replace(CALL_OFF, code="CO-0009", valid_from=date(2026, 2, 1), state="closed")
    rows = (twin, later, closed, CALL_OFF)

    for call_offs in (rows, rows[::-1]):
        decided = decide(replace(FACTS, call_offs=call_offs))
        assert isinstance(decided, Granted)
        assert decided.call_off_code == "CO-0001"


def test_the_refusal_is_that_of_the_call_off_which_came_furthest() -> None:
    about_something_else = replace(CALL_OFF, code="CO-0000", line=None)
    closed = replace(CALL_OFF, code="CO-0001", state="closed")
    run_out = replace(CALL_OFF, code="CO-0002", valid_to=date(2026, 5, 31))
    rows = (about_something_else, closed, run_out)

    for call_offs in (rows, rows[::-1]):
        assert refusal(replace(FACTS, call_offs=call_offs))[1].startswith("Call-off CO-0002")
