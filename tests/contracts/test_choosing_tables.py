"""Lists of needs, evaluation models and value models written on pages, judged as by the API."""

from __future__ import annotations

import pytest
from django.test import Client

from contracts.models import EvaluationModel, NeedList, OutcomeMeasurement, ValueModel
from hub.models import Organisation
from tests.builders import parties
from tests.builders import tenders as building
from tests.builders.parties import client_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def trust() -> Organisation:
    return parties.organisation("vestre-viken", name="Vestre Viken HF")


@pytest.fixture
def buyer(trust: Organisation) -> Client:
    return client_of(parties.member("buyer", role="procurement_officer", organisation=trust))


def rows(name: str, *given: dict[str, str]) -> dict[str, str]:
    """Rows of a set, and an empty one after them."""
    form = {f"{name}-TOTAL_FORMS": str(len(given) + 1), f"{name}-INITIAL_FORMS": "0"}
    for index, row in enumerate(given):
        form |= {f"{name}-{index}-{field}": value for field, value in row.items()}
    return form


NEED = {"code": "a", "title": "A", "modality": "CT", "organ": "brain", "volume": "10",
        "gain": "2.00", "competence": "3", "risk": "low", "best_class": "IIa"}  # fmt: skip
HEAD = {"code": "wanted", "organisation": "vestre-viken", "title": "Wanted", "pick": "1",
        "weight_gain": "0.6", "weight_competence": "0.4"}  # fmt: skip


def test_needs_are_written_and_changed(buyer: Client) -> None:
    breadth = {"dimension": "organ", "at_most_each": "1", "every": "brain, lung"}
    form = HEAD | rows("needs", NEED) | rows("breadth", breadth)
    wrong = HEAD | rows("needs", NEED | {"competence": "9"}) | rows("breadth")
    refused = buyer.post("/needs/new/", wrong)
    assert refused.status_code == 400
    assert 'id="form-needs-0-competence_error"' in refused.content.decode() or (
        "needs-0-competence" in refused.content.decode()
    )
    assert NeedList.objects.count() == 0
    assert buyer.post("/needs/new/", form).status_code == 302
    row = NeedList.objects.get()
    assert row.breadth.get().every == ["brain", "lung"]
    assert "brain, lung" in buyer.get("/needs/wanted/edit/").content.decode()
    more = form | rows("needs", NEED, NEED | {"code": "b"}) | {"title": "More"}
    assert buyer.post("/needs/wanted/edit/", more).status_code == 302
    row.refresh_from_db()
    assert (row.title, row.needs.count()) == ("More", 2)
    taken = buyer.post("/needs/new/", form).content.decode()
    assert "expected a code that is not taken" in taken


def test_the_second_of_two_is_told_and_overwrites_nothing(buyer: Client) -> None:
    form = HEAD | rows("needs", NEED) | rows("breadth")
    buyer.post("/needs/new/", form)
    seen = buyer.get("/needs/wanted/edit/").context["form"].initial["revision"]
    first = buyer.post("/needs/wanted/edit/", form | {"title": "First", "revision": seen})
    late = buyer.post("/needs/wanted/edit/", form | {"title": "Late", "revision": seen})
    assert (first.status_code, late.status_code) == (302, 400)
    assert "buyer changed wanted meanwhile" in late.content.decode()
    assert 'value="Late"' in late.content.decode()
    assert NeedList.objects.get().title == "First"


def test_a_plan_is_changed_as_it_was_seen(trust: Organisation, buyer: Client) -> None:
    row = building.planned(trust)
    where = f"/procedures/{row.code}/plan/"
    shown = buyer.get(where).context["form"]
    form = {name: value for name, value in shown.initial.items() if isinstance(value, str)}
    assert buyer.post(where, form | {"purpose": "First"}).status_code == 302
    late = buyer.post(where, form | {"strategy": "Late"})
    assert (late.status_code, "meanwhile" in late.content.decode()) == (400, True)
    row.refresh_from_db()
    assert (row.purpose, row.strategy) == ("First", "")


def test_an_evaluation_model_is_written_until_a_notice_announced_it(
    trust: Organisation, buyer: Client
) -> None:
    criteria = [
        {"code": "price", "name": "Price", "kind": "price", "weight": "40"},
        {"code": "quality", "name": "Quality", "kind": "quality", "weight": "30"},
        {"code": "env", "name": "Env", "kind": "quality", "weight": "30", "is_environment": "on"},
    ]
    demand = {"item": "triage", "start": "2027-01-01", "months": "24", "monthly": "1000"}
    form = {"code": "m", "organisation": "vestre-viken", "title": "M", "formula": "linear"}
    form |= rows("criteria", *criteria) | rows("scenario", demand)
    assert buyer.post("/evaluation-models/new/", form).status_code == 302
    model = EvaluationModel.objects.get()
    assert model.criteria.get(code="env").is_environment
    assert model.scenario == [{"item": "triage", "start": "2027-01-01", "months": 24,
                               "monthly": 1000}]  # fmt: skip
    procedure = building.planned(trust, evaluation_model=model)
    type(procedure).objects.update(state="published")
    late = buyer.post("/evaluation-models/m/", form | {"criteria-0-weight": "50"})
    assert "announced by 2026-100" in late.content.decode()
    assert "best" in buyer.get("/evaluation-models/").content.decode() or "M" in model.title


