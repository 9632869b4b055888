"""What PACS and RIS are told of a result, once, and what is told to nobody."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset

from contracts.models import UsageEvent
from hub.phrases import render
from routing.models import Delivery, Order, Priority, Workitem
from routing.steps import write_back as step
from tests.builders import parties
from tests.builders.orders import order_message
from tests.builders.studies import PATIENT, head_ct
from tests.routing.conftest import Place


def whole_way(place: Place, *behaviour: str, order: bytes | None = None) -> None:
    if behaviour:
        place.algorithm_does(*behaviour)
    if order is not None:
        place.order(order)
    place.send(head_ct())
    place.work()


def codes(item: Dataset) -> set[str]:
    """Every code value in the content of a report."""
    found = {one.CodeValue for one in item.get("ConceptCodeSequence", [])}
    for child in item.get("ContentSequence", []):
        found |= codes(child)
    return found


# -- the PACS ----------------------------------------------------------------------------------
def test_the_report_is_of_the_patient_and_study_and_says_it_is_not_verified(place: Place) -> None:
    whole_way(place)
    (report,) = place.objects()
    assert (report.Modality, report.PatientID) == ("SR", PATIENT.patient_id)
    assert str(report.PatientName) == PATIENT.name
    assert (report.VerificationFlag, report.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert "1386000" in codes(report)
    assert place.workitem.state == "written_back"


def test_a_negative_result_is_told_too(place: Place) -> None:
    whole_way(place, "absent", order=order_message())
    assert len(place.objects()) == 1
    assert place.results() == ["P"]
    assert place.ris.of_type("OMI^O23") == []
    assert place.study.priority == Priority.ROUTINE
    assert UsageEvent.objects.count() == 1


# -- the RIS -----------------------------------------------------------------------------------
def test_a_result_begins_with_the_study_and_marks_what_is_critical(place: Place) -> None:
    whole_way(place, order=order_message())
    (result,) = place.ris.of_type("ORU^R01")
    first, *others = result.segments("OBX")
    assert first.value(5) == place.study.study_instance_uid
    assert [one.value(8) for one in others if one.value(3) == "1386000"] == ["AA"]
    assert result.segment("PID").value(3) == PATIENT.patient_id
    assert result.segment("OBR").value(2) == "P1"
    # under the order's own number it could overwrite a radiologist's report
    assert result.segment("OBR").value(3) != "F1"


def test_a_critical_finding_raises_the_order_once(place: Place) -> None:
    whole_way(place, order=order_message())
    (change,) = place.ris.of_type("OMI^O23")
    assert change.segment("ORC").value(1) == "XO"
    assert change.segment("TQ1").value(9) == "S"
    assert change.segment("PID").value(3) == PATIENT.patient_id
    assert Order.objects.get().raised_to == Priority.STAT
    # the RIS tells the order again, with its old priority and with the new one
    for priority in ("R", "S", "R"):
        place.order(order_message(control="XO", priority=priority))
    place.work()
    assert len(place.ris.of_type("OMI^O23")) == 1


@pytest.mark.parametrize(
    "order",
    [
        {"priority": "S"},
        {"control": "CA"},
        {"control": "DC"},
        {"control": "SC", "status": "CM"},
        {"patient": "01010112345"},
    ],
)
def test_an_order_that_is_urgent_over_or_anothers_is_not_raised(
    place: Place, order: dict[str, str]
) -> None:
    place.rows.ris.hl7["order_completed"] = "read"
    place.rows.ris.save()
    whole_way(place, order=order_message(**order))
    assert place.ris.of_type("OMI^O23") == []
    assert Delivery.objects.filter(kind="priority").count() == 0


def test_a_finding_less_urgent_than_the_order_lowers_nothing(place: Place) -> None:
    (promised,) = place.rows.version.manifest["returns"]["findings"]
    promised["urgency_when_present"] = "high"
    place.rows.version.save()
    whole_way(place, order=order_message(priority="S"))
    assert place.ris.of_type("OMI^O23") == []
    assert place.study.priority == Priority.STAT


def test_an_order_linked_while_the_report_was_written_is_raised(place: Place) -> None:
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="collected").exists())
    old_view = Workitem.objects.select_related("study__site", "study__order").get()
    place.order(order_message())
    step._commit(old_view, [])
    place.work()
    assert len(place.ris.of_type("OMI^O23")) == 1
    (result,) = place.ris.of_type("ORU^R01")
    assert result.segment("OBR").value(2) == "P1"


def test_a_ris_of_2_3_1_is_told_in_its_own_words(place: Place) -> None:
    place.rows.ris.hl7 |= {"version": "2.3.1", "priority_message": "ORM^O01"}
    place.rows.ris.save()
    whole_way(place, order=order_message())
    (change,) = place.ris.of_type("ORM^O01")
    assert change.header.value(12) == "2.3.1"
    assert change.segment("ORC").value(7, component=6) == "S"


def test_a_ris_that_cannot_write_the_name_holds_up_nobody_else(place: Place) -> None:
    place.rows.ris.hl7["charset"] = "8859/1"
    place.rows.ris.save()
    place.send(head_ct(PatientName="Wałęsa^Łucja", SpecificCharacterSet="ISO_IR 192"))
    place.work()
    assert place.workitem.state == "written_back"
    assert len(place.objects()) == 1
    assert place.ris.received == []
    (dead,) = Delivery.objects.filter(state="dead")
    assert "U+0142" in render(dead.last_error)
    assert place.study.priority == Priority.STAT


def test_a_ris_that_is_set_up_without_a_facility_is_heard_and_told(place: Place) -> None:
    place.rows.ris.hl7["receiving_facility"] = None  # as `apply` stores what the file leaves out
    place.rows.ris.save()
    whole_way(place, order=order_message(facility=""))
    assert Order.objects.get().site == place.rows.site
    (result,) = place.ris.of_type("ORU^R01")
    assert (result.header.value(5), result.header.value(6)) == ("RIS", "")
    assert len(place.objects()) == 1


# -- nobody ------------------------------------------------------------------------------------
@pytest.mark.parametrize("purpose", ["shadow", "validation"])
def test_what_is_not_in_clinical_use_leaves_the_hub_never(place: Place, purpose: str) -> None:
    place.rows.deployment.state = purpose
    place.rows.deployment.save()
    whole_way(place, order=order_message())
    place.time_passes()
    assert place.workitem.state == "withheld"
    assert place.workitem.findings.count() == 1
    assert place.study.priority == Priority.ROUTINE
    assert Delivery.objects.count() == 0
    assert place.nothing_was_sent()


def test_only_nodes_that_want_results_are_told(place: Place) -> None:
    place.rows.ris.roles = ["orders"]
    place.rows.ris.save()
    whole_way(place, order=order_message())
    assert len(place.objects()) == 1
    assert place.ris.received == []
    assert Order.objects.get().raised_to is None


def test_a_site_without_destinations_has_its_worklist_and_is_billed_once(place: Place) -> None:
    for node in (place.rows.pacs, place.rows.ris):
        node.roles = ["source"]
        node.save()
    whole_way(place)
    assert place.workitem.state == "written_back"
    assert place.study.priority == Priority.STAT
    assert UsageEvent.objects.count() == 1
    assert (place.pacs.received, place.ris.received) == ([], [])


def test_the_other_trust_hears_nothing(place: Place) -> None:
    for node in (place.rows.other_pacs, place.rows.other_ris):
        node.port = {"dicom": place.pacs.port, "hl7": place.ris.port}[node.protocol]
        node.save()
    whole_way(place, order=order_message())
    assert set(Delivery.objects.values_list("node__site", flat=True)) == {place.rows.site.pk}
    assert len(place.pacs.received) == 1
    assert len(place.ris.of_type("ORU^R01")) == 1


def test_writing_back_twice_tells_once(place: Place) -> None:
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="collected").exists())
    for _ in range(2):
        step.write_back(place.workitem)
    place.work()
    assert len(place.objects()) == 1
    assert place.results() == ["P"]
    assert UsageEvent.objects.count() == 1


def test_two_algorithms_on_one_study_are_two_results_and_two_uses(place: Place) -> None:
    rows = place.rows
    second = parties.algorithm_version("ich-second", name="Second ICH")
    second.manifest = rows.version.manifest | {"algorithm": "ich-second"}
    second.save()
    parties.price_of(second.algorithm, under=rows.framework)
    parties.line_of(rows.call_off, algorithm=second.algorithm, site=rows.site)
    parties.deployment_of(second, site=rows.site)
    parties.rule_for(second.algorithm, site=rows.site, code="second")
    whole_way(place, order=order_message())
    assert len({one.SeriesInstanceUID for one in place.objects()}) == 2
    numbers = {one.segment("OBR").field(3) for one in place.ris.of_type("ORU^R01")}
    assert len(numbers) == 2
    # both found it critical; the order is raised once
    assert len(place.ris.of_type("OMI^O23")) == 1
    assert UsageEvent.objects.count() == 2


def test_a_usage_event_names_no_patient(place: Place) -> None:
    whole_way(place)
    event: Any = UsageEvent.objects.get()
    said = f"{event.study_ref} {event.details} {event.source} {event.event_id}"
    assert event.details == {"modality": "CT", "purpose": "clinical"}
    for secret in (PATIENT.patient_id, "snes", place.study.study_instance_uid):
        assert secret not in said
