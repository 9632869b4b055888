"""What a usage costs under a set-up file: invoices out, or every fault with its field and rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from tests.hub.configuration.setups import EXAMPLES, needs_examples

SETUP = """
version: 1
organisations:
  - {code: vv, name: Vestre Viken HF, kind: hospital_trust, country: NO}
  - {code: ahus, name: Ahus, kind: hospital_trust, country: NO}
sites:
  - {code: drammen, organisation: vv, name: Drammen sykehus}
  - {code: nordbyhagen, organisation: ahus, name: Nordbyhagen sykehus}
vendors: [{code: acme, name: Acme AS, country: NO}]
algorithms:
  - {code: bleed, vendor: acme, name: Bleed, versions: [{manifest: not-there.json}]}
index_series:
  - {code: kpi, values: [{month: 2025-11, value: "128.6"}, {month: 2026-11, value: "133.1"}]}
frameworks:
  - code: F
    title: Imaging
    holder: vv
    supplier: acme
    valid: {from: 2026-01-01, to: 2029-12-31}
    estimated_value: "1.00"
    maximum_value: "2.00"
    authorities: [{organisation: vv}, {organisation: ahus}]
    price_book:
      - algorithm: bleed
        model: graduated
        tiers:
          - {up_to: 10000, unit_price: "24.00"}
          - {up_to: 30000, unit_price: "18.00"}
          - {up_to: 60000, unit_price: "13.50"}
          - {unit_price: "9.75"}
call_offs:
  - code: CO-1
    framework: F
    organisation: vv
    valid: {from: 2026-01-01}
    lines: [{algorithm: bleed, site: drammen, activated: 2026-01-01}]
  - code: CO-2
    framework: F
    organisation: ahus
    valid: {from: 2026-01-01}
    lines: [{algorithm: bleed, site: nordbyhagen, activated: 2026-01-01}]
