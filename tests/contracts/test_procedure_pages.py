"""A dialogue led from the pages alone; what is refused stands beside its field."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from contracts import submitting
from contracts.models import (
    DialogueNote,
    MarketContact,
    Participant,
    Procedure,
    Requirement,
    RequirementSpec,
    SuggestedRequirement,
)
from hub.models import Organisation
from tests.builders import parties
from tests.builders import tenders as building
from tests.builders.parties import client_of

pytestmark = pytest.mark.django_db
PAGE = "/procedures/2026-100/"


@pytest.fixture
def trust() -> Organisation:
    return parties.organisation("vestre-viken", name="Vestre Viken HF")


def _two_at_one_requirement(buyer: Client, page: str, changed: dict[str, str]) -> None:
    """The second is told who was faster, and keeps what they typed; so it is after a removal."""
    seen = {"revision": buyer.get(page).context["form"].initial["revision"]}
    assert buyer.post(page, changed | seen | {"text": "By the first"}).status_code == 302
    late = buyer.post(page, changed | seen | {"text": "By the second"})
    told = late.content.decode()
    assert (late.status_code, "buyer changed 2026-7 meanwhile" in told) == (400, True)
    assert "By the second" in told
    assert Requirement.objects.get().text == "By the first"
    seen = {"revision": buyer.get(page).context["form"].initial["revision"]}
    Requirement.objects.all().delete()
    assert buyer.post(page, changed | seen).status_code == 400
    assert not Requirement.objects.exists()
    another = f"{page.rpartition('requirements/')[0]}requirements/"
    assert buyer.post(another, changed).status_code == 302


def test_a_page_offers_what_can_be_done(trust: Organisation) -> None:
    """No move that something keeps it from, and to a participant no page of the buyer's."""
    made = building.in_dialogue(trust)
    page = client_of(made.buyer).get(PAGE).content.decode()
    assert "A round of dialogue is still open" in page
    assert "Move on to: Final tenders" not in page
    assert "Move on to: No award" in page
    assert 'href="/needs/"' in page
    theirs = client_of(made.first_user).get(PAGE).content.decode()
    assert 'href="/procedures/"' in theirs
    assert 'href="/needs/"' not in theirs


def test_a_procedure_is_planned_and_announced_on_pages(trust: Organisation) -> None:
    buyer = client_of(parties.member("buyer", role="procurement_officer", organisation=trust))
    building.evaluation_model(trust)
    due = timezone.localtime() + timedelta(days=40)
    form = {
        "code": "2026-7", "organisation": "vestre-viken", "kind": "comp-dial", "title": "AI",
        "notice_type": "16", "purpose": "A platform", "estimated_value": "33000000.00",
        "notice_reference": "2026/S 1", "reduces_successively": "True", "dialogue_plan": "Two",
        "requests_due_at": due.strftime("%Y-%m-%dT%H:%M"), "evaluation_model": "best-value",
    }  # fmt: skip
    refused = buyer.post("/procedures/new/", form | {"code": "new", "estimated_value": "much"})
    told = refused.content.decode()
    assert refused.status_code == 400
    assert 'id="plan-code_error"' in told
    assert 'id="plan-estimated_value_error"' in told
    assert buyer.post("/procedures/new/", form).status_code == 302
    page = "/procedures/2026-7/"
    assert "Two" in buyer.get(f"{page}plan/").content.decode()
    contact = {"on": "2026-01-02", "with_whom": "All vendors", "summary": "A day of talks"}
    assert buyer.post(f"{page}contacts/", contact).status_code == 302
    assert MarketContact.objects.get().with_whom == "All vendors"
    assert buyer.post(f"{page}requirements/", {"stage": "espd"}).status_code == 302
    spec = RequirementSpec.objects.get()
    where = f"{page}specifications/espd/1/"
    asked = {"code": "E-1", "group": "exclusion", "kind": "must", "answer_type": "choice",
             "text": "No conviction", "choices": "yes\nno"}  # fmt: skip
    wrong = buyer.post(f"{where}requirements/", asked | {"choices": ""})
    assert 'id="requirement-choices_error"' in wrong.content.decode()
    assert buyer.post(f"{where}requirements/", asked).status_code == 302
    one = Requirement.objects.get()
    changed = asked | {"code": "E-2", "text": "No conviction at all"}
    assert buyer.post(f"{where}requirements/{one.pk}/", changed).status_code == 302
    assert list(spec.requirements.values_list("code", "choices")) == [("E-2", ["yes", "no"])]
    _two_at_one_requirement(buyer, f"{where}requirements/{one.pk}/", changed)
    buyer.post(f"{where}freeze/", {"next": page})
    moved = buyer.post(f"{page}move/", {"to": "published", "why": "sent"}, follow=True)
    assert "It stands at Published now." in moved.content.decode()
    late = buyer.post(f"{page}plan/", form | {"purpose": "Something else"})
    assert "Cannot be changed after the notice" in late.content.decode()
    assert Procedure.objects.get().purpose == "A platform"


