"""What the API takes a set-up file takes too, so that an export can be imported elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from contracts.models import EvaluationModel, NeedList, ValueModel
from hub.configuration.applying import apply
from hub.configuration.exporting import export_text
from hub.configuration.problems import SetUpRefused
from tests.builders import parties
from tests.builders.parties import first_site, member

pytestmark = pytest.mark.django_db
CONTROL, LINES = "a\x0bb", "one\ntwo"
PRICE = {"code": "a", "name": "Price", "kind": "price", "weight": "40"}
NEEDS = {"code": "n", "organisation": "vestre-viken", "title": "N", "pick": 1,
         "weight_gain": "0.5", "weight_competence": "0.5", "needs": [], "breadth": []}  # fmt: skip
MODEL = {"code": "e", "organisation": "vestre-viken", "title": "E", "formula": "linear"}
VALUE = {"code": "v", "organisation": "vestre-viken", "title": "V", "years": 1, "parameters": []}


@pytest.fixture
def buyer() -> Client:
    first_site()
    return parties.client_of(member("both", role="procurement_officer"))


def sent(who: Client, where: str, body: Any, *, method: str = "POST") -> Any:
    return who.generic(
        method, f"/api/v1/{where}", json.dumps(body), "application/json",
        headers={"If-Match": "*"},
    )  # fmt: skip


def test_what_is_not_finished_leaves_and_comes_back(buyer: Client, tmp_path: Path) -> None:
    for where, body in (
        ("need-lists/", NEEDS), ("value-models/", VALUE), ("evaluation-models/",
         MODEL | {"criteria": []}), ("evaluation-models/", MODEL | {"code": "f",
         "criteria": [PRICE]}),
    ):  # fmt: skip
        assert sent(buyer, where, body).status_code == 201, where
    name = tmp_path / "setup.yaml"
    name.write_text(export_text())
    for table in (NeedList, ValueModel, EvaluationModel):
        table.objects.all().delete()
    outcome = apply([str(name)], actor="test")
    made = {one.item.code for one in outcome.changes if one.action == "create"}
    assert made == {"n", "v", "e", "f"}
    assert "weights that sum to 100, found 40" in str([one.text for one in outcome.warnings])


def test_a_text_of_one_line_has_one_line_and_paragraphs_may_have_more(
    buyer: Client, tmp_path: Path
) -> None:
    for title in (LINES, CONTROL):
        refused = sent(buyer, "need-lists/", NEEDS | {"title": title})
        assert refused.json() == {"title": ["expected one line of text"]}
    exempt = MODEL | {"criteria": [PRICE]}
    refused = sent(buyer, "evaluation-models/", exempt | {"environment_exemption": CONTROL})
    assert "environment_exemption" in refused.json()
    taken = exempt | {"environment_exemption": "one\r\n\ttwo", "title": "500\N{NO-BREAK SPACE}kr"}
    assert sent(buyer, "evaluation-models/", taken).status_code == 201
    name = tmp_path / "setup.yaml"
    name.write_text(export_text())
    changed = [one.kind.name for one in apply([str(name)], actor="test").changes]
    assert "evaluation_model" not in changed


PARTS = (
    ({"parameters": [{"name": "coverage", "value": 2}]}, "parameters[0].value", "0 to 1"),
    ({"parameters": [{"name": "volume", "value": 2, "low": 3, "high": 1}]},
     "parameters[0].high", "low below high"),
    ({"allocation": {"time": {"radiology": 0.5}}}, "allocation", "shares that sum to 1"),
    ({"allocation": {"coffee": {"radiology": 1}}}, "allocation", "a known item"),
)  # fmt: skip


@pytest.mark.parametrize(("part", "field", "rule"), PARTS)
def test_a_value_model_is_refused_alike(
    buyer: Client, tmp_path: Path, part: dict[str, Any], field: str, rule: str
) -> None:
    over_api = sent(buyer, "value-models/", VALUE | part)
    assert (over_api.status_code, rule in over_api.content.decode()) == (400, True)
    name = tmp_path / "setup.yaml"
    name.write_text(json.dumps({"version": "1", "value_models": [VALUE | part]}))
    with pytest.raises(SetUpRefused) as refused:
        apply([str(name)], actor="test")
    assert [one.field for one in refused.value.problems if rule in one.text] == [field]


def test_a_lot_is_named_where_there_are_lots_and_a_company_with_its_number(
    buyer: Client, tmp_path: Path
) -> None:
    text = export_text()
    name = tmp_path / "setup.yaml"
    lots = text.replace("  authorities:\n", "  lots: [{code: L, title: L}]\n  authorities:\n", 1)
    assert lots != text
    name.write_text(lots)
    with pytest.raises(SetUpRefused, match="lot: expected the lot that is called off from"):
        apply([str(name)], actor="test")
    item = {"item": "company", "state": "accepted", "evidence": "x", "decided_by": "x",
            "decided_on": "2026-01-01", "owner": "x", "dated": "2026-01-01"}  # fmt: skip
    company = {"code": "c", "name": "C", "country": "NO", "onboarding": [item]}
    name.write_text(json.dumps({"version": "1", "vendors": [company]}))
    with pytest.raises(SetUpRefused, match=r"srn: expected the SRN of the manufacturer"):
        apply([str(name)], actor="test")