"""
PLACES = {"CO-1": "drammen", "CO-2": "nordbyhagen"}
Price = Callable[..., list[dict[str, Any]]]


def row(date: str, quantity: int, *, call_off: str = "CO-1", **further: Any) -> dict[str, Any]:
    where = {"call_off": call_off, "algorithm": "bleed", "site": PLACES[call_off]}
    return where | {"date": date, "quantity": quantity} | further


@pytest.fixture
def price(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Price:
    """Run the command without a database (pytest-django refuses any query here)."""

    def run(usage: Any, *, setup: str = SETUP, until: str = "") -> list[dict[str, Any]]:
        (tmp_path / "setup.yaml").write_text(setup, "utf-8")
        (tmp_path / "usage.json").write_text(json.dumps(usage), "utf-8")
        options = [f"--until={until}"] if until else []
        call_command("price", str(tmp_path / "setup.yaml"), str(tmp_path / "usage.json"), *options)
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["invoices"]
        return found

    return run


def told(invoices: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [(one["organisation"], one["month"], one["type"], one["net"]) for one in invoices]


def with_terms(terms: str) -> str:
    return SETUP.replace("        model: graduated\n", f"        model: graduated\n{terms}")


def test_an_invoice_has_exactly_what_was_agreed(price: Price) -> None:
    assert price([row("2026-06-16", 39_000)]) == [
        {
            "organisation": "vv", "month": "2026-06", "type": "380",
            "net": "721500.00", "vat": "180375.00", "gross": "901875.00",
            "lines": [
                {
                    "algorithm": "bleed", "site": "drammen", "description": "Examinations",
                    "quantity": 39_000, "amount": "721500.00",
                }
            ],
        }
    ]  # fmt: skip


def test_what_the_customer_spoilt_costs_the_agreed_share_of_the_price(price: Price) -> None:
    setup = with_terms('        customer_fault: "50%"\n')
    usage = [row("2026-02-16", 11_000, rejected=10)]
    (invoice,) = price(usage, setup=setup)
    assert [(one["description"], one["quantity"], one["amount"]) for one in invoice["lines"]] == [
        ("Examinations", 11_000, "258000.00"),
        ("Examinations rejected by the customer's fault", 0, "117.27"),
    ]
    assert told(price(usage)) == [("vv", "2026-02", "380", "258000.00")]


def test_all_algorithms_of_a_product_class_have_its_list_price(price: Price) -> None:
    """Each by its own volume; a class with two prices on one day is refused."""
    entry = '{algorithm: %s, model: flat, unit_price: "%s", price_class: B}'
    head, _mark, rest = SETUP.partition("      - algorithm: bleed\n")
    further = rest.partition("call_offs:")[2]
    of = "vendor: acme, name: Nodule, versions: [{manifest: not-there.json}]"
    other = f"  - {{code: nodule, {of}}}\n"
    head = head.replace("index_series:", f"{other}index_series:")

    def setup(second: str) -> str:
        entries = [entry % ("bleed", "24.00"), entry % ("nodule", second)]
        book = "".join(f"      - {one}\n" for one in entries)
        lines = further.replace("activated: 2026-01-01}]", "activated: 2026-01-01}, {algorithm: "
                                "nodule, site: drammen, activated: 2026-01-01}]", 1)  # fmt: skip
        return f"{head}{book}call_offs:{lines}"

    usage = [row("2026-02-16", 10), row("2026-02-16", 5) | {"algorithm": "nodule"}]
    assert told(price(usage, setup=setup("24.00"))) == [("vv", "2026-02", "380", "360.00")]
    with pytest.raises(CommandError, match=r"price_class: expected the price of class B, as bleed"):
        price(usage, setup=setup("25.00"))


def test_two_organisations_share_the_tiers_and_each_gets_its_own_invoices(price: Price) -> None:
    usage = [row("2026-01-05", 10_000), row("2026-02-05", 10_000, call_off="CO-2")]

    # 20,000 cost 420,000: a half each; what the other's volume saves is given back
    assert told(price(usage)) == [
        ("vv", "2026-01", "380", "240000.00"),
        ("ahus", "2026-02", "380", "210000.00"),
        ("vv", "2026-02", "381", "-30000.00"),
    ]


def test_a_negative_month_is_a_credit_note_and_the_year_adds_up(price: Price) -> None:
    setup = SETUP.replace("model: graduated", "model: all_units")

    invoices = price([row("2026-01-05", 30_000), row("2026-02-05", 1)], setup=setup)

    assert [(one["type"], one["net"], one["vat"], one["gross"]) for one in invoices] == [
        ("380", "540000.00", "135000.00", "675000.00"),
        ("381", "-134986.50", "-33746.63", "-168733.13"),
    ]


def test_the_last_night_of_a_month_is_that_of_oslo(price: Price) -> None:
    usage = [row("2026-05-31T22:30:00Z", 1), row("2026-05-31T23:30:00+02:00", 1)]

    assert [one["month"] for one in price(usage)] == ["2026-05", "2026-06"]


def test_rows_add_up_and_events_with_an_id_count_once(price: Price) -> None:
    plain, event = row("2026-06-16", 1), row("2026-06-16", 1, source="hub", id="1")

    assert price([plain, plain])[0]["net"] == "48.00"
    assert price([event, event])[0]["net"] == "24.00"
    assert price([event, event | {"source": "other"}])[0]["net"] == "48.00"


TERMS = """
        tier_scope: authority
        tier_period: quarter
        included_units: 100
        indexation: {series: kpi, base_month: 2025-11, ref_month: 2026-11, effective: 2027-01-01}
        minimum: "600000.00"
        cap: {amount: "1000000.00", scope: framework}
        fee: {amount: "12000.00", period: month, per: call_off}
        sla: {cap: "15%", late: "50%", availability: [{below: "99.5%", credit: "5%"}]}
        outcome: {kpi: home, target: "29%", slope: "1", bonus_cap: "10%"}
