"""The doors and pages of choosing open to those who buy and those who take part."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from contracts import dialogue
from contracts.models import NeedList, Submission
from hub.models import Organisation, User
from tests.builders import choosing_doors, parties
from tests.builders import tenders as building
from tests.contracts.test_choosing import model, needs
from tests.hub.test_every_door import ADDRESSES

pytestmark = pytest.mark.django_db


@pytest.fixture
def trust() -> Organisation:
    return parties.organisation("vestre-viken", name="Vestre Viken HF")


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_every_door_opens_to_the_buyer_or_to_a_participant(trust: Organisation) -> None:
    scene = choosing_doors.made(trust)
    buyer, participant = client_of(scene.buyer), client_of(scene.first_user)
    shut = set()
    for name in choosing_doors.NAMES - {"protocol"}:
        given = choosing_doors.given(name, scene)
        where = re.sub(r"<\w+:(\w+)>", lambda part: str(given[part[1]]), ADDRESSES[name])  # noqa: B023
        seen = [who.get(where).status_code for who in (buyer, participant)]
        if set(seen) <= {404, 405}:
            seen = [who.post(where, {"next": "/"}).status_code for who in (buyer, participant)]
        if set(seen) <= {404, 405} and name != "api-specification-difference":
            shut.add(name)
    assert shut == set()
    choosing_doors.with_protocol(scene)
    assert choosing_doors.HIDDEN in buyer.get("/procedures/2026-100/protocol/").content.decode()


def test_no_page_tells_a_participant_of_another(trust: Organisation) -> None:
    scene = choosing_doors.made(trust)
    pages = ("/procedures/", "/procedures/2026-100/",
             "/procedures/2026-100/specifications/specification/1/")  # fmt: skip
    for page in pages:
        told = client_of(scene.second_user).get(page)
        assert told.status_code == 200
        assert choosing_doors.HIDDEN not in told.content.decode()
    assert choosing_doors.HIDDEN in client_of(scene.buyer).get(pages[1]).content.decode()
    evaluation = client_of(scene.second_user).get("/procedures/2026-100/evaluation/")
    assert evaluation.status_code == 404


def test_the_page_of_needs_shows_the_choice_and_what_breadth_cost(trust: Organisation) -> None:
    buyer = client_of(parties.member("buyer", role="procurement_officer", organisation=trust))
    needs()
    told = buyer.post("/needs/needs/select/", {"next": "/needs/needs/"}, follow=True)
    assert "0.0700" in told.content.decode()
    assert "given up for breadth" in told.content.decode()
    assert "not through the gate" in told.content.decode()
    NeedList.objects.update(pick=9)
    refused = buyer.post("/needs/needs/select/", {"next": "/needs/needs/"}, follow=True)
    assert "expected at most 7" in refused.content.decode()
    assert "has changed since" in refused.content.decode()


def texts_in(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]+)", svg)


def test_the_page_of_value_shows_the_tornado_as_svg(trust: Organisation) -> None:
    buyer = client_of(parties.member("buyer", role="procurement_officer", organisation=trust))
    model()
    told = buyer.post("/value/skeletal/simulate/", {"seed": "7", "next": "/value/skeletal/"},
                      follow=True).content.decode()  # fmt: skip
    assert "1\N{NARROW NO-BREAK SPACE}893\N{NARROW NO-BREAK SPACE}587" in told
    (chart,) = re.findall(r'src="(/value/[^"]+svg)"', told)
    drawn = buyer.get(chart)
    assert drawn["Content-Type"] == "image/svg+xml"
    assert "Sensitivity, with the algorithm" in drawn.content.decode()
    assert "<script" not in drawn.content.decode()
    narrow = texts_in(buyer.get(f"{chart}?width=narrow").content.decode())
    assert "Sensitivity, with t…" in narrow  # a telephone shows whose bar it is, and few numbers
    assert 1 <= sum(one.endswith(" k") for one in narrow) <= 5
    refused = buyer.post("/value/skeletal/simulate/", {"seed": "x", "next": "/value/skeletal/"},
                         follow=True).content.decode()  # fmt: skip
    assert "seed:" in refused


def test_a_tender_is_handed_in_by_the_form_and_scored_on_the_page(trust: Organisation) -> None:
    made = building.in_final_tender(trust)
    supplier, buyer = client_of(made.first_user), client_of(made.buyer)
    where = "/procedures/2026-100/specifications/specification/1/"
    assert "price-triage" in supplier.get(where).content.decode()
    form = {
        "compliance-F-1": "full", "answer-F-1": "yes", "compliance-F-2": "full",
        "answer-F-2": "yes", "price-triage": "10000: 24.00; 18.00", "next": "/procedures/2026-100/",
    }  # fmt: skip
    refused = supplier.post(f"{where}submit/", form | {"price-triage": "cheap"}, follow=True)
    assert "offer" in refused.content.decode()
    told = supplier.post(f"{where}submit/", form, follow=True).content.decode()
    row = Submission.objects.get()
    assert row.sha256 in told
    assert row.sha256 not in buyer.get("/procedures/2026-100/").content.decode()
    evaluation = "/procedures/2026-100/evaluation/"
    buyer.post(f"{evaluation}freeze/", {"next": evaluation})
    building.over(made.procedure)
    moved = {"to": "evaluation", "why": "due", "next": evaluation}
    assert "24.00" not in buyer.get(evaluation).content.decode()
    assert "552\N{NARROW NO-BREAK SPACE}000.00" in buyer.post(
        "/procedures/2026-100/move/", moved, follow=True
    ).content.decode()
    scored = {"submission": row.pk, "criterion": "environment", "points": "7",
              "justification": "less power", "next": evaluation}  # fmt: skip
    assert "less power" in buyer.post(f"{evaluation}score/", scored, follow=True).content.decode()


def test_changed_requirements_are_marked_word_by_word(trust: Organisation) -> None:
    made = building.in_dialogue(trust)
    wanted = dialogue.suggest(made.first, text="x", rationale="", by=made.first_user)
    dialogue.accept_suggestion(
        wanted, requirement=building.requirement("F-3", text="Within five minutes"), reply="Yes",
        by=made.buyer,
    )  # fmt: skip
    where = "/procedures/2026-100/specifications/specification/2/"
    assert client_of(made.first_user).get(where).status_code == 404
    told = client_of(made.buyer).get(where).content.decode()
    assert "Within five minutes" in told
    assert "Changed since version 1" in told
