"""Agreements and prices are put on record on pages and over the API, by the rules of the file."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contracts import price_text, written
from contracts.models import Authority, FrameworkAgreement, PriceBookEntry
from contracts.price_text import TextNotRead
from hub.configuration.entries import EntryRefused
from hub.models import AuditEvent, User
from tests.builders import parties
from tests.builders.parties import FirstSite
from tests.contracts.test_metering import reported

pytestmark = pytest.mark.django_db
API = "/api/v1/frameworks/"
ENTRY: dict[str, Any] = {
    "code": "2027-1", "title": "Imaging AI", "holder": "sykehuspartner", "supplier": "examplemed",
    "valid": {"from": "2027-01-01", "to": "2030-12-31"},
    "estimated_value": "33000000.00", "maximum_value": "40000000.00",
    "authorities": [{"organisation": "vestre-viken"}],
    "price_book": [{"algorithm": "ich-triage", "model": "flat", "unit_price": "24.00"}],
}
FORM = {
    "code": "2027-1", "title": "Imaging AI", "holder": "sykehuspartner", "supplier": "examplemed",
    "valid_from": "2027-01-01", "valid_to": "2030-12-31", "estimated_value": "33000000.00",
    "maximum_value": "40000000.00", "currency": "nok", "vat": "standard",
    "parties-TOTAL_FORMS": "2", "parties-INITIAL_FORMS": "0",
    "parties-0-organisation": "vestre-viken", "parties-0-role": "contracting_authority",
    "parties-1-organisation": "ahus", "parties-1-role": "option_authority",
    "parties-1-exercise_by": "2028-01-01",
}


@pytest.fixture
def here() -> FirstSite:
    return parties.first_site()


@pytest.fixture
def holder(here: FirstSite) -> User:
    return parties.member(
        "holder", role="procurement_officer", organisation=here.framework.holder
    )


def send(user: User, method: str, where: str, body: Any, **headers: str) -> Any:
    client = parties.client_of(user)
    return client.generic(
        method, where, json.dumps(body), content_type="application/json", headers=headers
    )


def error_at(page: str, field: str) -> str:
    assert f'id="{field}_error"' in page, page[-4000:]
    return page.split(f'id="{field}_error"')[1].partition("</p>")[0]


# -- the API ---------------------------------------------------------------------------------------
def test_an_agreement_is_put_on_record_over_the_api_by_its_holder(
    here: FirstSite, holder: User
) -> None:
    answer = send(holder, "POST", API, ENTRY)
    assert answer.status_code == 201, answer.content
    assert answer.json()["price_book"][0]["terms"] == {"unit_price": "24.00"}
    row = FrameworkAgreement.objects.get(code="2027-1")
    assert row.authorities.get().organisation == here.organisation
    event = AuditEvent.objects.get(action="entry_written")
    assert (event.actor, event.subject) == ("holder", "2027-1")
    where = f"{API}{row.pk}/entry/"
    told = parties.client_of(holder).get(where)
    assert told.json()["price_book"][0]["unit_price"] == "24.00"
    more = {"price_book": [*told.json()["price_book"], {
        "algorithm": "ich-triage", "valid_from": "2028-01-01", "model": "flat",
        "unit_price": "20.00",
    }]}  # fmt: skip
    done = send(holder, "PATCH", where, more, **{"if-match": told["ETag"]})
    assert (done.status_code, row.price_book.count()) == (200, 2)
    late = send(holder, "PATCH", where, {"title": "Other"}, **{"if-match": told["ETag"]})
    assert (late.status_code, "holder changed 2027-1 meanwhile" in late.json()["detail"]) == (
        412, True,
    )  # fmt: skip
    assert send(holder, "PATCH", where, {"title": "Other"}).status_code == 428


def test_what_a_file_would_be_refused_is_refused_here_by_the_same_field(
    here: FirstSite, holder: User
) -> None:
    for fields, field in (
        ({"code": "2020-1968"}, "code"), ({"maximum_value": 5}, "maximum_value"),
        ({"holder": "vestre-viken"}, "holder"), ({"holder": None}, "holder"),
        ({"valid": {"from": "2027-01-01", "to": "2039-12-31"}}, "duration_justification"),
        ({"supplier": "nobody"}, "supplier"), ({"nonsense": 1}, "nonsense"),
        ({"price_book": [{"algorithm": "ich-triage", "model": "graduated"}]},
         "price_book[0].tiers"),
        ({"price_book": [ENTRY["price_book"][0] | {"unit_price": 24.0}]},
         "price_book[0].unit_price"),
        ({"authorities": [{"organisation": "ahus", "role": "option_authority",
                           "option": {"state": "exercised"}}]}, "authorities[0].option.state"),
    ):  # fmt: skip
        answer = send(holder, "POST", API, ENTRY | fields)
        assert (answer.status_code, list(answer.json())) == (400, [field]), (fields, answer.json())
    assert send(holder, "POST", API, ["x"]).status_code == 400
    assert FrameworkAgreement.objects.count() == 1
    assert not AuditEvent.objects.filter(action="entry_written").exists()


def test_nobody_else_puts_an_agreement_on_record_or_reads_its_entry(
    here: FirstSite, holder: User
) -> None:
    where = f"{API}{here.framework.pk}/entry/"
    for user, status in (
        (here.officer, 403), (here.administrator, 403), (here.other_radiologist, 404),
    ):  # fmt: skip
        assert parties.client_of(user).get(where).status_code == status
        assert send(user, "PATCH", where, {"title": "x"}, **{"if-match": "*"}).status_code == status
    assert list(send(here.officer, "POST", API, ENTRY).json()) == ["holder"]
    assert send(here.radiologist, "POST", API, ENTRY).status_code == 403
    assert FrameworkAgreement.objects.get().title != "x"


def test_what_has_a_button_of_its_own_is_not_changed_beside_it(
    here: FirstSite, holder: User
) -> None:
    named = [{"organisation": "vestre-viken"},
             {"organisation": "ahus", "role": "option_authority", "option": {}}]  # fmt: skip
    written.change(here.framework, {"authorities": named}, by=holder)
    named[1] = named[1] | {"option": {"state": "exercised"}}
    for fields, field in (
        ({"authorities": named}, "authorities[1].option.state"), ({"code": "x"}, "code"),
        ({"amendments": [{"number": 1}]}, "amendments"),
    ):  # fmt: skip
        with pytest.raises(EntryRefused) as refused:
            written.change(here.framework, fields, by=holder)
        assert [path for path, _ in refused.value.problems] == [field]
    assert Authority.objects.get(role="option_authority").option.state == "declared"


# -- pages -----------------------------------------------------------------------------------------
def test_an_agreement_is_put_on_record_and_changed_on_pages(here: FirstSite, holder: User) -> None:
    client = parties.client_of(holder)
    assert "/frameworks/new/" in client.get("/frameworks/").content.decode()
    done = client.post("/frameworks/new/", FORM)
    row = FrameworkAgreement.objects.get(code="2027-1")
    assert (done.status_code, done["Location"]) == (302, f"/frameworks/{row.pk}/")
    assert row.currency == "NOK"
    joined = row.authorities.get(organisation=here.other_organisation)
    assert (joined.role, str(joined.option.exercise_by)) == ("option_authority", "2028-01-01")
    where = f"/frameworks/{row.pk}/edit/"
    shown = client.get(where).content.decode()
    revision = shown.split('name="revision" value="')[1][:64]
    again = FORM | {"parties-INITIAL_FORMS": "2", "title": "AI", "revision": revision}
    assert client.post(where, again | {"code": "other"}).status_code == 302
    row.refresh_from_db()
    assert (row.title, row.code, row.authorities.count()) == ("AI", "2027-1", 2)
    late = client.post(where, again | {"title": "Late"})
    assert (late.status_code, "changed 2027-1 meanwhile" in late.content.decode()) == (400, True)


def test_what_is_wrong_with_an_agreement_stands_at_its_field(holder: User) -> None:
    client = parties.client_of(holder)
    for fields, field, rule in (
        ({"valid_to": "2039-12-31"}, "duration_justification", "Expected a reason, because"),
        ({"valid_to": "2026-01-01"}, "valid_to", "Expected"),
        ({"currency": "kroner"}, "currency", "3"), ({"code": "2020-1968"}, "code", "taken"),
        ({"maximum_value": "much"}, "maximum_value", "Enter a number."),
    ):  # fmt: skip
        answer = client.post("/frameworks/new/", FORM | fields)
        assert answer.status_code == 400
        assert rule in error_at(answer.content.decode(), f"agreement-{field}")
    assert FrameworkAgreement.objects.count() == 1


def test_a_price_is_added_changed_and_taken_away_on_pages(here: FirstSite, holder: User) -> None:
    client, pk = parties.client_of(holder), here.framework.pk
    page = client.get(f"/frameworks/{pk}/").content.decode()
    assert f"/frameworks/{pk}/prices/new/" in page

    def asked(where: str, **fields: str) -> Any:
        shown = client.get(where).content.decode()
        revision = shown.split('name="revision" value="')[1][:64]
        said = {"algorithm": "ich-triage", "valid_from": "2028-01-01", "model": "graduated"}
        return client.post(where, said | {"revision": revision} | fields)

    done = asked(
        f"/frameworks/{pk}/prices/new/", price="10000: 22.00; 16.00",
        introduction="3: 100%; 3: 50%", tier_scope="authority",
        further="sla: {late: 5%, late_after_seconds: 600, cap: 20%}\nminimum: 1000.00",
    )  # fmt: skip
    assert done.status_code == 302, done.content.decode()
    made = PriceBookEntry.objects.get(valid_from="2028-01-01")
    assert made.terms["tiers"][0] == {"up_to": 10000, "unit_price": "22.00"}
    assert made.terms["minimum"]["amount"] == "1000.00"
    assert made.terms["sla"]["late_after_seconds"] == 600
    shown = client.get(f"/frameworks/{pk}/prices/{made.pk}/").content.decode()
    assert "10000: 22.00\n16.00</textarea>" in shown
    assert "late_after_seconds: 600" in shown
    for fields, field, rule in (
        ({"price": "24.00; 18.00"}, "price", "up_to: expected a bound"),
        ({"price": ""}, "price", "iers: expected a list of at least 1"),
        ({"price": "24.00", "further": "sla: {lat: 5%}"}, "further", "expected one of"),
        ({"price": "24.00", "further": "[1"}, "further", "1: expected"),
        ({"price": "24.00", "further": "tiers: []"}, "further", "has a field of its own"),
        ({"price": "24.00", "valid_from": "2026-01-01"}, "valid_from", "Expected a day after"),
    ):  # fmt: skip
        refused = asked(f"/frameworks/{pk}/prices/new/", **({"valid_from": "2029-01-01"} | fields))
        assert refused.status_code == 400
        assert rule in error_at(refused.content.decode(), f"price-{field}"), fields
    changed = asked(f"/frameworks/{pk}/prices/{made.pk}/", price="10000: 21.00; 16.00")
    assert changed.status_code == 302
    made.refresh_from_db()
    assert made.terms["tiers"][0]["unit_price"] == "21.00"
    client.post(f"/frameworks/{pk}/prices/{made.pk}/remove/")
    assert here.framework.price_book.count() == 1


def test_a_price_that_was_used_stays(here: FirstSite, holder: User) -> None:
    reported(here)
    used = here.framework.price_book.get()
    client = parties.client_of(holder)
    page = client.post(
        f"/frameworks/{here.framework.pk}/prices/{used.pk}/remove/", follow=True
    ).content.decode()
    assert "Cannot be removed" in page
    assert here.framework.price_book.get() == used


# -- what is typed ---------------------------------------------------------------------------------
def test_prices_are_typed_as_people_write_them() -> None:
    for text, model, terms in (
        ("24.00", "flat", {"unit_price": "24.00"}),
        ("10000: 24.00 + 500.00; 18.00", "graduated", {"tiers": [
            {"up_to": 10000, "unit_price": "24.00", "flat_fee": "500.00"},
            {"unit_price": "18.00"}]}),
        ("1000: + 500.00; + 900.00", "stair_step", {"tiers": [
            {"up_to": 1000, "flat_fee": "500.00"}, {"flat_fee": "900.00"}]}),
        ("", "package", {}),
    ):  # fmt: skip
        assert price_text.price_in(text, model=model) == terms
        assert price_text.price_in(price_text.text_of_price(terms), model=model) == terms
    phases = [{"months": 3, "discount": "100%"}, {"months": 2, "unit_price": "5.00"}]
    assert price_text.phases_in("3: 100%; 2: 5.00") == phases
    assert price_text.text_of_phases({"introduction": phases}) == "3: 100%; 2: 5.00"
    further = {"fee": "12.50", "better": True, "of": ["a"], "n": 3}
    assert price_text.terms_in(price_text.text_of_terms(further)) == further
    for text in ("- a", "word", "{", "a: &b [*b]"):
        with pytest.raises(TextNotRead):
            price_text.terms_in(text)
