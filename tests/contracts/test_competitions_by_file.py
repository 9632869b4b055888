"""The set-up file brings a competition, what it is for, and the call-off that follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import competing
from contracts.models import CallOff, CallOffCompetition, Procedure
from hub.configuration.applying import apply
from hub.configuration.belongings import export_organisation
from hub.configuration.exporting import export_text
from hub.configuration.importing import import_organisation
from hub.configuration.problems import SetUpRefused
from hub.models import Organisation
from tests.builders import competitions as building
from tests.builders.competitions import draft_that_follows
from tests.contracts.test_belongings import empty_database

pytestmark = pytest.mark.django_db
SETUP = """
version: 1
organisations:
  - {code: vv, name: Vestre Viken HF}
sites:
  - {code: drammen, organisation: vv, name: Drammen}
vendors:
  - {code: northern, name: Northern AS}
  - {code: southern, name: Southern AS}
algorithms:
  - {code: bleed, vendor: southern, name: Bleed}
frameworks:
  - code: F-1
    title: AI
    holder: vv
    supplier: northern
    suppliers: [{vendor: southern}]
    valid: {from: 2026-01-01, to: 2029-12-31}
    estimated_value: "33.00"
    maximum_value: "40.00"
    authorities: [{organisation: vv}]
    price_book: [{algorithm: bleed, model: flat, unit_price: "9.00"}]
procedures:
  - code: mini-1
    organisation: vv
    kind: mini-competition
    title: Triage
    framework: F-1
    sites: [drammen]
    state: concluded
    participants: [{vendor: northern, state: invited}, {vendor: southern, state: invited}]
    winner: southern
call_offs:
  - code: CO-1
    framework: F-1
    organisation: vv
    mode: mini_competition
    competition: mini-1
    supplier: southern
    valid: {from: 2026-01-01}
    lines: [{algorithm: bleed, site: drammen, activated: 2026-03-16}]
"""


def applied(folder: Path, text: str) -> list[str]:
    (folder / "setup.yaml").write_text(text)
    return apply([str(folder / "setup.yaml")], actor="test").lines


def refused(folder: Path, text: str) -> str:
    with pytest.raises(SetUpRefused) as told:
        applied(folder, text)
    return str(told.value)


def test_a_competition_that_was_led_elsewhere_comes_with_its_winner_and_its_call_off(
    tmp_path: Path,
) -> None:
    applied(tmp_path, SETUP)
    row = CallOff.objects.get()
    assert (row.state, competing.of(row)) == ("active", Procedure.objects.get())
    assert Procedure.objects.get().winner.vendor.code == "southern"
    assert applied(tmp_path, SETUP) == []
    assert applied(tmp_path, SETUP.replace("    competition: mini-1\n", "")) == []
    assert CallOffCompetition.objects.exists()
    text = export_text()
    assert "competition: mini-1" in text
    empty_database()
    applied(tmp_path, text)
    assert export_text() == text


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ("winner: southern", "winner: northern", "supplier: expected Northern AS, who won mini-1"),
        ("    winner: southern\n", "", "competition: the hub does not know who won mini-1"),
        ("state: concluded", "state: planning", 'competition: mini-1 stands at "Planning"'),
        ("winner: southern", "winner: third", "winner: expected one of the participants"),
        ("sites: [drammen]", "sites: [nowhere]", "sites[0]: expected a known site, found nowhere"),
        ("competition: mini-1", "competition: mini-2", "competition: expected a known procedure"),
        ("mode: mini_competition", "mode: direct", "competition: expected nothing, because the"),
        ("kind: mini-competition", "kind: comp-dial", "competition: expected a mini-competition"),
    ],
)  # fmt: skip
def test_a_call_off_that_does_not_fit_its_competition_is_refused_by_path(
    tmp_path: Path, was: str, becomes: str, told: str
) -> None:
    assert told in refused(tmp_path, SETUP.replace(was, becomes))
    assert not CallOff.objects.exists()


def test_what_names_no_competition_is_taken_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "setup.yaml").write_text(SETUP.replace("    competition: mini-1\n", ""))
    done = apply([str(tmp_path / "setup.yaml")], actor="test")
    assert "expected the mini-competition that it follows from" in str(done.warnings)
    assert CallOff.objects.get().state == "active"


def test_no_file_says_afterwards_who_won(tmp_path: Path) -> None:
    applied(tmp_path, SETUP)
    other = SETUP.replace("winner: southern", "winner: northern")
    assert "winner: expected an act of people" in refused(tmp_path, other)


def test_the_link_leaves_with_the_organisation_and_comes_back(tmp_path: Path) -> None:
    made = building.concluded()
    competing.name(draft_that_follows(made), made.procedure)
    trust = Organisation.objects.get(code="vestre-viken")
    export_organisation(trust, tmp_path / "out", by="test")
    link = (tmp_path / "out/call-off-competitions.jsonl").read_text()
    assert link == '{"call_off": "CO-0100", "competition": "mini-1"}\n'
    empty_database()
    import_organisation(tmp_path / "out", by="test")
    row = CallOff.objects.get(code="CO-0100")
    assert competing.of(row) == Procedure.objects.get(code="mini-1")
    assert import_organisation(tmp_path / "out", by="test").there["call-off-competitions"] == 1
