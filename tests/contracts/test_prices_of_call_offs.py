"""What a mini-competition was won with is what is invoiced, and never above a binding ceiling."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client

from contracts import competing, offered, submitting
from contracts.billing import facts
from contracts.billing.running import run
from contracts.call_offs import CallOffMoveError, approve, move
from contracts.models import (
    CallOff,
    CallOffAmount,
    CallOffPrice,
    Invoice,
    RatingSnapshot,
    Submission,
)
from contracts.submitting import ContentRefused
from contracts.taking_usage import take
from hub.models import Organisation
from tests.builders import competitions as building
from tests.builders import parties
from tests.builders.competitions import Competition, draft_that_follows
from tests.contracts.test_competitions_lead_to_call_offs import approve_twice, body, send
from tests.contracts.usage_reports import completed
from vendors.models import Vendor

pytestmark = pytest.mark.django_db
TERMS = {"model": "graduated", "unit_price": None, "tiers": [
    {"up_to": 1000, "unit_price": "8.00"}, {"unit_price": "5.005"},
]}  # fmt: skip
FIXED = ({"name": "setting up", "amount": "1000.01", "per": "once"},
         {"name": "platform", "amount": "12000.00", "per": "year"})  # fmt: skip


def ordered(made: Competition, **fields: Any) -> CallOff:
    """An active call-off that follows from the competition, approved by two people."""
    parties.algorithm_version(made.algorithm.code)
    row = draft_that_follows(made, **fields)
    competing.name(row, made.procedure)
    approve_twice(made, row)
    for state in ("ordered", "active"):
        row = move(row, to=state, by=made.buyer)
    return row


def uses(made: Competition, units: int, *, on: str, call_off: str = "CO-0100") -> None:
    event = completed(f"{call_off}-{on}", time=f"{on}T09:00:00Z", units=units, algorithm="bleed",
                      subject=f"call_off:{call_off}")  # fmt: skip
    answers = take([event], by=made.here.administrator)
    assert [one.status for one in answers] == ["accepted"], answers


def nets(month: int) -> list[Decimal]:
    Organisation.objects.filter(code="vestre-viken").update(organisation_number="894166762")
    Vendor.objects.update(organisation_number="987654325")
    return [one.net for one, _lines in run(date(2026, month, 1), by="test", is_dry=False).invoices]


# -- what was offered is what is invoiced ----------------------------------------------------------
def test_the_price_that_won_is_invoiced_to_the_ore_and_not_that_of_the_agreement() -> None:
    made = building.concluded(line=TERMS)
    assert not CallOffPrice.objects.exists()
    ordered(made)
    uses(made, 900, on="2026-04-10")
    uses(made, 101, on="2026-05-10")

    # 900 at 8.00; then the last 100 of the first tier, and one at 5.005: the year's 8005.005
    assert nets(4) + nets(5) == [Decimal("7200.00"), Decimal("805.01")]
    kept = RatingSnapshot.objects.latest("pk")
    assert kept.facts["call_offs"][-1]["price_book"][0]["tiers"][1]["unit_price"] == "5.005"
    assert sum(one.amount for one in facts.rated_again(kept)) == Decimal("8005.01")
    assert nets(6) == []


def test_fixed_amounts_that_were_offered_are_invoiced_once_and_by_the_days_of_a_year() -> None:
    made = building.concluded(fixed=FIXED)
    ordered(made)

    # from its activation on 16 March 291 of the 365 days of the contract year: 9567.12
    assert nets(3) == [Decimal("1000.01") + Decimal("9567.12")]
    lines = Invoice.objects.get().lines.order_by("position").values_list("kind", "amount")
    assert sorted(lines) == [("once", Decimal("1000.01")), ("yearly", Decimal("9567.12"))]
    assert nets(4) == []
    uses(made, 1, on="2026-05-10")
    assert nets(5) == [Decimal("10.00")]


def test_a_price_is_written_down_with_the_second_approval_and_never_changed_once_used() -> None:
    made = building.concluded(fixed=FIXED)
    row = draft_that_follows(made)
    competing.name(row, made.procedure)
    approve(row, by=made.buyer)
    assert not CallOffPrice.objects.exists()
    approve_second(made, row)
    price, amounts = CallOffPrice.objects.get(), CallOffAmount.objects.all()
    assert (price.model, price.terms, len(amounts)) == ("flat", {"unit_price": "10.00"}, 2)
    assert [one["is_current"] for one in reading_of(made, row)["approvals"]] == [True, True]
    parties.algorithm_version(made.algorithm.code)
    for state in ("ordered", "active"):
        move(row, to=state, by=made.buyer)
    uses(made, 1, on="2026-05-10")
    for act in (
        lambda: CallOffPrice.objects.update(terms={"unit_price": "11.00"}),
        lambda: CallOffAmount.objects.update(amount="1.00"),
        lambda: CallOffAmount.objects.create(call_off=row, name="x", amount="1.00", per="once"),
        lambda: CallOffPrice.objects.create(
            call_off=row, algorithm=made.algorithm, valid_from=date(2026, 5, 1), model="flat"),
    ):  # fmt: skip
        with pytest.raises(DatabaseError, match="a price in use"), transaction.atomic():
            act()
    CallOffPrice.objects.create(
        call_off=row, algorithm=made.algorithm, valid_from=date(2026, 6, 1), model="flat",
        terms={"unit_price": "9.00"},
    )  # fmt: skip


def approve_second(made: Competition, row: CallOff) -> None:
    approve(row, by=parties.member(
        "second", role="procurement_officer", organisation=made.here.organisation
    ))  # fmt: skip


def reading_of(made: Competition, row: CallOff) -> Any:
    return parties.client_of(made.buyer).get(f"/api/v1/call-offs/{row.pk}/").json()


# -- ceilings --------------------------------------------------------------------------------------
def binding(made: Competition) -> None:
    made.framework.ceilings = "binding"
    made.framework.save()


@pytest.mark.parametrize(
    ("line", "fixed", "told"),
    [
        ({"unit_price": "9.01"}, [], "1 examinations would cost 9.01 instead of 9.00"),
        ({"fee": {"amount": "1.00"}, "unit_price": "1.00"}, [], "fee: expected no more than"),
        ({"unit_price": "9.00"}, list(FIXED), "expected nothing beside the prices of"),
    ],
)
def test_an_offer_above_a_binding_ceiling_is_not_taken_and_nothing_is_sealed(
    line: dict[str, Any], fixed: list[Any], told: str
) -> None:
    made = building.in_final_tender()
    binding(made)
    content = made.offer(made.second, "9.00", **line)
    content["offer"]["fixed"] = fixed
    with pytest.raises(ContentRefused) as refusal:
        submitting.submit(made.second, kind="final", content=content, by=made.second_user)
    assert told in str(refusal.value)
    assert not Submission.objects.exists()
    ((field, _rule),) = refusal.value.problems
    assert field in ("offer.lines[0]", "offer.fixed")
    submitting.submit(
        made.second, kind="final", content=made.offer(made.second, "9.00"), by=made.second_user
    )


def test_a_call_off_above_a_ceiling_that_came_to_bind_is_not_approved() -> None:
    made = building.concluded()
    row = draft_that_follows(made)
    competing.name(row, made.procedure)
    assert list(offered.faults_of(row)) == []
    assert "bleed: expected no more than in 2020-1968" in "".join(
        offered.above_the_agreement(row)
    )
    binding(made)
    with pytest.raises(CallOffMoveError, match="1 examinations would cost 10.00 instead of 9.00"):
        approve(CallOff.objects.get(pk=row.pk), by=made.buyer)
    assert not CallOffPrice.objects.exists()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"sla": {"late": "5%"}}, "offer.lines[0].sla: expected nothing: that of the agreement"),
        ({"unit_price": "1.123456"}, "offer.lines[0].unit_price: expected an amount in quotes"),
    ],
)
def test_an_offer_that_no_price_book_can_hold_is_not_taken(line: Any, told: str) -> None:
    made = building.in_final_tender()
    content = made.offer(made.second, "9.00", **line)
    with pytest.raises(ContentRefused) as refusal:
        submitting.submit(made.second, kind="final", content=content, by=made.second_user)
    assert told in str(refusal.value)
    assert not Submission.objects.exists()


def test_an_algorithm_that_meets_two_items_is_offered_at_one_price() -> None:
    made = building.in_final_tender()
    model = made.procedure.evaluation_model
    assert model is not None
    more = {**model.scenario[0], "item": "at night"}
    model.scenario = [*model.scenario, more]
    model.save()
    content = made.offer(made.second, "9.00")
    content["offer"]["lines"].append(content["offer"]["lines"][0] | {
        "item": "at night", "unit_price": "8.00",
    })  # fmt: skip
    with pytest.raises(ContentRefused, match="expected one price of bleed, whatever items"):
        submitting.submit(made.second, kind="final", content=content, by=made.second_user)
    content["offer"]["lines"][1]["unit_price"] = "9.00"
    submitting.submit(made.second, kind="final", content=content, by=made.second_user)


# -- the API and the pages -------------------------------------------------------------------------
PRICE = {"algorithm": "bleed", "model": "flat", "unit_price": "8.50"}


def led_elsewhere(made: Competition) -> None:
    """As a file brings it in: with a winner and without tenders."""
    Submission.objects.filter(participant__procedure=made.procedure).update(state="withdrawn")


def test_a_draft_gets_prices_over_the_api_and_an_approval_of_others_is_void() -> None:
    made = building.concluded()
    refusal = send("officer", "POST", "/api/v1/call-offs/", body(made, price_book=[PRICE]))
    assert refusal.status_code == 201
    row = CallOff.objects.get(code="CO-9")
    with pytest.raises(CallOffMoveError, match="expected the price with which bleed was offered"):
        approve(row, by=made.buyer)
    led_elsewhere(made)
    approve(row, by=made.buyer)
    where = f"/api/v1/call-offs/{row.pk}/"
    client = parties.client_of(made.buyer)
    told = client.get(where)
    assert told.json()["price_book"] == [PRICE]
    fixed = [{"name": "platform", "amount": "100.00", "per": "year"}]
    said = body(made, fixed=fixed, price_book=[PRICE | {"unit_price": "8.40"}])
    answer = client.put(where, json.dumps(said), content_type="application/json",
                        headers={"If-Match": told["ETag"]})  # fmt: skip
    assert answer.status_code == 200, answer.content
    assert (answer.json()["price_book"][0]["unit_price"], answer.json()["fixed"]) == (
        "8.40", fixed,
    )  # fmt: skip
    assert [one["is_current"] for one in answer.json()["approvals"]] == [False]
    stale = client.put(where, json.dumps(said), content_type="application/json",
                       headers={"If-Match": told["ETag"]})  # fmt: skip
    assert stale.status_code == 412


def test_prices_of_a_direct_call_off_and_of_what_is_not_agreed_are_refused_by_field() -> None:
    made = building.concluded()
    direct = body(made, mode="direct", competition=None, price_book=[PRICE])
    answer = send("officer", "POST", "/api/v1/call-offs/", direct)
    assert (answer.status_code, list(answer.json())) == (400, ["price_book"])
    assert not CallOff.objects.filter(code="CO-9").exists()
    wrong = body(made, price_book=[PRICE | {"unit_price": "much"}])
    answer = send("officer", "POST", "/api/v1/call-offs/", wrong)
    assert list(answer.json()) == ["price_book[0].unit_price"]


def pressed(client: Client, where: str, form: dict[str, str]) -> Any:
    return client.post(where, form, follow=True)


def test_prices_of_a_draft_are_typed_changed_and_taken_away_on_its_page() -> None:
    made = building.concluded(fixed=FIXED)
    row = draft_that_follows(made)
    competing.name(row, made.procedure)
    client = parties.client_of(made.buyer)
    where = f"/call-offs/{row.pk}/"
    page = client.get(where).content.decode()
    assert "As the winner of mini-1 offered them" in page
    assert "10.00" in page
    assert "setting up" in page
    assert f"{where}prices/new/" not in page
    led_elsewhere(made)
    form = {"algorithm": "bleed", "model": "flat", "price": "8.50"}
    done = pressed(client, f"{where}prices/new/", form).content.decode()
    assert "The price is noted." in done
    assert "8.50" in done
    price = CallOffPrice.objects.get()
    again = {**form, "price": "1000: 8.40; 8.00", "model": "graduated"}
    assert pressed(client, f"{where}prices/{price.pk}/", again).status_code == 200
    assert CallOffPrice.objects.get().terms["tiers"][0]["unit_price"] == "8.40"
    wrong = client.post(f"{where}prices/new/", {**form, "price": "much"})
    assert wrong.status_code == 400
    assert "an amount in quotes" in wrong.content.decode()
    fixed = {"name": "platform", "amount": "12000.00", "per": "year"}
    shown = pressed(client, f"{where}amounts/new/", fixed).content.decode()
    assert "000.00</td>" in shown.partition(">platform<")[2][:200]
    amount = CallOffAmount.objects.get()
    pressed(client, f"{where}amounts/{amount.pk}/", {**fixed, "amount": "11000.00"})
    assert CallOffAmount.objects.get().amount == Decimal("11000.00")
    pressed(client, f"{where}amounts/{CallOffAmount.objects.get().pk}/remove/", {})
    pressed(client, f"{where}prices/{CallOffPrice.objects.get().pk}/remove/", {})
    assert not CallOffPrice.objects.exists()
    assert not CallOffAmount.objects.exists()
    stranger = parties.member("far", role="procurement_officer",
                              organisation=made.here.other_organisation)  # fmt: skip
    assert parties.client_of(stranger).post(f"{where}prices/new/", form).status_code in (403, 404)
    assert not CallOffPrice.objects.exists()
