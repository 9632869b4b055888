"""What a set-up file may say of an agreement, and what it is told of."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from contracts import options
from contracts.amendments import Change, steps
from contracts.models import Amendment, AuthorityOption, FrameworkAgreement, TermOption
from hub.configuration.exporting import export_text
from hub.models import Organisation, User
from tests.hub.configuration.setups import SETUP, applied, refused, write
from vendors import legal
from vendors.legal import Fact
from vendors.models import LegalFact

TITLE = "    title: Artificial intelligence for imaging\n"
FULL = """\
    technique: fa-mix
    duration_justification: Hospitals need eight years.
    suppliers: [{vendor: other, lot: chest, rank: 1}]
    lots: [{code: chest, title: Chest, maximum_value: "9000000.00"}]
    term_options:
      - {code: year-5, months: 12, exercise_by: 2029-10-01}
      - {code: volume, kind: volume, description: Twice the volume, state: declined}
    amendments:
      - {number: 1, agreed: 2026-05-01, reason: add-wss, value_before: "40000000.00", value_after: "42000000.00", notice: 1-2026}
"""  # noqa: E501
AUTHORITIES = """\
    authorities:
      - {organisation: vv, role: contracting_authority, valid: {from: 2026-01-01}}
      - {organisation: sp, role: contract_holder}
      - organisation: ahus
        role: option_authority
        option: {exercise_by: 2027-12-31, own_estimate: "3000000.00", soft_cap: "4000000.00"}