"""


def test_every_term_of_the_price_book_is_charged(price: Price) -> None:
    place = {"call_off": "CO-1", "algorithm": "bleed", "site": "drammen"}
    usage = {
        "usage": [row("2026-06-16", 1_100, late=10, failed=3)],
        "availability": [place | {"month": "2026-06", "share": "99%"}],
        "outcomes": [
            {"framework": "F", "algorithm": "bleed", "kpi": "home", "date": "2026-12-31",
             "successes": 400, "n": 1_000}
        ],
    }  # fmt: skip

    lines = [
        (one["organisation"], one["month"], line["description"], line["amount"])
        for one in price(usage, setup=with_terms(TERMS))
        for line in one["lines"]
    ]

    assert [line for line in lines if line[0] == "vv" and line[1] in ("2026-06", "2026-12")] == [
        ("vv", "2026-06", "Examinations", "24000.00"),
        ("vv", "2026-06", "Fixed fee", "12000.00"),
        # 10 late: 109.09; 5 % of 36,000 for the month
        ("vv", "2026-06", "Credit for the level of service", "-1909.09"),
        ("vv", "2026-12", "Fixed fee", "12000.00"),
        ("vv", "2026-12", "Up to the agreed minimum", "432000.00"),
        ("vv", "2026-12", "Above the agreed cap", "-100000.00"),
        ("vv", "2026-12", "Adjustment for the outcome", "49809.09"),
    ]


def test_a_call_off_that_outlives_its_agreement_is_priced_to_its_own_last_day(
    price: Price,
) -> None:
    setup = SETUP.replace(
        "organisation: vv\n    valid: {from: 2026-01-01}",
        "organisation: vv\n    valid: {from: 2026-01-01, to: 2030-06-30}",
    )
    (found,) = price([row("2030-06-30", 3)], setup=setup)
    assert (found["month"], found["net"]) == ("2030-06", "72.00")
    with pytest.raises(CommandError, match=r"to 2030-06-30, found 2030-07-01"):
        price([row("2030-07-01", 3)], setup=setup)
    with pytest.raises(CommandError, match=r"to 2029-12-31, found 2030-01-01"):
        price([row("2030-01-01", 3, call_off="CO-2")], setup=setup)


def test_a_call_off_that_was_closed_is_priced_to_that_day(price: Price) -> None:
    ours = "    organisation: vv\n    valid"
    closed = "    state: closed\n    closed_at: 2026-04-15T00:30\n"
    setup = SETUP.replace(ours, closed + ours).replace(
        "model: graduated", 'model: graduated\n        fee: {amount: "300.00", period: month}'
    )
    found = price([row("2026-04-15", 0)], setup=setup)
    nets = [(one["month"], one["net"]) for one in found if one["organisation"] == "vv"]
    assert nets == [(f"2026-0{n}", "300.00") for n in (1, 2, 3)] + [("2026-04", "150.00")]
    with pytest.raises(CommandError, match=r"to 2026-04-15, found 2026-04-16"):
        price([row("2026-04-16", 1)], setup=setup)


def test_what_is_charged_ends_with_the_day_asked_for(price: Price) -> None:
    setup = with_terms('        minimum: "600000.00"\n')
    usage = [row("2026-06-16", 1)]

    assert [one["month"] for one in price(usage, setup=setup)] == ["2026-06", "2026-12"]
    assert [one["month"] for one in price(usage, setup=setup, until="2026-11-30")] == ["2026-06"]


@pytest.mark.parametrize(
    ("vat", "expected"),
    [("vat: reverse_charge", "0.00"), ("vat: exempt", "0.00"), ("vat: standard", "6.00")],
)
def test_an_agreement_says_how_its_invoices_are_taxed(
    price: Price, vat: str, expected: str
) -> None:
    setup = SETUP.replace("    authorities:", f"    {vat}\n    authorities:")

    assert price([row("2026-06-16", 1)], setup=setup)[0]["vat"] == expected


def test_a_new_rate_of_tax_is_a_line_of_the_file(price: Price) -> None:
    rate = 'vat_rates: [{country: "NO", valid_from: 2026-06-30, rate: "26%"}]\n'
    usage = [row("2026-05-16", 100), row("2026-06-16", 100)]

    assert [one["vat"] for one in price(usage, setup=SETUP + rate)] == ["600.00", "624.00"]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"rows": []}, "usage.usage: expected a value"),
        ([7], "usage[0]: expected an object with call_off, algorithm, site, date, quantity"),
        ([row("2026-06-16", 1, qty=1)], "usage[0].qty: expected one of call_off"),
        ([row("2026-06-16", -1)], "usage[0].quantity: expected a whole number from 0"),
        ([row("2026-06-16", True)], "usage[0].quantity: expected a whole number from 0"),
        ([row("2026-06-16", 1, late=2)], "usage[0].late: expected a whole number from 0 to 1"),
        ([row("2026-06-31", 1)], "usage[0].date: expected a date such as"),
        ([row("2026-06-16T10:00:00", 1)], "usage[0].date: expected a date such as"),
        ([row("2025-12-31", 1)], "usage[0].date: expected a day from 2026-01-01, when"),
        ([row("2030-01-01", 1)], "to 2029-12-31, found 2030-01-01"),
        ([row("2026-06-16", 1) | {"call_off": "CO-3"}], "usage[0].call_off: expected a call-off"),
        ([row("2026-06-16", 1) | {"site": "drame"}], "did you mean drammen?"),
        ([row("2026-06-16", 1, id="1"), row("2026-06-16", 2, id="1")], "usage[1].id: expected"),
        ({"usage": [], "outcomes": [{}]}, "outcomes[0].framework: expected a value"),
    ],
)
def test_what_cannot_be_priced_is_refused_with_field_and_rule(
    price: Price, usage: Any, expected: str
) -> None:
    with pytest.raises(CommandError) as refused:
        price(usage)

    assert expected in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("model: graduated", "model: gradual", "price_book[0].model: expected one of graduated"),
        ("holder: vv", "holder: vw", "holder: expected a known organisation, found vw"),
        ("- {unit_price: \"9.75\"}", '- {flat_fee: "9.75"}',
         "price_book[0].tiers[3].unit_price: expected an amount"),
        ("model: graduated", "model: graduated\n        sla: {late: \"101%\"}",
         "price_book[0].sla.late: expected a percentage"),
        ("model: graduated", "model: graduated\n        minimum: 600000",
         "price_book[0].minimum: expected an amount in quotes"),
        ("model: graduated", "model: graduated\n        valid_from: 2026-01-01",
         "price_book[0].valid_from: expected a day after 2026-01-01"),
        ("version: 1", "version: 1\nprices: []", "prices: expected one of version"),
    ],
)  # fmt: skip
def test_a_set_up_that_says_no_price_is_refused_with_field_and_rule(
    price: Price, old: str, new: str, expected: str
) -> None:
    with pytest.raises(CommandError) as refused:
        price([row("2026-06-16", 1)], setup=SETUP.replace(old, new, 1))

    assert expected in str(refused.value)


def test_no_index_makes_a_price_negative_and_what_is_no_price_is_told_once(price: Price) -> None:
    index = ("        indexation: {series: kpi, base_month: 2025-11, ref_month: 2026-11, "
             "effective: 2027-01-01, cap: \"%s\"}\n")  # fmt: skip
    assert price([row("2027-01-01", 1)], setup=with_terms(index % "-100%"))[0]["net"] == "0.00"
    with pytest.raises(CommandError, match=r"indexation.cap: expected -100 percent or more"):
        price([row("2027-01-01", 1)], setup=with_terms(index % "-101%"))
    tiers = SETUP[SETUP.index("model: graduated") : SETUP.index("call_offs:")]
    flat = SETUP.replace(tiers, 'model: flat\n        unit_price: "1e3"\n')
    with pytest.raises(CommandError, match=r"^1 problem,.*\n.*unit_price: expected an amount"):
        price([row("2027-01-01", 1)], setup=flat)


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ("sla: {availability: [{under: \"99%\", credit_pct: \"5%\"}]}", {"under", "credit_pct"}),
        ("tier_scope: pooled\n        better_of: true", {"tier_scope"}),
        ("better_of: true", {"better_of"}),
    ],
)  # fmt: skip
def test_a_term_that_is_not_understood_is_told_without_what_follows_from_it(
    price: Price, terms: str, expected: set[str]
) -> None:
    with pytest.raises(CommandError) as refused:
        price([row("2026-06-16", 1)], setup=with_terms(f"        {terms}\n"))
    told = str(refused.value)
    assert "found nothing" not in told.replace("expected a value, found nothing", "")
    assert "expected named terms" not in told
    found = {line.partition(": expected")[0].rpartition(".")[2] for line in told.splitlines()[1:]}
    assert found - {"below", "credit"} == expected

    setup = SETUP.replace("model: graduated", "model: volume\n        unit_price: \"1.00\"")
    with pytest.raises(CommandError) as refused:
        price([row("2026-06-16", 1)], setup=setup)
    assert str(refused.value).startswith("1 problem,")


def test_norway_survives_a_tool_that_reads_yaml_1_1(price: Price) -> None:
    written = yaml.safe_dump(yaml.safe_load(SETUP))
    assert "country: false" in written
    assert price([row("2026-06-16", 1)], setup=written)[0]["vat"] == "6.00"


def test_files_that_are_no_set_up_and_no_usage_are_refused(tmp_path: Path) -> None:
    setup, usage = tmp_path / "setup.yaml", tmp_path / "usage.json"
    with pytest.raises(CommandError, match="expected a file that can be read"):
        call_command("price", str(setup), str(usage))
    setup.write_text(SETUP, "utf-8")
    with pytest.raises(CommandError, match="expected a file that can be read"):
        call_command("price", str(setup), str(usage))
    usage.write_text("[{", "utf-8")
    with pytest.raises(CommandError, match="expected JSON"):
        call_command("price", str(setup), str(usage))


@needs_examples
def test_the_introduction_of_the_first_site_is_priced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = {"call_off": "CO-0001", "algorithm": "ich-triage", "site": "drammen"}
    rows = [where | {"date": "2026-06-15", "quantity": 520}]
    rows += [where | {"date": "2026-06-16", "quantity": 610}]
    (tmp_path / "usage.json").write_text(json.dumps(rows), "utf-8")

    call_command("price", str(EXAMPLES / "first-site.yaml"), str(tmp_path / "usage.json"))

    (invoice,) = json.loads(capsys.readouterr().out)["invoices"]
    assert (invoice["net"], invoice["vat"], invoice["gross"]) == ("7320.00", "1830.00", "9150.00")
    assert [line["amount"] for line in invoice["lines"]] == ["27120.00", "-19800.00"]
