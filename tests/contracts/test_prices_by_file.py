"""The set-up file brings prices of call-offs, `manage.py price` rates them, and used ones stay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import call_command

from contracts.models import CallOff, CallOffPrice
from contracts.taking_usage import take
from hub.configuration.belongings import export_organisation
from hub.configuration.exporting import export_text
from hub.configuration.importing import import_organisation
from hub.models import Organisation
from tests.builders import parties
from tests.contracts.test_belongings import empty_database
from tests.contracts.test_competitions_by_file import SETUP, applied, refused
from tests.contracts.usage_reports import completed


def test_call_offs_of_two_organisations_count_together_and_share_what_is_fixed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    """By the file alone, without a database; no other volume counts with it."""
    (tmp_path / "setup.yaml").write_text(SHARED)
    usage = [
        {"call_off": code, "algorithm": "bleed", "site": site, "date": "2026-01-05",
         "quantity": units}
        for code, site, units in (("CO-1", "drammen", 700), ("CO-2", "oslo", 500),
                                  ("CO-3", "drammen", 10_001))
    ]  # fmt: skip
    (tmp_path / "usage.json").write_text(json.dumps(usage))
    call_command("price", str(tmp_path / "setup.yaml"), str(tmp_path / "usage.json"),
                 "--until=2026-01-31")  # fmt: skip
    found = json.loads(capsys.readouterr().out)["invoices"]
    lines = {
        (one["organisation"], line["description"], line["quantity"]): line["amount"]
        for one in found for line in one["lines"]
    }  # fmt: skip
    assert lines == {
        # 1,000 at 20.00 and 200 at 15.005 are 23,001.00, by volume
        ("vv", "Examinations", 700): "13417.25", ("ous", "Examinations", 500): "9583.75",
        # the agreement's own tiers: 10,000 at 24.00 and one at 18.00
        ("vv", "Examinations", 10_001): "240018.00",
        # of what cannot be halved the lower name has the øre
        ("vv", "Fixed amount, once", 0): "500.00", ("ous", "Fixed amount, once", 0): "500.01",
        ("vv", "Fixed amount of the year", 0): "6000.00",
        ("ous", "Fixed amount of the year", 0): "6000.00",
    }  # fmt: skip


SHARED = """
version: 1
organisations: [{code: vv, name: Vestre Viken}, {code: ous, name: Oslo}]
sites:
  - {code: drammen, organisation: vv, name: Drammen}
  - {code: oslo, organisation: ous, name: Oslo}
vendors: [{code: northern, name: Northern AS}, {code: southern, name: Southern AS}]
algorithms: [{code: bleed, vendor: southern, name: Bleed}]
frameworks:
  - code: F-1
    title: AI
    holder: vv
    supplier: northern
    suppliers: [{vendor: southern}]
    valid: {from: 2026-01-01, to: 2029-12-31}
    estimated_value: "33000000.00"
    maximum_value: "40000000.00"
    ceilings: guiding
    authorities: [{organisation: vv}, {organisation: ous}]
    price_book:
      - algorithm: bleed
        model: graduated
        tiers: [{up_to: 10000, unit_price: "24.00"}, {unit_price: "18.00"}]
procedures:
  - {code: mini-1, organisation: vv, kind: mini-competition, title: T, framework: F-1,
     evaluation_model: nowhere, state: concluded, winner: nobody}
call_offs:
  - code: CO-1
    framework: F-1
    organisation: vv
    mode: mini_competition
    competition: mini-1
    supplier: southern
    valid: {from: 2026-01-01}
    lines: [{algorithm: bleed, site: drammen, activated: 2026-01-01}]
    OWN
  - code: CO-2
    framework: F-1
    organisation: ous
    mode: mini_competition
    competition: mini-1
    supplier: southern
    valid: {from: 2026-01-01}
    lines: [{algorithm: bleed, site: oslo, activated: 2026-01-01}]
    OWN
  - code: CO-3
    framework: F-1
    organisation: vv
    valid: {from: 2026-01-01}
    lines: [{algorithm: bleed, site: drammen, activated: 2026-01-01}]