def test_a_value_model_is_written_and_measured(buyer: Client) -> None:
    form = {"code": "v", "organisation": "vestre-viken", "title": "V", "years": "2",
            "price": "10000: 24.00; 18.00"}  # fmt: skip
    form |= rows("parameters", {"name": "volume", "value": "1000", "low": "500", "high": "2000"})
    bad = buyer.post("/value/new/", form | {"price": "free"})
    assert 'id="head-price_error"' in bad.content.decode()
    assert buyer.post("/value/new/", form).status_code == 302
    model = ValueModel.objects.get()
    assert model.price["tiers"] == [{"up_to": 10000, "unit_price": "24.00"},
                                    {"unit_price": "18.00"}]  # fmt: skip
    assert "10000: 24.00; 18.00" in buyer.get("/value/v/edit/").content.decode()
    said = {"quarter": "2026-04-02", "name": "volume", "value": "300", "source": "PACS"}
    late = buyer.post("/value/v/outcomes/", said)
    assert 'id="measure-quarter_error"' in late.content.decode()
    assert buyer.post("/value/v/outcomes/", said | {"quarter": "2026-04-01"}).status_code == 302
    assert OutcomeMeasurement.objects.get().value == 300


def test_nobody_else_writes_them(trust: Organisation, buyer: Client) -> None:
    buyer.post("/needs/new/", HEAD | rows("needs", NEED) | rows("breadth"))
    other = parties.organisation("ous", name="OUS")
    stranger = client_of(parties.member("s", role="procurement_officer", organisation=other))
    assert stranger.get("/needs/wanted/edit/").status_code == 404
    wrong = stranger.post("/needs/new/", HEAD | {"code": "x"} | rows("needs", NEED))
    assert wrong.status_code == 400
    _vendor, supplier = building.company("northern")
    assert client_of(supplier).get("/needs/new/").status_code == 403
    assert NeedList.objects.count() == 1


def test_what_is_cleared_on_a_page_is_gone(buyer: Client) -> None:
    breadth = {"dimension": "organ", "at_most_each": "1", "every": "brain"}
    form = HEAD | rows("needs", NEED) | rows("breadth", breadth)
    assert buyer.post("/needs/new/", form).status_code == 302
    bare = HEAD | rows("needs", NEED | {"best_class": ""})
    bare |= rows("breadth", breadth | {"every": "", "at_most_each": "", "at_least": "1"})
    assert buyer.post("/needs/wanted/edit/", bare).status_code == 302
    row = NeedList.objects.get()
    rule = row.breadth.get()
    # without a certified solution a need passes no gate
    assert row.needs.get().best_class == ""
    assert (rule.every, rule.at_most_each, rule.at_least) == ([], None, 1)
    untitled = buyer.post("/needs/wanted/edit/", bare | {"title": ""})
    assert (untitled.status_code, NeedList.objects.get().title) == (400, "Wanted")


def test_a_model_of_another_formula_lets_go_of_what_that_does_not_have(buyer: Client) -> None:
    criteria = [
        {"code": "price", "name": "Price", "kind": "price", "weight": "40"},
        {"code": "quality", "name": "Quality", "kind": "quality", "weight": "60", "value": "3000"},
    ]
    form = {"code": "m", "organisation": "vestre-viken", "title": "M", "break_point": "1.5",
            "formula": "priced_quality", "environment_exemption": "software"}  # fmt: skip
    form |= rows("criteria", *criteria) | rows("scenario")
    assert buyer.post("/evaluation-models/new/", form).status_code == 302
    plain = form | {"formula": "linear", "break_point": "", "criteria-1-value": "",
                    "environment_exemption": ""}  # fmt: skip
    assert buyer.post("/evaluation-models/m/", plain).status_code == 302
    model = EvaluationModel.objects.get()
    assert (model.break_point, model.environment_exemption) == (None, "")
    assert set(model.criteria.values_list("value", flat=True)) == {None}


def test_a_price_that_the_page_cannot_tell_whole_stays_as_it_is(buyer: Client) -> None:
    form = {"code": "v", "organisation": "vestre-viken", "title": "V", "years": "2", "price": "10"}
    form |= rows("parameters", {"name": "volume", "value": "1000", "low": "500", "high": "2000"})
    assert buyer.post("/value/new/", form).status_code == 302
    tiers = {"tiers": [{"up_to": 100, "unit_price": "24.00", "flat_fee": "9.00"},
                       {"unit_price": "18.00"}]}  # fmt: skip
    for price, told in (
        ({"model": "graduated"} | tiers, "100: 24.00; 18.00"),
        ({"model": "all_units"} | tiers, ""),
    ):
        ValueModel.objects.update(price=price)
        without = {"price": told, "parameters-0-low": "", "parameters-0-high": ""}
        assert buyer.post("/value/v/edit/", form | without).status_code == 302
        model = ValueModel.objects.get()
        assert model.price == price
        assert (model.parameters.get().low, model.parameters.get().high) == (None, None)
    assert buyer.post("/value/v/edit/", form | {"price": "12"}).status_code == 302
    assert ValueModel.objects.get().price == {"model": "flat", "unit_price": "12"}


def test_a_measurement_is_typed_as_the_language_of_the_page_writes_it(buyer: Client) -> None:
    form = {"code": "v", "organisation": "vestre-viken", "title": "V", "years": "2", "price": "10"}
    buyer.post("/value/new/", form | rows("parameters", {"name": "volume", "value": "1000"}))
    buyer.cookies["django_language"] = "nb"
    said = {"quarter": "2026-04-01", "name": "sensitivity_with", "value": "0,92", "source": "RIS"}
    assert buyer.post("/value/v/outcomes/", said).status_code == 302
    assert OutcomeMeasurement.objects.get().value == 0.92
    told = buyer.post("/value/v/outcomes/", said | {"value": "92"})
    assert (told.status_code, OutcomeMeasurement.objects.count()) == (400, 1)
