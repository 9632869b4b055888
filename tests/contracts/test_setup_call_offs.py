"""A set-up file moves a call-off as people do, and goes around nobody's approval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from contracts import call_offs
from contracts.by_file.shapes import moment_text
from contracts.models import CallOff
from hub.configuration.applying import apply
from hub.configuration.exporting import export_text
from hub.models import AuditEvent, Organisation, Site
from tests.builders.parties import line_of, member
from tests.hub.configuration.setups import SETUP, applied, refused, write

pytestmark = pytest.mark.django_db
ENTRY = "  - code: CO-1\n"


@pytest.fixture
def setup(tmp_path: Path) -> Path:
    applied(write(tmp_path))
    return tmp_path


def said(state: str) -> str:
    return SETUP.replace(ENTRY, f"{ENTRY}    state: {state}\n")


def commits(value: str) -> str:
    return SETUP.replace(ENTRY, f'{ENTRY}    committed_value: "{value}"\n')


def approve(call_off: CallOff) -> None:
    trust = Organisation.objects.get(code="vv")
    for name in ("one", "two"):
        user = member(name, role="procurement_officer", organisation=trust)
        call_offs.approve(call_off, by=user)


def test_what_a_new_file_says_is_active_is_signed_for_by_who_applies_it(setup: Path) -> None:
    assert CallOff.objects.get().state == "active"
    event = AuditEvent.objects.get(action="call_off_moved")
    assert (event.actor, event.subject) == ("tester", "CO-1")
    assert event.details == {
        "from_state": "draft", "to_state": "active", "signed_for": "set-up file",
    }  # fmt: skip


def test_the_moment_at_which_it_was_closed_goes_along_and_no_file_changes_it(
    setup: Path, tmp_path_factory: Any
) -> None:
    applied(write(setup, said("closed")))
    closed_at = CallOff.objects.get().closed_at
    assert closed_at is not None
    text = export_text()
    assert f"closed_at: {moment_text(closed_at)}" in text.replace("'", "")

    later = text.replace(moment_text(closed_at), "2031-01-01T00:00:00+01:00")
    assert applied(write(setup, later)) == applied(write(setup, text))
    assert CallOff.objects.get().closed_at == closed_at
    CallOff.objects.all().delete()
    applied(write(tmp_path_factory.mktemp("elsewhere"), text))
    assert CallOff.objects.get().closed_at == closed_at.replace(microsecond=0)


def test_only_what_is_closed_says_when(tmp_path: Path) -> None:
    text = said("active").replace(ENTRY, f"{ENTRY}    closed_at: 2026-05-01T12:00\n")

    (problem,) = refused(write(tmp_path, text))

    assert (problem.section, problem.field) == ("call_offs", "closed_at")


def test_where_people_must_approve_a_file_brings_in_drafts_alone(
    tmp_path: Path, settings: Any
) -> None:
    settings.HUB_CALL_OFFS_BY_FILE = False

    (problem,) = refused(write(tmp_path))

    assert (problem.section, problem.code, problem.field) == ("call_offs", "CO-1", "state")
    assert "two people approve each call-off (HUB_CALL_OFFS_BY_FILE), found active" in problem.text
    applied(write(tmp_path, said("draft")))
    assert CallOff.objects.get().state == "draft"


def test_a_closed_call_off_stays_closed_whatever_file_is_applied(setup: Path) -> None:
    call_offs.move(CallOff.objects.get(), to="closed", by="somebody")

    assert applied(write(setup)).lines == []
    (problem,) = refused(write(setup, said("active")))

    assert (problem.field, problem.text) == ("state", "CO-1 cannot go from closed to active")
    assert CallOff.objects.get().state == "closed"


def test_a_file_closes_a_call_off_and_leaves_that_on_record(setup: Path) -> None:
    assert applied(write(setup, said("closed"))).lines == [
        "update call_off CO-1: state active -> closed"
    ]
    assert CallOff.objects.get().state == "closed"
    moves = AuditEvent.objects.filter(action="call_off_moved").order_by("pk")
    assert [one.details["to_state"] for one in moves] == ["active", "closed"]


@pytest.mark.parametrize("state", ["approved", "active"])
def test_no_file_approves_a_draft_that_is_there(tmp_path: Path, state: str) -> None:
    applied(write(tmp_path, said("draft")))

    (problem,) = refused(write(tmp_path, said(state)))

    assert problem.field == "state"
    assert CallOff.objects.get().state == "draft"


def test_what_two_people_approved_no_file_changes(tmp_path: Path) -> None:
    text = commits("500000.00").replace(ENTRY, f"{ENTRY}    state: draft\n")
    applied(write(tmp_path, text))
    approve(CallOff.objects.get())
    other = commits("600000.00").replace("algorithm: bleed, site: drammen, activated",
                                         "algorithm: bleed, site: drammen, activated")  # fmt: skip

    (problem,) = refused(write(tmp_path, other))

    assert problem.field == "committed_value"
    assert "two people approved it as it is" in problem.text
    later = commits("500000.00").replace("activated: 2026-03-16", "activated: 2026-04-01")
    assert len(applied(write(tmp_path, later)).lines) == 1


def test_a_file_cannot_pass_the_maximum_either(setup: Path) -> None:
    (problem,) = refused(write(setup, commits("40000000.01")))
    assert problem.field == "committed_value"
    assert "40\N{NO-BREAK SPACE}000\N{NO-BREAK SPACE}000.00 are left" in problem.text
    applied(write(setup, commits("40000000.00")))

    lower = commits("40000000.00").replace('maximum_value: "40000000.00"', 'maximum_value: "39.00"')
    (problem,) = refused(write(setup, lower.replace('"33000000.00"', '"30.00"')))

    assert (problem.section, problem.field) == ("frameworks", "maximum_value")
    assert "40000000.00, which call-offs have bound" in problem.text


@pytest.mark.parametrize(
    ("value", "share"), [("27999999.99", None), ("28000000.00", 70), ("34000000.00", 85),
                         ("38000000.00", 95)],
)  # fmt: skip
def test_apply_tells_how_much_of_an_agreement_is_bound(
    setup: Path, value: str, share: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """As API and pages do, and where nothing changes any more as well."""
    for _again in range(2):
        call_command("apply", str(write(setup, commits(value))))
        said = capsys.readouterr().err
        told = f"maximum_value: at least {share} % of the maximum of 2020-1968 is bound"
        assert (told in said) == (share is not None), said
        assert ("of the maximum" in said) == (share is not None)


def test_a_file_of_call_offs_alone_tells_it_too(setup: Path) -> None:
    applied(write(setup, commits("38000000.00")))
    alone = setup / "more.yaml"
    head, _mark, rest = commits("38000001.00").partition("call_offs:\n")
    alone.write_text(f"version: \"1\"\ncall_offs:\n{rest}")
    (warning,) = apply([str(alone)], actor="tester").warnings
    assert (warning.section, warning.field) == ("call_offs", "committed_value")
    assert "at least 95 %" in warning.text


def test_a_call_off_that_people_approved_is_not_pruned(tmp_path: Path) -> None:
    applied(write(tmp_path, commits("5.00").replace(ENTRY, f"{ENTRY}    state: draft\n")))
    approve(CallOff.objects.get())

    problems = refused(write(tmp_path, SETUP[: SETUP.index("call_offs:")]), is_pruning=True)

    assert "it still has 2 call off approvals; set state: closed" in str(problems)


def test_the_state_comes_back_from_an_export(setup: Path) -> None:
    call_off = CallOff.objects.get()
    line_of(call_off, algorithm=call_off.lines.get().algorithm, site=Site.objects.create(
        code="kongsberg", organisation=call_off.organisation, name="Kongsberg"))  # fmt: skip
    call_offs.move(call_off, to="closed", by="somebody")

    assert "state: closed" in export_text()
    assert applied(write(setup, export_text(), name="out.yaml"), is_pruning=True).lines == []


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ("lot: x", "expected a lot of 2020-1968: there is none; found x"),
        ("mode: mini_competition", "expected direct or supplemented_tender, because 2020-1968 has"),
        ("supplier: other", "expected a supplier of 2020-1968: acme; found other"),
    ],
)
def test_a_call_off_is_within_its_agreement(tmp_path: Path, field: str, problem: str) -> None:
    text = SETUP.replace("algorithms:", "  - {code: other, name: Other}\nalgorithms:", 1)
    (found,) = refused(write(tmp_path, text.replace(ENTRY, f"{ENTRY}    {field}\n")))
    assert found.field == field.split(":")[0]
    assert found.text.startswith(problem)