def test_candidates_are_judged_and_the_dialogue_led_on_the_page(trust: Organisation) -> None:
    made = building.in_dialogue(trust)
    buyer, supplier = client_of(made.buyer), client_of(made.first_user)
    suggested = {"text": "Northern's FastPipe", "rationale": "fast"}
    assert supplier.post(f"{PAGE}suggest/", suggested).status_code == 302
    wish = SuggestedRequirement.objects.get()
    shown = buyer.get(f"{PAGE}suggestions/{wish.pk}/accept/").content.decode()
    assert "Northern&#x27;s FastPipe" in shown
    asked = {"code": "F-1", "group": "functional", "kind": "should", "answer_type": "yes_no",
             "text": "Results in five minutes", "reply": "In other words"}  # fmt: skip
    taken = buyer.post(f"{PAGE}suggestions/{wish.pk}/accept/", asked)
    assert 'id="accept-code_error"' in taken.content.decode()
    wish.refresh_from_db()
    assert wish.disposition == "pending"
    asked["code"] = "F-9"
    assert buyer.post(f"{PAGE}suggestions/{wish.pk}/accept/", asked).status_code == 302
    note = {"kind": "minutes", "participant": "1", "text": "HEMMELIG"}
    assert buyer.post(f"{PAGE}notes/", note).status_code == 302
    assert DialogueNote.objects.get().participant == made.first
    assert "HEMMELIG" not in client_of(made.second_user).get(PAGE).content.decode()
    bare = buyer.post(f"{PAGE}participants/2/", {"to": "reduced", "why": ""})
    assert 'id="judge-2-why_error"' in bare.content.decode()
    buyer.post(f"{PAGE}participants/2/", {"to": "reduced", "why": "the weakest"})
    assert Participant.objects.get(number=2).state == "reduced"
    assert buyer.post(f"{PAGE}rounds/1/close/", {"decision": "First goes on"}).status_code == 302
    again = buyer.post(f"{PAGE}rounds/1/close/", {"decision": "Again"})
    assert again.status_code == 400
    refused = buyer.post(f"{PAGE}move/", {"to": "final_tender", "why": "over"})
    assert 'class="act" open' in refused.content.decode()


def test_what_is_the_buyers_no_participant_may_do(trust: Organisation) -> None:
    made = building.in_dialogue(trust)
    supplier, buyer = client_of(made.first_user), client_of(made.buyer)
    for path in ("plan/", "contacts/", "participants/", "participants/1/", "rounds/", "notes/",
                 "rounds/1/close/", "requirements/", "result/", "move/"):  # fmt: skip
        assert supplier.post(PAGE + path, {"to": "cancelled", "why": "x"}).status_code == 404, path
    assert supplier.get("/procedures/new/").status_code == 403
    for path in ("ask/", "suggest/"):
        assert buyer.post(PAGE + path, {"text": "x"}).status_code == 404
    made.procedure.refresh_from_db()
    assert (made.procedure.state, made.procedure.rounds.count()) == ("dialogue", 1)


def test_who_takes_part_takes_back_what_was_handed_in(trust: Organisation) -> None:
    made = building.in_final_tender(trust)
    row = submitting.submit(
        made.first, kind="final", content=building.tender_of("10.00"), by=made.first_user
    )
    other = client_of(made.second_user).post(f"{PAGE}submissions/{row.pk}/withdraw/")
    assert other.status_code == 404
    supplier = client_of(made.first_user)
    assert "Take back" in supplier.get(PAGE).content.decode()
    assert supplier.post(f"{PAGE}submissions/{row.pk}/withdraw/").status_code == 302
    row.refresh_from_db()
    assert (row.state, row.sealed) == ("withdrawn", "")
