"""Orders and studies find each other, whichever comes first, and never across patients."""

from __future__ import annotations

from tests.fakes.modality import send_hl7
from tests.journeys.region import Region, Scan, field


def test_an_order_that_comes_first_gives_the_study_its_priority(region: Region) -> None:
    # what is found raises nothing until somebody accepts it, however quick the hub is
    scan = region.scan("waits")
    region.order(scan.order(priority="A"))
    region.send(scan)
    study = region.settled(scan)
    assert study["priority"] == "HIGH"
    assert study["reason"].startswith("ordered as")
    assert region.told(scan, "OMI^O23") == []


def test_an_order_that_comes_first_is_raised_for_what_is_found(
    region: Region, scan: Scan
) -> None:
    region.order(scan.order(priority="A"))
    region.send(scan)
    region.settled(scan)
    (change,) = region.told(scan, "OMI^O23")
    assert field(change, "TQ1", 9).startswith("S")


def test_an_order_that_comes_last_is_raised_for_what_was_found_before(
    region: Region, scan: Scan
) -> None:
    region.send(scan)
    region.settled(scan)
    assert region.told(scan, "OMI^O23") == []
    region.order(scan.order())
    region.settled(scan)
    (change,) = region.told(scan, "OMI^O23")
    assert field(change, "ORC", 2) == f"P{scan.accession_number}^HIS"
    assert len(region.told(scan, "ORU^R01")) == 1
    assert region.usage(scan) == 1


def test_an_order_without_the_study_uid_is_found_by_accession_number(
    region: Region, scan: Scan
) -> None:
    region.order(scan.order(priority="A").orm())
    region.send(scan)
    region.settled(scan)
    (change,) = region.told(scan, "OMI^O23")
    assert field(change, "ORC", 2) == f"P{scan.accession_number}^HIS"
    (result,) = region.told(scan, "ORU^R01")
    assert field(result, "OBR", 2) == f"P{scan.accession_number}^HIS"


def test_an_order_for_another_patient_is_not_linked_and_not_raised(
    region: Region, scan: Scan
) -> None:
    wrong = scan.order(patient_id="01010199999", priority="A")
    region.order(wrong)
    region.send(scan)
    study = region.settled(scan)
    assert study["priority"] == "STAT"
    assert any("it is for another Patient ID" in move["why"] for move in study["transitions"])
    assert region.told(scan, "OMI^O23") == []
    (result,) = region.told(scan, "ORU^R01")
    assert field(result, "PID", 3).startswith(scan.patient_id)
    assert wrong.patient_id not in str(result)
    assert field(result, "OBR", 2) == ""


def test_an_order_that_is_stat_already_is_not_raised(region: Region, scan: Scan) -> None:
    region.order(scan.order(priority="S"))
    region.send(scan)
    assert region.settled(scan)["priority"] == "STAT"
    assert len(region.told(scan, "ORU^R01")) == 1
    assert region.told(scan, "OMI^O23") == []


def test_an_order_sent_again_is_answered_again_and_changes_nothing(
    region: Region, scan: Scan
) -> None:
    order = scan.order(control_id="TWICE-" + scan.accession_number)
    answers = [send_hl7(order.omi(), port=region.hub.hl7_port) for _ in range(2)]
    assert [field(one, "MSA", 1) for one in answers] == ["AA", "AA"]
    assert [field(one, "MSA", 2) for one in answers] == [order.control_id] * 2
    region.send(scan)
    region.settled(scan)
    again = send_hl7(order.omi(), port=region.hub.hl7_port)
    assert field(again, "MSA", 1) == "AA"
    region.settled(scan)
    assert len(region.told(scan, "OMI^O23")) == 1
    found = region.hub.rows(
        "SELECT count(*) FROM routing_order WHERE accession_number = ?", scan.accession_number
    )
    assert found == [(1,)]


def test_an_order_from_an_unknown_sender_is_refused(region: Region, scan: Scan) -> None:
    answer = send_hl7(scan.order(facility="NOWHERE").omi(), port=region.hub.hl7_port)
    assert field(answer, "MSA", 1) == "AR"
    region.send(scan)
    region.settled(scan)
    assert region.told(scan, "OMI^O23") == []
