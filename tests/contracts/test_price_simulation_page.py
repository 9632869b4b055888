"""The page on which a usage is priced shows what the command and the API answer."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from contracts import usage_text
from contracts.models import UsageEvent
from contracts.usage_text import UsageNotRead
from tests.builders import parties
from tests.builders.parties import FirstSite, first_site
from tests.contracts.test_price_command import SETUP

pytestmark = pytest.mark.django_db
WHERE = "/billing/simulation/"
TABLE = "call_off;algorithm;site;date;quantity\nCO-0001;ich-triage;drammen;2026-10-01;1000\n"
NARROW = "\N{NARROW NO-BREAK SPACE}"


@pytest.fixture
def here() -> FirstSite:
    return first_site()


def asked(here: FirstSite, **fields: object) -> tuple[int, str]:
    client: Client = parties.client_of(here.officer)
    answer = client.post(WHERE, {"usage": TABLE} | fields, headers={"accept-language": "en"})
    return answer.status_code, answer.content.decode()


def test_a_table_is_priced_under_the_agreements_in_force(here: FirstSite) -> None:
    status, page = asked(here)
    assert status == 200
    assert f"24{NARROW}000.00" in page
    api = parties.client_of(here.officer).post(
        "/api/v1/price-simulations",
        json.dumps({"usage": usage_text.read(TABLE)}), content_type="application/json",
    )  # fmt: skip
    (invoice,) = api.json()["invoices"]
    assert invoice["net"] == "24000.00"
    assert "&quot;net&quot;: &quot;24000.00&quot;" in page
    assert not UsageEvent.objects.exists()


def test_files_are_taken_as_the_command_takes_them(here: FirstSite) -> None:
    usage = [{"call_off": "CO-1", "algorithm": "bleed", "site": "drammen", "date": "2026-06-15",
              "quantity": 10}]  # fmt: skip
    status, page = asked(
        here, usage="", setup_file=SimpleUploadedFile("setup.yaml", SETUP.encode()),
        usage_file=SimpleUploadedFile("usage.json", json.dumps(usage).encode()),
    )  # fmt: skip
    assert status == 200
    assert "In all" in page


def test_what_is_refused_stands_at_its_field(here: FirstSite) -> None:
    for fields, field, rule in (
        ({"usage": ""}, "usage", "This field is required."),
        ({"usage": "[{"}, "usage", "expected JSON"),
        ({"usage": "words"}, "usage", "expected a line of names"),
        ({"usage": TABLE.replace("1000", "many")}, "usage", "Row 1, quantity: expected"),
        ({"usage": TABLE.replace("CO-0001", "CO-9")}, "usage", "Row 1, call_off: expected"),
        ({"setup": "version: 2"}, "setup", "version: expected 1, found"),
        ({"until": "soon"}, "until", "Enter a valid date."),
    ):  # fmt: skip
        status, page = asked(here, **fields)
        found = page.split(f'id="price-{field}_error"')[1].partition("</p>")[0]
        assert (status, rule in found) == (400, True), (fields, found)


def test_the_page_is_for_those_who_buy(here: FirstSite) -> None:
    assert parties.client_of(here.radiologist).get(WHERE).status_code == 403
    assert WHERE in parties.client_of(here.officer).get("/billing/").content.decode()


def test_a_table_may_come_out_of_any_spreadsheet() -> None:
    told = [{"call_off": "A", "quantity": 5}]
    for text in (
        "call_off\tquantity\nA\t5", "call_off,quantity\r\nA,5\r\n",
        "\ufeffcall_off;quantity;late\nA;5;\n",
    ):  # fmt: skip
        assert usage_text.read(text) == told
    assert usage_text.read('[{"a": 1}]') == [{"a": 1}]
    for text in ("", "call_off;quantity", "{", "[" * 100_000):
        with pytest.raises(UsageNotRead):
            usage_text.read(text)
