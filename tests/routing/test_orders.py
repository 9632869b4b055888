"""Orders and studies find each other, whichever comes first, and never across patients."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from hub.hl7.er7 import Message as Er7
from hub.hl7.er7 import MessageError
from hub.hl7.parse import read_orders
from hub.models import Node
from hub.phrases import render
from routing import letters, orders, replay
from routing.linking import link_study
from routing.models import Delivery, Order, Priority, Study
from routing.pathway import MoveRefused
from tests.builders import parties, worklists
from tests.builders.orders import bare_message, order_message
from tests.builders.parties import FirstSite

pytestmark = pytest.mark.django_db
PATIENT = "13097248022"


@pytest.fixture
def places() -> FirstSite:
    return parties.first_site()


def tell(node: Node, raw: bytes) -> list[Order]:
    """Apply what a message says, as intake does."""
    message = Er7.from_bytes(raw)
    said = read_orders(message, zone=UTC)
    for content in said:
        orders.check(content)
    return [one for found in orders.apply([(content, node) for content in said]) for one in found]


def study_of(places: FirstSite, **fields: Any) -> Study:
    fields = {"patient_id": PATIENT, "accession_number": "A1"} | fields
    return worklists.study_at(places.site, **fields)


def again(study: Study) -> Study:
    return Study.objects.get(pk=study.pk)


def sentences(study: Study) -> list[str]:
    return [str(move) for move in study.transitions.order_by("pk")]


@pytest.mark.parametrize("by", [{"study": "1.2.3"}, {"accession": "A1"}])
@pytest.mark.parametrize("is_order_first", [True, False])
def test_an_order_and_its_study_find_each_other_whichever_comes_first(
    places: FirstSite, by: dict[str, str], is_order_first: bool
) -> None:
    said = {"study": "", "accession": "", "priority": "A"} | by
    named = {"study_instance_uid": "1.2.3", "accession_number": "A1"}
    if is_order_first:
        (order,) = tell(places.ris, order_message(**said))
        study = study_of(places, **named)
        link_study(study)
    else:
        study = study_of(places, **named)
        (order,) = tell(places.ris, order_message(**said))
    assert again(study).order == order
    assert again(study).priority == Priority.HIGH
    assert any("Linked to order P1" in line for line in sentences(study))


@pytest.mark.parametrize("is_order_first", [True, False])
def test_an_order_that_names_its_study_is_not_linked_to_another_of_the_same_accession(
    places: FirstSite, is_order_first: bool
) -> None:
    message = order_message(study="1.2.3", accession="A1")
    if is_order_first:
        tell(places.ris, message)
    ordered = study_of(places, study_instance_uid="1.2.3")
    other = study_of(places, study_instance_uid="1.2.4")
    link_study(ordered)
    link_study(other)
    if not is_order_first:
        tell(places.ris, message)
    assert again(ordered).order == Order.objects.get()
    assert again(other).order is None


@pytest.mark.parametrize("is_order_first", [True, False])
def test_a_study_under_a_uid_of_the_scanners_own_finds_its_order_by_its_number(
    places: FirstSite, is_order_first: bool
) -> None:
    message = order_message(study="1.2.3", accession="A1", priority="S")
    if is_order_first:
        tell(places.ris, message)
    study = study_of(places, study_instance_uid="1.2.4")
    link_study(study)
    if not is_order_first:
        tell(places.ris, message)
    assert again(study).priority == Priority.STAT


@pytest.mark.parametrize("patient", ["01010112345", ""])
@pytest.mark.parametrize("is_order_first", [True, False])
def test_it_does_not_where_the_patient_is_not_surely_the_same(
    places: FirstSite, is_order_first: bool, patient: str
) -> None:
    message = order_message(study="1.2.3", accession="A1", priority="S")
    if is_order_first:
        tell(places.ris, message)
    study = study_of(places, study_instance_uid="1.2.4", patient_id=patient)
    link_study(study)
    if not is_order_first:
        tell(places.ris, message)
    assert again(study).order is None


def test_it_does_not_where_two_orders_have_that_number(places: FirstSite) -> None:
    for uid, number in (("1.2.3", "P1"), ("1.2.5", "P2")):
        tell(places.ris, order_message(study=uid, accession="A1", procedure=number))
    study = study_of(places, study_instance_uid="1.2.4")
    link_study(study)
    assert again(study).order is None


def test_the_order_that_names_a_study_takes_it_from_one_that_only_shares_its_number(
    places: FirstSite,
) -> None:
    tell(places.ris, order_message(study="1.2.3", accession="A1", procedure="RP1"))
    study = study_of(places, study_instance_uid="1.2.4")
    link_study(study)
    tell(places.ris, order_message(study="1.2.4", accession="A1", procedure="RP2"))
    linked = again(study).order
    assert linked is not None
    assert linked.study_instance_uid == "1.2.4"


@pytest.mark.parametrize("is_order_first", [True, False])
def test_an_order_for_another_patient_is_not_linked_and_the_study_says_so(
    places: FirstSite, is_order_first: bool
) -> None:
    if is_order_first:
        tell(places.ris, order_message(patient="01010112345", priority="S"))
    study = study_of(places)
    link_study(study)
    if not is_order_first:
        tell(places.ris, order_message(patient="01010112345", priority="S"))
    assert again(study).order is None
    assert again(study).priority == Priority.ROUTINE
    assert any("another Patient ID" in line for line in sentences(study))
    assert not any("01010112345" in line for line in sentences(study))


def test_an_order_that_turns_out_to_be_for_another_patient_lets_its_study_go(
    places: FirstSite,
) -> None:
    tell(places.ris, order_message(priority="S"))
    study = study_of(places)
    link_study(study)
    assert again(study).priority == Priority.STAT
    tell(places.ris, order_message(control="XO", patient="01010112345", priority="S"))
    assert again(study).order is None
    assert again(study).priority == Priority.ROUTINE
    assert any("another Patient ID" in line for line in sentences(study))


def test_an_order_of_another_trust_is_never_linked(places: FirstSite) -> None:
    tell(places.other_ris, order_message(facility="NORDBYHAGEN", priority="S"))
    study = study_of(places)
    link_study(study)
    assert again(study).order is None


def test_a_change_keeps_what_it_leaves_out(places: FirstSite) -> None:
    tell(places.ris, order_message(priority="A", reason="H1^fall^L", study="1.2.3"))
    (order,) = tell(places.ris, order_message(control="XO", priority="S", accession="A2"))
    assert Order.objects.count() == 1
    assert (order.priority, order.accession_number) == (Priority.STAT, "A2")
    assert order.study_instance_uid == "1.2.3"
    assert order.details["reason"] == "fall"


@pytest.mark.parametrize(
    ("control", "status"), [("CA", "cancelled"), ("DC", "discontinued"), ("SC", "completed")]
)
def test_an_order_ends_also_where_the_message_gives_nothing_but_its_number(
    places: FirstSite, control: str, status: str
) -> None:
    tell(places.ris, order_message(priority="S"))
    study = study_of(places)
    link_study(study)
    places.ris.hl7["order_completed"] = "read"
    raw = bare_message(control, status="CM" if control == "SC" else "")
    tell(places.ris, raw)
    (order,) = Order.objects.all()
    assert order.status == status
    assert again(study).priority == Priority.ROUTINE
    assert again(study).is_read is (control == "SC")


@pytest.mark.parametrize(
    ("status", "ended"), [("CA", "cancelled"), ("DC", "discontinued"), ("CM", "completed")]
)
@pytest.mark.parametrize("control", ["SC", "XO"])
def test_an_order_ends_by_its_status_alone(
    places: FirstSite, control: str, status: str, ended: str
) -> None:
    places.ris.hl7["order_completed"] = "read"
    tell(places.ris, order_message(priority="S"))
    (order,) = tell(places.ris, bare_message(control, status=status))
    assert order.status == ended


@pytest.mark.parametrize("control", ["SC", "XO"])
def test_a_study_whose_images_were_taken_still_waits_to_be_read(
    places: FirstSite, control: str
) -> None:
    tell(places.ris, order_message(priority="S"))
    study = study_of(places)
    link_study(study)
    (order,) = tell(places.ris, bare_message(control, status="CM", priority=""))
    assert order.status == "ordered"
    assert (again(study).priority, again(study).is_read) == (Priority.STAT, False)


def test_a_cancellation_by_number_reaches_every_procedure_of_that_number(
    places: FirstSite,
) -> None:
    for procedure in ("RP1", "RP2"):
        tell(places.ris, order_message(procedure=procedure, accession=f"A-{procedure}"))
    tell(places.ris, order_message(procedure="RP9", placer="P9", filler="F9"))
    tell(places.ris, bare_message("CA"))
    assert sorted(Order.objects.filter(status="cancelled").values_list(
        "requested_procedure_id", flat=True)) == ["RP1", "RP2"]  # fmt: skip


def test_a_filler_number_given_later_belongs_to_the_same_order(places: FirstSite) -> None:
    tell(places.ris, order_message(filler="", procedure=""))
    (order,) = tell(places.ris, order_message(control="XO", filler="F7", procedure="RP7"))
    assert Order.objects.count() == 1
    assert (order.filler_order_number, order.requested_procedure_id) == ("F7", "RP7")


def test_a_cancelled_order_that_is_placed_anew_counts_again(places: FirstSite) -> None:
    for control in ("NW", "CA", "NW"):
        tell(places.ris, order_message(control=control))
    assert Order.objects.get().status == Order.Status.ORDERED


@pytest.mark.parametrize(
    ("field", "location"), [("accession", "OBR-18"), ("placer", "ORC-2"), ("procedure", "OBR-19")]
)
def test_an_identifier_too_long_to_be_kept_whole_is_refused_and_named(
    places: FirstSite, field: str, location: str
) -> None:
    with pytest.raises(MessageError) as refused:
        tell(places.ris, order_message(**{field: "9" * 300}))
    assert refused.value.location == location
    assert Order.objects.count() == 0


def test_a_count_told_by_the_order_is_what_the_study_waits_for(places: FirstSite) -> None:
    study = study_of(places, state=Study.State.RECEIVING)
    tell(places.ris, order_message(count=30))
    assert again(study).expected_instances == 30
    # what was told first stands
    tell(places.ris, order_message(control="XO", count=40))
    assert again(study).expected_instances == 30


def test_an_order_that_comes_after_a_critical_finding_is_raised_at_once(
    places: FirstSite,
) -> None:
    study = study_of(places)
    item = worklists.workitem_on(study, places.version)
    worklists.finding_of(item, urgency="stat", probability=0.9)
    (order,) = tell(places.ris, order_message())
    (change,) = Delivery.objects.filter(kind="priority")
    assert (change.new_priority, change.node) == (Priority.STAT, places.ris)
    order.refresh_from_db()
    assert order.raised_to == Priority.STAT


def raised(places: FirstSite) -> Study:
    """A study whose order is about to be raised."""
    study = study_of(places)
    item = worklists.workitem_on(study, places.version)
    worklists.finding_of(item, urgency="stat", probability=0.9)
    tell(places.ris, order_message())
    assert Delivery.objects.get(kind="priority").state == "pending"
    return study


@pytest.mark.parametrize(
    "fields", [{"control": "CA"}, {"control": "SC", "status": "CM"},
               {"control": "XO", "patient": "01010112345"}],
)  # fmt: skip
def test_what_waits_to_be_told_is_not_told_of_an_order_that_is_over_or_anothers(
    places: FirstSite, fields: dict[str, str]
) -> None:
    raised(places)
    places.ris.hl7["order_completed"] = "read"
    tell(places.ris, order_message(**fields))
    assert Delivery.objects.get(kind="priority").state == "cancelled"
    assert Order.objects.get().raised_to is None


def test_an_order_that_went_to_another_patient_is_raised_for_that_patient(
    places: FirstSite,
) -> None:
    raised(places)
    tell(places.ris, order_message(control="XO", patient="01010112345", accession="A2"))
    other = study_of(places, patient_id="01010112345", accession_number="A2",
                     study_instance_uid="1.2.99")  # fmt: skip
    item = worklists.workitem_on(other, places.version)
    worklists.finding_of(item, urgency="stat", probability=0.9)
    tell(places.ris, order_message(control="XO", patient="01010112345", accession="A2"))
    wish = Delivery.objects.get(kind="priority", state="pending")
    message = Er7.from_bytes(bytes(wish.message))
    assert wish.workitem == item
    assert message.segment("PID").value(3) == "01010112345"
    assert message.segment("IPC").value(3) == "1.2.99"


def test_an_order_that_is_placed_anew_is_raised_again(places: FirstSite) -> None:
    raised(places)
    for control in ("CA", "NW"):
        tell(places.ris, order_message(control=control))
    assert Delivery.objects.get(kind="priority").state == "pending"
    assert Order.objects.get().raised_to == Priority.STAT


@pytest.mark.parametrize("state", ["pending", "dead"])
def test_a_result_that_was_not_sent_goes_under_the_order_that_is_its_own_now(
    places: FirstSite, state: str
) -> None:
    study = study_of(places)
    item = worklists.workitem_on(study, places.version)
    result = letters.make(item, places.ris, kind=Delivery.Kind.RESULT)
    Delivery.objects.update(state=state)
    name = result.control_id

    def placer() -> str:
        result.refresh_from_db()
        return Er7.from_bytes(bytes(result.message)).segment("OBR").value(2)

    assert placer() == ""
    tell(places.ris, order_message())
    assert placer() == "P1"
    tell(places.ris, order_message(control="XO", patient="01010112345"))
    assert placer() == ""
    assert result.control_id == name
    # what the RIS may have is never exchanged for something else under the same name
    Delivery.objects.update(may_have_arrived=True)
    tell(places.ris, order_message(control="XO"))
    assert again(study).order is not None
    assert placer() == ""


def test_a_wish_that_cannot_be_written_is_a_dead_letter_that_can_be_replayed(
    places: FirstSite,
) -> None:
    places.ris.hl7 |= {"charset": "8859/1"}
    places.ris.save()
    study = study_of(places)
    item = worklists.workitem_on(study, places.version)
    worklists.finding_of(item, urgency="stat", probability=0.9)
    tell(places.ris, order_message(name="Wałęsa^Łucja"))
    dead = Delivery.objects.get(kind="priority")
    assert (dead.state, bytes(dead.message)) == ("dead", b"")
    assert "U+0142" in render(dead.last_error)
    with pytest.raises(MoveRefused, match="U\\+0142"):
        replay.replay_delivery(dead, by="admin")
    places.ris.hl7 |= {"charset": "UNICODE UTF-8"}
    places.ris.save()
    replay.replay_delivery(Delivery.objects.get(pk=dead.pk), by="admin")
    wish = Delivery.objects.get(pk=dead.pk)
    assert wish.state == "pending"
    assert Er7.from_bytes(bytes(wish.message)).segment("TQ1").value(9) == "S"