""".replace("OWN", """price_book:
      - algorithm: bleed
        model: graduated
        tiers: [{up_to: 1000, unit_price: "20.00"}, {unit_price: "15.005"}]
    fixed:
      - {name: setting up, amount: "1000.01", per: once}
      - {name: platform, amount: "12000.00", per: year}""")


OWN = SETUP.replace("    lines: [{algorithm: bleed, site: drammen, activated: 2026-03-16}]\n", """\
    lines: [{algorithm: bleed, site: drammen, activated: 2026-03-16}]
    price_book: [{algorithm: bleed, model: flat, unit_price: "8.50"}]
    fixed: [{name: platform, amount: "1.00", per: year}]
""")  # fmt: skip


@pytest.mark.django_db
def test_a_file_brings_the_prices_of_a_call_off_and_one_that_leaves_them_out_keeps_them(
    tmp_path: Path,
) -> None:
    applied(tmp_path, OWN)
    assert CallOffPrice.objects.get().terms == {"unit_price": "8.50"}
    assert applied(tmp_path, OWN) == []
    assert applied(tmp_path, SETUP) == []
    text = export_text()
    empty_database()
    applied(tmp_path, text)
    assert export_text() == text
    assert "amount: '1.00'" in text
    export_organisation(Organisation.objects.get(code="vv"), tmp_path / "left", by="test")
    empty_database()
    import_organisation(tmp_path / "left", by="test")
    assert CallOffPrice.objects.get().terms == {"unit_price": "8.50"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ("mode: mini_competition\n    competition: mini-1", "mode: direct",
         "price_book: expected nothing: a direct call-off has the agreement's prices"),
        ('"8.50"}]', '"8.50", sla: {late: 5%}}]', "price_book[0].sla: expected nothing"),
        ('"8.50"}]', '"8.50", valid_from: 2027-01-01}]',
         "price_book[0].valid_from: expected a price without it as well"),
        ("title: AI", "title: AI\n    ceilings: binding", "fixed: expected nothing beside"),
        ('fixed: [{name: platform, amount: "1.00", per: year}]', "fixed: [{name: platform}]",
         "fixed[0].amount: expected a value"),
    ],
)  # fmt: skip
def test_prices_of_a_call_off_that_do_not_fit_are_refused_by_path(
    tmp_path: Path, was: str, becomes: str, told: str
) -> None:
    assert told in refused(tmp_path, OWN.replace(was, becomes))
    assert not CallOff.objects.exists()


@pytest.mark.django_db
def test_a_file_never_changes_a_price_that_was_used_and_adds_a_later_one(tmp_path: Path) -> None:
    applied(tmp_path, OWN.replace('maximum_value: "40.00"', 'maximum_value: "4000.00"'))
    parties.algorithm_version("bleed")
    text = export_text()
    event = completed(1, time="2026-05-10T09:00:00Z", algorithm="bleed", subject="call_off:CO-1")
    administrator = parties.member("admin", role="administrator")
    answers = take([event], by=administrator)
    assert [one.status for one in answers] == ["accepted"], answers
    told = refused(tmp_path, text.replace("8.50", "8.40").replace("1.00", "2.00"))
    assert "price_book[bleed]: cannot be changed: 1 examination counted from its first" in told
    assert "fixed: cannot be changed: 1 examination counted" in told
    later = text.replace("    unit_price: '8.50'\n", """\
    unit_price: '8.50'
  - {algorithm: bleed, model: flat, unit_price: '8.00', valid_from: 2026-06-01}
""")
    told = refused(tmp_path, later.replace("2026-06-01", "2026-05-01"))
    assert "price_book[bleed/2026-05-01]: cannot be changed: 1 examination" in told
    assert any("price_book[bleed/2026-06-01]" in line for line in applied(tmp_path, later))
