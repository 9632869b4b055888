"""Procedures leave with their organisation and come back whole; what is sealed stays sealed."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from contracts import evaluating, protocols, submitting
from contracts.models import Participant, Procedure, Score, Submission
from contracts.tenders import ProcedureMoveRefused
from hub.configuration import belongings
from hub.models import Organisation
from tests.builders import choosing_doors, parties
from tests.builders import tenders as building
from tests.contracts.test_belongings import empty_database, exported, rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def trust() -> Organisation:
    return parties.organisation("vestre-viken", name="Vestre Viken HF")


def concluded(trust: Organisation) -> building.Dialogue:
    """A dialogue with scores and a protocol, and a winner."""
    made = building.opened(trust)
    row = Submission.objects.filter(state="opened").first()
    assert row is not None
    evaluating.score(
        row, criterion="environment", requirement=None, points=4, justification="HEMMELIG",
        is_moderated=False, by=made.buyer,
    )  # fmt: skip
    protocols.write(made.procedure, by=made.buyer)
    Procedure.objects.update(winner=made.first)
    return made


def test_a_procedure_comes_back_whole_in_an_empty_database(
    trust: Organisation, tmp_path: Path
) -> None:
    concluded(trust)
    first = exported(tmp_path / "first")
    empty_database()
    call_command("import", str(first), stdout=io.StringIO())
    second = exported(tmp_path / "second")
    names = [table.name for table in belongings.tables() if table.name != "audit"]
    for name in names:
        assert rows(second, name) == rows(first, name), name
    filled = {"procedures", "procedure-moves", "participants", "requirements", "submissions",
              "requirement-responses", "evaluation-freezes", "scores", "protocols"}  # fmt: skip
    assert all(rows(first, name) for name in filled)
    procedure = Procedure.objects.get()
    assert procedure.winner == Participant.objects.get(number=1)
    assert Score.objects.get().justification == "HEMMELIG"
    call_command("import", str(first), stdout=io.StringIO())
    assert Score.objects.count() == 1
    vendors = (first / "setup.yaml").read_text()
    assert "Northern AS" in vendors
    assert "northern.sales" not in vendors  # a company's people are its own business


def test_a_sealed_tender_leaves_sealed_and_opens_elsewhere_in_time(
    trust: Organisation, tmp_path: Path, settings: Any
) -> None:
    made = building.in_final_tender(trust)
    submitting.submit(
        made.first, kind="final", by=made.first_user,
        content=building.tender_of(
            "10.00", building.answer("F-1", comment="HEMMELIG", comment_kind="other"),
            building.answer("F-2"),
        ),
    )  # fmt: skip
    evaluating.freeze(made.procedure, by=made.buyer)
    folder = exported(tmp_path / "out")
    text = "".join(path.read_text() for path in folder.iterdir())
    assert "HEMMELIG" not in text
    assert "10.00" not in json.dumps(rows(folder, "submissions"))
    empty_database()
    parties.organisation("other", name="Other")  # other keys than in the first database
    vendor, _user = building.company("another")
    assert vendor.pk
    call_command("import", str(folder), stdout=io.StringIO())
    procedure = Procedure.objects.get()
    with pytest.raises(ProcedureMoveRefused, match="deadline"):
        submitting.open_tenders(procedure, by="test", why="curious")
    building.over(procedure)
    secret, settings.SECRET_KEY = settings.SECRET_KEY, "another secret of another hub" * 3
    with pytest.raises(ProcedureMoveRefused, match="another secret"):
        submitting.open_tenders(procedure, by="test", why="due")
    procedure.refresh_from_db()
    assert (procedure.state, procedure.opened_at) == ("final_tender", None)
    settings.SECRET_KEY = secret
    submitting.open_tenders(procedure, by="test", why="due")
    row = Submission.objects.get()
    assert (row.state, row.responses.get(requirement__code="F-1").comment) == ("opened", "HEMMELIG")


def test_nothing_of_another_organisation_leaves(trust: Organisation, tmp_path: Path) -> None:
    choosing_doors.made(trust)
    parties.organisation("ous", name="Oslo universitetssykehus HF")
    folder = exported(tmp_path / "out", "ous")
    assert choosing_doors.HIDDEN not in "".join(path.read_text() for path in folder.iterdir())
    own = exported(tmp_path / "own")
    for name in ("questions", "suggested-requirements", "simulation-runs", "dialogue-rounds"):
        assert rows(own, name), name
