"""What was handed in is read on pages, scored there by names, and never seen by a rival."""

from __future__ import annotations

import pytest

from contracts.models import Score, Submission
from tests.builders import parties
from tests.builders import tenders as building
from tests.builders.parties import client_of

pytestmark = pytest.mark.django_db
PAGE = "/procedures/2026-100/"


def test_answers_are_read_by_the_buyer_and_their_own_company_alone() -> None:
    made = building.opened(parties.organisation("vestre-viken"))
    row = Submission.objects.filter(participant=made.first, kind="final").get()
    where = f"{PAGE}submissions/{row.pk}/"
    for user in (made.buyer, made.first_user):
        shown = client_of(user).get(where).content.decode()
        assert "F-2 holds" in shown
        assert "10.00" in shown
    assert "Northern" not in client_of(made.second_user).get(PAGE).content.decode()
    assert client_of(made.second_user).get(where).status_code == 404


def test_a_sealed_tender_shows_its_receipt_to_its_company_and_nothing_to_the_buyer() -> None:
    made = building.in_final_tender(parties.organisation("vestre-viken"))
    client = client_of(made.first_user)
    where = f"{PAGE}specifications/specification/1/"
    form = {"compliance-F-1": "full", "answer-F-1": "yes", "compliance-F-2": "full",
            "answer-F-2": "yes", "comment-F-2": "As today", "comment_kind-F-2": "other",
            "price-triage": "much"}  # fmt: skip
    refused = client.post(f"{where}submit/", form)
    told = refused.content.decode()
    assert refused.status_code == 400
    assert "As today" in told
    assert 'value="much"' in told
    assert not Submission.objects.filter(kind="final").exists()
    answer = client.post(f"{where}submit/", form | {"price-triage": "11.00"}, follow=True)
    row = Submission.objects.get(kind="final")
    assert row.sha256 in answer.content.decode()
    assert "Sealed: nobody reads it" in answer.content.decode()
    assert client_of(made.buyer).get(f"{PAGE}submissions/{row.pk}/").status_code == 404


def test_points_are_given_by_what_the_model_asks_and_what_lacks_has_its_name() -> None:
    made = building.opened(parties.organisation("vestre-viken"))
    client = client_of(made.buyer)
    shown = client.get(f"{PAGE}evaluation/").content.decode()
    assert "1 Northern AS: Environment" in shown
    assert "Quality · F-2, up to 5" in shown
    for row in Submission.objects.filter(kind="final"):
        for what, points in (("quality:F-2", "4,5"), ("environment:", "8")):
            form = {"submission": row.pk, "of": what, "points": points, "justification": "shown"}
            client.post(f"{PAGE}evaluation/score/", form)
    assert Score.objects.filter(requirement__code="F-2").count() == 2
    shown = client.get(f"{PAGE}evaluation/").content.decode()
    assert "points are missing" not in shown
    assert "The highest figure stands first." in shown
