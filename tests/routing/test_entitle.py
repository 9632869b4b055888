"""Nothing runs without a contract, and a refusal says which clause in words for an officer."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from contracts import call_offs
from hub.phrases import render
from routing.models import Priority, Workitem
from routing.places import work_folder
from routing.steps import entitle as step
from tests.builders.studies import head_ct
from tests.routing.conftest import Place


def withdrawn(place: Place, what: str, **fields: Any) -> None:
    """Change one row of the set-up, by its name in FirstSite; no fields: delete it."""
    row = getattr(place.rows, what)
    if not fields:
        row.delete()
        return
    for name, value in fields.items():
        setattr(row, name, value)
    row.save()


@pytest.mark.parametrize(
    ("what", "fields", "sentence"),
    [
        ("call_off", {"state": "closed"}, "Call-off CO-0001 of Vestre Viken HF is closed"),
        ("call_off", {"state": "draft"}, "is a draft that nobody has approved yet"),
        ("call_off", {"valid_to": date(2026, 4, 1)}, "ended on 2026-04-01"),
        ("line", {}, "has no line for ICH Triage at Drammen sykehus"),
        ("line", {"activated": date(2099, 1, 1)}, "is activated on 2099-01-01 only"),
        ("framework", {"valid_to": date(2026, 4, 1)}, "Framework agreement 2020-1968 ended on"),
        ("framework", {"maximum_value": Decimal(0)}, "leaves no room for one more examination"),
        ("clearance", {"risk_class": "I"}, "class I"),
        ("clearance", {"expires": date(2026, 1, 1)}, "2026-01-01"),
        ("clearance", {"notified_body": "12"}, "notified body"),
        ("deployment", {"state": "suspended"}, "is suspended at Drammen sykehus"),
        ("deployment", {"state": "retired"}, "is retired at Drammen sykehus"),
        ("deployment", {}, "is not deployed at Drammen sykehus"),
    ],
)
def test_what_no_contract_covers_is_refused_with_the_clause_and_goes_nowhere(
    place: Place, what: str, fields: dict[str, Any], sentence: str
) -> None:
    withdrawn(place, what, **fields)
    place.send(head_ct())
    place.work()
    item = place.workitem
    assert item.state == "refused"
    assert sentence in render(item.why)
    assert not work_folder(item).exists()
    assert place.study.ai_state == "none"
    assert place.study.priority == Priority.ROUTINE
    place.time_passes()
    assert place.workitem.state == "refused"
    assert place.nothing_was_sent()


def test_a_call_off_closed_at_noon_stops_the_study_that_matched_before(place: Place) -> None:
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="matched").exists())
    call_offs.move(place.rows.call_off, to="closed", by=place.rows.officer)
    place.work()
    assert place.workitem.state == "refused"
    assert place.nothing_was_sent()


def test_what_is_granted_names_the_call_off_and_the_purpose(place: Place) -> None:
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="entitled").exists())
    item = place.workitem
    assert render(item.why) == "Call-off CO-0001 covers it (clinical use)"
    assert (item.line, item.purpose, item.write_back_mode) == (
        place.rows.line, "clinical", "automatic",
    )  # fmt: skip


def test_asking_twice_decides_once(place: Place) -> None:
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="entitled").exists())
    step.entitle(place.workitem)
    assert place.workitem.transitions.filter(to_state="entitled").count() == 1