"""
AHUS = "  - {code: ahus, name: Ahus, vat_number: NO123456785MVA, gln: \"1238764941386\"}\n"
ROLES = "roles: [{role: data_controller, valid: {from: 2026-01-01}}, {role: option_holder}]"


def full(text: str = SETUP) -> str:
    old = "    authorities:\n      - {organisation: vv, role: contracting_authority}\n"
    return (
        text.replace(TITLE, TITLE + FULL).replace(old, AUTHORITIES)
        .replace("sites:", f"{AHUS}sites:", 1)
        .replace("name: Vestre Viken HF,", f"name: Vestre Viken HF, {ROLES},", 1)
        .replace("algorithms:", "  - {code: other, name: Other}\nalgorithms:", 1)
        .replace("    framework: 2020-1968\n", "    framework: 2020-1968\n    lot: chest\n")
    )  # fmt: skip


@pytest.mark.django_db
def test_all_that_an_agreement_has_comes_back_from_an_export(tmp_path: Path) -> None:
    applied(write(tmp_path, full()))

    option = AuthorityOption.objects.get()
    assert (option.state, option.soft_cap) == ("declared", Decimal("4000000.00"))
    roles = Organisation.objects.get(code="vv").roles.order_by("pk").values_list("role", flat=True)
    assert list(roles) == ["data_controller", "option_holder"]
    assert applied(write(tmp_path, export_text(), name="x.yaml"), is_pruning=True).lines == []


@pytest.mark.django_db
def test_an_option_goes_on_in_a_file_as_the_table_has_it(tmp_path: Path) -> None:
    applied(write(tmp_path, full()))
    declined = full().replace("option: {", "option: {state: declined, ")
    applied(write(tmp_path, declined))

    assert applied(write(tmp_path, full())).lines == []
    (problem,) = refused(write(tmp_path, full().replace("option: {", "option: {state: active, ")))

    assert problem.field == "authorities[ahus/option_authority].option.state"
    assert problem.text == "cannot go from declined to active"


@pytest.mark.django_db
def test_a_file_that_says_nothing_of_changes_and_options_leaves_them_as_they_are(
    tmp_path: Path,
) -> None:
    applied(write(tmp_path, full()))
    silent = full().replace(FULL[FULL.index("    term_options"):], "")

    assert applied(write(tmp_path, silent)).lines == []

    assert (Amendment.objects.count(), TermOption.objects.count()) == (1, 2)
    applied(write(tmp_path, full().replace("notice: 1-2026", "notice: 2-2026")))
    assert Amendment.objects.get().notice == "2-2026"
    for changed in (
        full().replace('value_after: "42000000.00"', 'value_after: "41000000.00"'),
        silent.replace(TITLE, f"{TITLE}    amendments: []\n"),
    ):
        (problem,) = refused(write(tmp_path, changed))
        assert (problem.field, problem.text) == (
            "amendments[1]", "cannot be changed: note a further one",
        )  # fmt: skip


@pytest.mark.django_db
def test_a_file_exercises_no_option_after_its_last_day(tmp_path: Path) -> None:
    late = full().replace("exercise_by: 2027-12-31", "exercise_by: 2020-01-31")
    applied(write(tmp_path, late))

    for said in ("state: exercised", "state: exercised, exercised: 2020-02-01"):
        (problem,) = refused(write(tmp_path, late.replace("option: {", f"option: {{{said}, ")))
        assert problem.field == "authorities[ahus/option_authority].option.state"
        assert problem.text == "cannot go from lapsed to exercised"
    noted_later = late.replace("option: {", "option: {state: exercised, exercised: 2020-01-31, ")
    applied(write(tmp_path, noted_later))
    assert AuthorityOption.objects.get().state == "exercised"


@pytest.mark.django_db
def test_an_older_file_takes_no_extension_back(tmp_path: Path) -> None:
    applied(write(tmp_path, full()))
    by = User.objects.get(username="admin")
    options.move(TermOption.objects.get(code="year-5"), to="exercised", by=by)

    (problem,) = refused(write(tmp_path, full()))

    assert problem.field == "valid.to"
    assert problem.text.startswith("expected 2030-12-31, to which the option year-5 moved it")
    extended = full().replace("to: 2029-12-31}", "to: 2030-12-31}")
    assert applied(write(tmp_path, extended)).lines == []
    year_5 = "      - {code: year-5, months: 12, exercise_by: 2029-10-01}\n"
    (problem,) = refused(write(tmp_path, extended.replace(year_5, "")))
    assert (problem.field, problem.text) == (
        "term_options[year-5]", "cannot be removed: it is exercised",
    )  # fmt: skip
    ended = full().replace("months: 12, ", "months: 12, state: exercised, ")
    applied(write(tmp_path, ended))
    assert FrameworkAgreement.objects.get().valid_to == date(2029, 12, 31)


@pytest.mark.django_db
def test_the_maximum_of_a_lot_never_falls_below_what_is_bound(tmp_path: Path) -> None:
    lot = "    lot: chest\n"
    bound = full().replace(lot, f"{lot}    committed_value: \"5000000.00\"\n")
    applied(write(tmp_path, bound))

    (problem,) = refused(write(tmp_path, bound.replace('"9000000.00"', '"4999999.99"')))

    assert problem.field == "lots[chest].maximum_value"
    assert "expected at least 5000000.00, which call-offs have bound" in problem.text
    applied(write(tmp_path, bound.replace('"9000000.00"', '"5000000.00"')))


@pytest.mark.django_db
@pytest.mark.parametrize(("committed", "told"), [("4000000.00", 0), ("4000000.01", 1)])
def test_it_is_told_when_more_is_committed_than_an_organisation_meant_to_buy(
    tmp_path: Path, committed: str, told: int
) -> None:
    further = f"""\
  - {{code: CO-2, framework: 2020-1968, organisation: ahus, lot: chest, valid: {{from: 2026-03-01}},
     committed_value: "1000000.00"}}
  - {{code: CO-3, framework: 2020-1968, organisation: ahus, lot: chest, valid: {{from: 2026-03-01}},
     committed_value: "{Decimal(committed) - 1_000_000}"}}
