"""Needs, evaluation models and value models from a set-up file, and back into one."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import choosing
from contracts.models import EvaluationModel, NeedList, Procedure, ValueModel
from hub.configuration.applying import apply
from hub.configuration.exporting import export_text
from hub.configuration.problems import SetUpRefused
from tests.builders import parties
from tests.builders import tenders as building

pytestmark = pytest.mark.django_db
SETUP = """
version: 1
organisations:
  - {code: vestre-viken, name: Vestre Viken HF}
need_lists:
  - code: needs
    organisation: vestre-viken
    title: Needs
    pick: 1
    weight_gain: "0.6"
    weight_competence: "0.4"
    needs:
      - {code: a, title: A, modality: CT, organ: brain, volume: 10, gain: "2.00", competence: 3, risk: low, best_class: IIa}
      - {code: b, title: B, modality: MR, organ: brain, volume: 10, gain: "1.00", competence: 3, risk: high}
    breadth: [{dimension: organ, at_most_each: 1, every: [brain]}]
evaluation_models:
  - code: best-value
    organisation: vestre-viken
    title: Best value
    formula: linear
    scenario: [{item: triage, start: 2027-01-01, months: 24, monthly: 1000}]
    criteria:
      - {code: price, name: Price, kind: price, weight: "40"}
      - {code: quality, name: Quality, kind: quality, weight: "30"}
      - {code: environment, name: Environment, kind: quality, weight: "30", is_environment: true}
value_models:
  - code: worth
    organisation: vestre-viken
    title: Worth
    price: {model: flat, unit_price: "10.00"}
    discounts: [0.25]
    parameters:
      - {name: volume, value: 1000, low: 500, high: 2000, distribution: {kind: gamma, mean: 1000, sd: 100}, source: PACS}
"""  # noqa: E501


def applied(folder: Path, text: str) -> list[str]:
    (folder / "setup.yaml").write_text(text)
    return apply([str(folder / "setup.yaml")], actor="test").lines


def test_applied_once_all_is_there_and_twice_nothing_changes(tmp_path: Path) -> None:
    assert applied(tmp_path, SETUP)
    assert applied(tmp_path, SETUP) == []
    run = choosing.select(NeedList.objects.get(code="needs"), by="test")
    assert run.results["chosen"] == ["a"]
    assert EvaluationModel.objects.get().criteria.count() == 3
    assert ValueModel.objects.get().parameters.get().distribution["sd"] == 100


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('unit_price: "10.00"', 'unit_price: "free"', "price"),
        ("kind: gamma", "kind: weibull", "distribution: kind: expected one of"),
        ("competence: 3, risk: low", "competence: 6, risk: low", "a whole number from 1 to 5"),
    ],
)
def test_what_does_not_fit_is_told_at_its_place(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    with pytest.raises(SetUpRefused) as refused:
        applied(tmp_path, SETUP.replace(old, new))
    assert told in str([str(one) for one in refused.value.problems])


def test_no_file_changes_what_a_notice_announced(tmp_path: Path) -> None:
    trust = parties.organisation("vestre-viken", name="Vestre Viken HF")
    applied(tmp_path, SETUP)
    model = EvaluationModel.objects.get()
    building.planned(trust, evaluation_model=model)
    Procedure.objects.update(state="published")
    changed = SETUP.replace('weight: "30"', 'weight: "29"', 1).replace('"40"', '"41"')
    with pytest.raises(SetUpRefused) as refused:
        applied(tmp_path, changed)
    assert "was announced by 2026-100" in str([str(one) for one in refused.value.problems])
    assert applied(tmp_path, SETUP.replace("formula: linear", "formula: mark_up"))


@pytest.mark.parametrize("said", [1 / 3, 2e-5, 27.4 / 60, 1e12, 1e-300])
def test_any_number_that_the_api_takes_comes_back_from_an_export(
    tmp_path: Path, said: float
) -> None:
    applied(tmp_path, SETUP)
    ValueModel.objects.get().parameters.update(value=said, low=None, high=None)
    assert applied(tmp_path, export_text()) == []
    assert ValueModel.objects.get().parameters.get().value == said
