"""The pages of the marketplace and of vendors show what stands, and their buttons work."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from marketplace.models import Deployment, Evidence, Gate
from tests.builders import parties
from tests.builders.parties import client_of

pytestmark = pytest.mark.django_db


def test_every_page_is_drawn_and_its_buttons_do_what_they_say() -> None:
    here = parties.first_site()
    Evidence.objects.create(
        algorithm=here.algorithm, reference="10.1000/1", title="A multicentre study", year=2024,
        use="clinical", level="3",
    )  # fmt: skip
    client = Client()
    client.force_login(here.administrator)
    row = here.deployment.pk
    for where, words in (
        ("/catalogue/?modality=CT", "ICH Triage"), ("/catalogue/?modality=MR", "Nothing is on"),
        ("/catalogue/ich-triage/", "A multicentre study"),
        ("/catalogue/compare/?code=ich-triage", "CE class and year"),
        ("/deployments/", "Drammen sykehus"), (f"/deployments/{row}/", "Monitoring plan"),
        ("/vendors/", "0 of 9 accepted"), ("/vendors/examplemed/", "Insurance"),
        ("/invitation/", "Code of the invitation"),
    ):  # fmt: skip
        answer = client.get(where)
        assert answer.status_code == 200, where
        assert words in answer.content.decode(), where
    client.post(f"/deployments/{row}/gates/dpia/", {"is_passed": "yes", "evidence": "case 1"})
    assert Gate.objects.get().decided_by == "admin"
    answer = client.post(f"/deployments/{row}/gates/dpia/", {"is_passed": "yes"})
    assert 'id="gate-evidence_error"' in answer.content.decode()
    client.post(f"/deployments/{row}/step/", {"to": "suspended", "why": ""})
    assert Deployment.objects.get().state == "clinical"
    client.post(f"/deployments/{row}/step/", {"to": "suspended", "why": "odd"})
    assert Deployment.objects.get().state == "suspended"
    item = {"evidence": "IFU 3", "owner": "Anna", "dated": "2026-09-01"}
    client.post("/vendors/examplemed/items/ifu/", item)
    client.post("/vendors/examplemed/verdicts/ifu/", {"verdict": "accept"})
    assert here.vendor.onboarding.get().decided_by == "admin"
    form = {"name": "Anna", "email": "anna@example.org"}
    assert "shown this once" in client.post(
        "/vendors/examplemed/invite/", form, follow=True
    ).content.decode()
    assert "shown this once" not in client.get("/vendors/examplemed/").content.decode()


@pytest.mark.parametrize(
    ("address", "place"),
    [("/catalogue/", "Catalogue"), ("/vendors/examplemed/", "Vendors"),
     ("/vendor-invoices/", "Billing"), ("/safety-notices/", "Catalogue"),
     ("/evaluation-models/new/", "Choosing"), ("/nowhere/", "")],
)  # fmt: skip
def test_the_menu_marks_the_one_place_where_the_page_is(address: str, place: str) -> None:
    text = client_of(parties.first_site().administrator).get(address).content.decode()
    menu = text.partition('<nav aria-label="Main">')[2].partition("</nav>")[0]
    assert re.findall(r'aria-current="page">([^<]+)', menu) == ([place] if place else [])
