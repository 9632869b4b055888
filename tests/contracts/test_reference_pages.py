"""Index series, rates of value added tax and term options, on pages and over the API."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from contracts.models import IndexSeries, TermOption, VatRate
from hub.models import User
from tests.builders import parties
from tests.builders.parties import FirstSite
from tests.hub.test_participants import send

pytestmark = pytest.mark.django_db
SERIES, RATES = "/api/v1/index-series/", "/api/v1/vat-rates/"
KPI: dict[str, Any] = {"code": "SSB/KPI", "title": "Konsumprisindeks",
                       "values": [{"month": "2025-11", "value": "128.6"}]}  # fmt: skip


@pytest.fixture
def here() -> FirstSite:
    return parties.first_site()


@pytest.fixture
def keeper(here: FirstSite) -> User:
    agent = parties.organisation("si", name="Sykehusinnkjøp HF", kind="purchasing_agent")
    return parties.member("keeper", role="procurement_officer", organisation=agent)


def test_a_series_gets_its_months_over_the_api(here: FirstSite, keeper: User) -> None:
    made = send(keeper, "POST", SERIES, KPI)
    assert (made.status_code, made.json()["values"][0]["value"]) == (201, "128.60"), made.content
    more = {"values": [*KPI["values"], {"month": "2026-11", "value": "133.1"}]}
    where = f"{SERIES}SSB/KPI/"
    assert send(keeper, "PATCH", where, more, seen=made["ETag"]).status_code == 200
    assert send(keeper, "PATCH", where, more, seen=made["ETag"]).status_code == 412
    assert send(keeper, "PATCH", where, more, seen=None).status_code == 428
    assert IndexSeries.objects.get().values.get(month="2026-11-01").value == Decimal("133.1")
    bad = send(keeper, "PATCH", where, {"values": [{"month": "2026-13", "value": "1"}]})
    assert (bad.status_code, list(bad.json())) == (400, ["values[0].month"])
    assert len(parties.client_of(here.officer).get(SERIES).json()) == 1
    assert send(here.officer, "PATCH", where, more).status_code == 403
    assert parties.client_of(here.radiologist).get(SERIES).status_code == 403


def test_a_rate_is_told_apart_by_country_and_day(here: FirstSite, keeper: User) -> None:
    rate = {"country": "NO", "valid_from": "2027-01-01", "rate": "26%"}
    assert send(keeper, "POST", RATES, rate).status_code == 201
    assert list(send(keeper, "POST", RATES, rate).json()) == ["country"]
    assert send(keeper, "POST", RATES, rate | {"valid_from": "2028-01-01"}).status_code == 201
    where = f"{RATES}NO/2027-01-01/"
    assert send(keeper, "PATCH", where, {"rate": "25.5%"}).json()["rate"] == "25.5%"
    assert list(send(keeper, "PATCH", where, {"valid_from": "2029-01-01"}).json()) == ["valid_from"]
    assert list(send(keeper, "PATCH", where, {"rate": "much"}).json()) == ["rate"]
    assert VatRate.objects.count() == 2
    for where in (f"{RATES}NO/soon/", f"{RATES}SE/2027-01-01/", f"{SERIES}a%00b/"):
        assert send(keeper, "PATCH", where, {"rate": "1%"}).status_code == 404


def test_series_and_rates_are_written_on_pages(here: FirstSite, keeper: User) -> None:
    client = parties.client_of(keeper)
    form = {"code": "KPI", "title": "Konsumpris", "values": "2025-11: 128.6\n2026-11: 133.1\n"}
    bad = client.post("/index-series/new/", form | {"values": "2025-13: 1"})
    assert bad.status_code == 400
    assert 'id="series-values_error"' in bad.content.decode()
    done = client.post("/index-series/new/", form, follow=True).content.decode()
    assert "KPI" in done
    assert "2026-11" in done
    assert "133.1" in done
    shown = client.get("/index-series/KPI/edit/").context["form"].initial
    assert shown["values"].splitlines()[1] == "2026-11: 133.10"
    more = form | {"values": shown["values"] + "\n2027-11: 140", "revision": shown["revision"]}
    assert client.post("/index-series/KPI/edit/", more).status_code == 302
    assert client.post("/index-series/KPI/edit/", more).status_code == 400
    assert IndexSeries.objects.get().values.count() == 3
    rate = {"country": "no", "valid_from": "2027-01-01", "rate": "26%"}
    listed = client.post("/vat-rates/new/", rate, follow=True).content.decode()
    assert "26" in listed
    assert "comes with the hub" in listed
    assert client.post("/vat-rates/NO/2027-01-01/", {"rate": "27%"}).status_code == 302
    assert VatRate.objects.get().rate == "27%"
    officer = parties.client_of(here.officer)
    assert "/vat-rates/new/" not in officer.get("/vat-rates/").content.decode()
    assert officer.post("/vat-rates/new/", rate | {"valid_from": "2029-01-01"}).status_code == 403
    assert VatRate.objects.count() == 1


def test_an_agreement_gets_options_on_its_page_until_they_are_moved(here: FirstSite) -> None:
    holder = parties.member(
        "holder", role="procurement_officer", organisation=here.framework.holder
    )
    client, where = parties.client_of(holder), f"/frameworks/{here.framework.pk}/"
    type(here.framework).objects.update(duration_justification="for tests")
    form = {"code": "+1", "kind": "extension", "months": "12", "exercise_by": "2029-06-30"}
    bad = client.post(f"{where}term-option/new/", form | {"months": "900"})
    assert bad.status_code == 400
    assert 'id="option-months_error"' in bad.content.decode()
    done = client.post(f"{where}term-option/new/", form, follow=True).content.decode()
    assert "+1" in done
    assert "12 months" in done
    seen = client.get(f"{where}term-option/+1/edit/").context["form"].initial["revision"]
    changed = form | {"months": "24", "description": "Two years", "revision": seen}
    client.post(f"{where}term-option/+1/edit/", changed)
    assert (TermOption.objects.get().months, TermOption.objects.get().state) == (24, "declared")
    assert client.post(f"{where}term-option/+1/edit/", changed).status_code == 400
    client.post(f"{where}term-options/+1/", {"state": "exercised"})
    client.post(f"{where}term-option/+1/remove/")
    assert client.post(f"{where}term-option/+1/edit/", form).status_code == 400
    assert TermOption.objects.get().months == 24
    client.post(f"{where}term-option/new/", form | {"code": "+2"})
    assert client.post(f"{where}term-option/+2/remove/").status_code == 302
    assert [one.code for one in TermOption.objects.all()] == ["+1"]
    assert parties.client_of(here.officer).get(f"{where}term-option/new/").status_code == 403


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("nb", "forventet en verdi over 0, fant &quot;0&quot;"),
        ("da", "forventede en værdi over 0, fandt &quot;0&quot;"),
        ("en", "expected a value above 0, found &quot;0&quot;"),
    ],
)
def test_what_the_rules_of_the_file_refuse_is_told_in_the_language_of_the_reader(
    keeper: User, language: str, told: str
) -> None:
    client = parties.client_of(keeper)
    form = {"code": "KPI", "values": "2025-11: 0"}
    page = client.post("/index-series/new/", form, headers={"accept-language": language})
    assert told in page.content.decode().lower()
    assert not IndexSeries.objects.exists()
