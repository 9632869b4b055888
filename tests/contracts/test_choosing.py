"""Choices and simulations are kept with all they were made from, and can be made again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from contracts import choosing, valuing
from contracts.models import (
    BreadthRule,
    Need,
    NeedList,
    SelectionRun,
    SimulationRun,
    ValueModel,
    ValueParameter,
)
from hub.models import AuditEvent
from marketplace.needs import NothingToChooseFrom
from tests.builders import parties
from tests.marketplace.test_needs import NEEDS
from tests.marketplace.test_value import CASE, DRAWN

pytestmark = pytest.mark.django_db


def needs() -> NeedList:
    made = NeedList.objects.create(
        code="needs", organisation=parties.organisation("vestre-viken", name="Vestre Viken HF"),
        title="Needs", pick=4, weight_gain=Decimal("0.6"), weight_competence=Decimal("0.4"),
    )  # fmt: skip
    for one in NEEDS:
        Need.objects.create(
            need_list=made, code=one.code, title=one.code, modality=one.modality, organ=one.organ,
            volume=one.volume, gain=Decimal(int(one.gain)), competence=one.competence,
            risk=one.risk, best_class=one.best_class,
        )  # fmt: skip
    BreadthRule.objects.create(need_list=made, dimension="modality", at_least=4)
    BreadthRule.objects.create(need_list=made, dimension="organ", at_least=3, at_most_each=2)
    BreadthRule.objects.create(
        need_list=made, dimension="risk", every=["low", "medium", "high"]
    )
    return made


def test_a_run_is_kept_with_its_inputs_and_they_give_it_again() -> None:
    made = needs()
    run = choosing.select(made, by="officer")
    assert run.results["price_of_breadth"] == "0.070000"
    assert set(run.results["chosen"]) == {"skeletal", "nodule", "ms", "mammography"}
    Need.objects.filter(code="skeletal").update(volume=1)
    run.refresh_from_db()
    assert choosing.results_of(choosing.chosen_from(run.inputs)) == run.results
    assert choosing.select(made, by="officer").sha256 != run.sha256
    assert AuditEvent.objects.filter(action="needs_selected", subject="needs").count() == 2
    with pytest.raises(DatabaseError), transaction.atomic():
        SelectionRun.objects.update(sha256="0" * 64)


def test_no_run_is_kept_where_nothing_can_be_chosen() -> None:
    made = needs()
    NeedList.objects.filter(pk=made.pk).update(pick=9)
    made.refresh_from_db()
    with pytest.raises(NothingToChooseFrom):
        choosing.select(made, by="officer")
    assert not SelectionRun.objects.exists()


def model() -> ValueModel:
    made = ValueModel.objects.create(
        code="skeletal", title="Skeletal X-ray", years=4, discounts=[0.25],
        organisation=parties.organisation("vestre-viken", name="Vestre Viken HF"),
        price={"model": "graduated", "tiers": [
            {"up_to": 10_000, "unit_price": "24.00"}, {"up_to": 30_000, "unit_price": "18.00"},
            {"up_to": 60_000, "unit_price": "13.50"}, {"unit_price": "9.75"},
        ]},
    )  # fmt: skip
    for name, one in CASE.parameters.items():
        ValueParameter.objects.create(
            model=made, name=name, value=one, distribution=DRAWN.get(name, {}), source="test",
            low=0.9 if name == "sensitivity_with" else None,
            high=0.94 if name == "sensitivity_with" else None,
        )  # fmt: skip
    return made


def test_a_simulation_is_kept_with_seed_engine_and_the_definition_of_roi() -> None:
    run = valuing.run(model(), seed=20260101, draws=500, by="officer")
    assert round(run.results["result"]["npv"], 2) == 1_893_586.62
    assert round(run.results["break_even"]["volume"][0], 2) == 26_879.84
    assert round(run.results["break_even"]["price"][0], 4) == 33.4223
    assert run.results["tornado"][0]["name"] == "sensitivity_with"
    assert run.results["perspectives"]["hospital"] == pytest.approx(run.results["result"]["npv"])
    assert "PV of costs" in run.roi_definition
    again = valuing.results_of(run.inputs, seed=run.seed, draws=run.draws)
    assert again["spread"] == run.results["spread"]
    with pytest.raises(DatabaseError), transaction.atomic():
        SimulationRun.objects.update(seed=1)


def test_a_quarter_beside_the_plan_and_what_is_no_measurement() -> None:
    made, quarter = model(), date(2026, 4, 1)
    for measured in (5_000, 9_000):
        valuing.measure(made, quarter=quarter, name="volume", measured=measured, source="PACS",
                        by="officer")  # fmt: skip
    (found,) = valuing.against_plan(made)
    (driver,) = found["drivers"]
    assert (driver["planned"], driver["measured"]) == (9_750, 9_000)
    assert found["npv"] < found["planned_npv"]
    for name, day, rule in (("magic", quarter, "name: "), ("volume", date(2026, 4, 2), "quarter")):
        with pytest.raises(valuing.NoSuchMeasurement, match=rule):
            valuing.measure(made, quarter=day, name=name, measured=1, source="", by="officer")


@pytest.mark.parametrize(
    ("name", "measured", "rule"),
    [("sensitivity_with", 92, "value: expected 0 to 1"),
     ("discount_rate", -1, "value: expected 0 to 1"),
     ("minutes_tp", -1, "value: expected 0 or more")],
)  # fmt: skip
def test_a_measurement_is_held_to_the_rules_of_its_parameter(
    name: str, measured: float, rule: str
) -> None:
    made = model()
    with pytest.raises(valuing.NoSuchMeasurement, match=rule):
        valuing.measure(made, quarter=date(2026, 4, 1), name=name, measured=measured, source="x",
                        by="officer")  # fmt: skip
    assert valuing.against_plan(made) == []


def test_minutes_by_result_are_measured_against_the_minutes_that_were_planned() -> None:
    made = model()
    valuing.measure(made, quarter=date(2026, 4, 1), name="minutes_tp", measured=3.6, source="RIS",
                    by="officer")  # fmt: skip
    (found,) = valuing.against_plan(made)
    (driver,) = found["drivers"]
    assert (driver["planned"], driver["measured"]) == (2.6, 3.6)
    assert driver["effect"] < 0