deployments:
"""
    warnings = applied(write(tmp_path, full().replace("deployments:\n", further))).warnings

    found = [(one.code, one.field) for one in warnings if "soft_cap" in one.text]
    assert found == [("CO-2", "committed_value"), ("CO-3", "committed_value")][: 2 * told]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("to: 2029-12-31}", "to: 2030-01-01}", "duration_justification"),
        (TITLE, f"{TITLE}    term_options: [{{code: a, months: 1}}]\n", "duration_justification"),
        (TITLE, f"{TITLE}    suppliers: [{{vendor: acme, lot: x}}]\n", "suppliers[0].lot"),
        ("role: contracting_authority}", "role: contracting_authority, option: {in_notice: true}}",
         "authorities[0].option"),
        ("role: contracting_authority}", "valid: {from: 2026-02-01, to: 2026-01-01}}",
         "authorities[0].valid.to"),
        ("name: Vestre Viken HF,", "name: V, gln: \"1238764941387\",", "gln"),
        ("name: Vestre Viken HF,", "name: V, vat_number: NO123456789MVA,", "vat_number"),
        ("name: Vestre Viken HF,", "name: V, vat_number: 123456785MVA,", "vat_number"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_field(
    tmp_path: Path, old: str, new: str, field: str
) -> None:
    (problem,) = refused(write(tmp_path, SETUP.replace(old, new, 1)))
    assert problem.field == field
    assert not FrameworkAgreement.objects.exists()


@pytest.mark.django_db
def test_a_limit_of_the_law_is_data_and_a_newer_one_counts(tmp_path: Path) -> None:
    longer = SETUP.replace("to: 2029-12-31}", "to: 2030-12-31}")
    (problem,) = refused(write(tmp_path, longer))
    assert "longer than 48 months (2014/24/EU Art. 33(1)" in problem.text

    newer = '{code: framework.months, from: 2025-01-01, value: "60", source: A new law}'
    applied(write(tmp_path, f"{longer}legal_limits:\n  - {newer}\n"))

    assert FrameworkAgreement.objects.get().valid_to == date(2030, 12, 31)
    assert LegalFact.objects.get().value == "60.00"
    assert legal.limit("framework.months", on=date(2026, 1, 1)) == 60
    assert "legal_limits:" in export_text()
    assert "legal_facts:" not in export_text()


@pytest.mark.django_db
def test_a_code_list_is_data_too(tmp_path: Path) -> None:
    fact = "{code: non-award-justification, since: 2026-01-01, value: [all-rej, new], source: SDK}"
    applied(write(tmp_path, f"{SETUP}legal_facts:\n  - {fact}\n"))
    assert legal.words("non-award-justification", on=date(2026, 2, 1)) == ("all-rej", "new")
    assert "ins-fund" in legal.words("non-award-justification", on=date(2025, 12, 31))
    assert "legal_limits:" not in export_text()


def test_what_is_shipped_has_a_source_for_each_limit_that_code_asks_for() -> None:
    asked = {
        "framework.months", "amendment.add-wss", "comp-dial.request_days", "environment.weight",
        "comp-dial.standstill_days", "mini-competition.standstill_days",
    }  # fmt: skip
    assert asked <= set(legal.limit_codes())
    assert all(one.source for one in legal.shipped())
    assert legal.limit_in_force("framework.months", on=date(2010, 1, 1)) is None


def a_change(number: int, reason: str, before: int, after: int) -> Change:
    return Change(number, date(2026, 5, number), reason, Decimal(before), Decimal(after))


def test_amendments_add_up_in_percent_of_the_first_value() -> None:
    changes = [
        a_change(3, "mod-rev", 135, 270), a_change(1, "add-wss", 100, 120),
        a_change(2, "mod-cir", 120, 135),
    ]  # fmt: skip

    found = list(steps(changes))

    assert [(one.percent, one.cumulative) for one in found] == [
        (20, 20), (15, 35), (135, 170),
    ]  # fmt: skip
    assert [one.excess for one in found] == ["", "", ""]


def test_each_reason_has_its_limit_and_the_least_ones_are_held_together() -> None:
    small = [a_change(n, "mod-minv", 100 + 6 * (n - 1), 100 + 6 * n) for n in (1, 2)]
    first, second = steps(small)
    assert first.excess == ""
    assert "12.00 percent of the original value, where mod-minv allows 10 percent" in second.excess
    twice = [a_change(n, "add-wss", 100 + 40 * (n - 1), 100 + 40 * n) for n in (1, 2)]
    assert [bool(one.excess) for one in steps(twice)] == [False, False]
    added = [Fact("amendment.add-wss", date(2026, 5, 2), "30", "A new law")]
    assert [bool(one.excess) for one in steps(twice, added=added)] == [False, True]
