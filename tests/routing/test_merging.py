"""Patients merged by the RIS: studies, orders, results, late images follow, at one site alone."""

from __future__ import annotations

import itertools

import pytest
from django.utils import timezone

from hub.hl7.ack import Ack, read_ack
from hub.models import AuditEvent
from routing import taking_in
from routing.models import Delivery, Order, PatientMerge, SetAside, Study
from tests.builders.orders import order_message
from tests.builders.studies import PATIENT, head_ct, send
from tests.routing.conftest import Place

pytestmark = pytest.mark.django_db(transaction=True)
_numbers = itertools.count(1)
PRIOR = PATIENT.patient_id


def merge_message(
    prior: str, survivor: str, *, event: str = "A40", facility: str = "DRAMMEN", issuer: str = ""
) -> bytes:
    """ADT that merges one number of DRAMMEN (or another ``issuer``) into another."""
    number, authority = next(_numbers), issuer or "DRAMMEN"
    segments = [
        f"MSH|^~\\&|RIS|{facility}|AVROP|HUB|20260316073000||ADT^{event}|M{number}|P|2.5.1|"
        "|||||UNICODE UTF-8",
        f"EVN|{event}|20260316073000",
        f"PID|||{survivor}^^^DRAMMEN^PI||Åsnes^Kjærsti",
        f"MRG|{prior}^^^{authority}^PI",
    ]
    return ("\r".join(segments) + "\r").encode()


def merge(place: Place, prior: str, survivor: str, **changes: str) -> Ack:
    return read_ack(place.order(merge_message(prior, survivor, **changes)))


def patients(place: Place) -> list[str]:
    taking_in.take_in_all()
    rows = Study.objects.filter(site=place.rows.site).order_by("pk")
    return list(rows.values_list("patient_id", flat=True))


@pytest.mark.parametrize("event", ["A18", "A34", "A40"])
def test_study_and_order_of_the_prior_id_belong_to_the_surviving_one(
    place: Place, event: str
) -> None:
    place.order(order_message())
    made = head_ct(accession_number="A1")
    place.send(made)
    assert place.study.order is not None
    assert merge(place, PRIOR, "S1", event=event).code == "AA"
    assert patients(place) == ["S1"]
    assert Order.objects.get().patient["identifiers"][0]["value"] == "S1"
    assert place.study.order is not None
    event_row = AuditEvent.objects.get(action="patient.merged")
    assert (event_row.subject, event_row.details["prior"]) == ("S1", PRIOR)


def test_instances_that_come_under_the_prior_id_join_the_merged_study(place: Place) -> None:
    made = head_ct(slices=6)
    place.send(made[:3])
    merge(place, PRIOR, "S1")
    assert place.send(made[3:]) == [0x0000] * 3
    assert patients(place) == ["S1"]
    assert place.study.instance_count == 6
    assert SetAside.objects.count() == 0


def test_instances_of_anybody_else_are_still_set_aside(place: Place) -> None:
    made = head_ct(slices=2)
    place.send(made[:1])
    merge(place, PRIOR, "S1")
    made[1].PatientID = "S2"
    assert place.send(made[1:]) == [0xB000]
    assert SetAside.objects.get().field == "PatientID"


def test_a_study_and_an_order_that_come_after_the_merge_are_the_surviving_patients(
    place: Place,
) -> None:
    merge(place, PRIOR, "S1")
    place.order(order_message())
    place.send(head_ct(accession_number="A1"))
    assert patients(place) == ["S1"]
    assert place.study.order == Order.objects.get()
    assert Order.objects.get().patient["identifiers"][0]["value"] == "S1"


def test_an_order_kept_apart_for_its_patient_id_is_linked_by_the_merge(place: Place) -> None:
    place.order(order_message(patient="S1"))
    place.send(head_ct(accession_number="A1"))
    assert place.study.order is None
    merge(place, PRIOR, "S1")
    assert place.study.order == Order.objects.get()


@pytest.mark.parametrize("links", [[(PRIOR, "S1"), ("S1", "S2")], [("S1", "S2"), (PRIOR, "S1")]])
def test_a_chain_ends_at_its_end_in_whichever_order_it_is_told(
    place: Place, links: list[tuple[str, str]]
) -> None:
    made = head_ct(slices=2)
    place.send(made[:1])
    for prior, survivor in links * 2:
        assert merge(place, prior, survivor).code == "AA"
    assert place.send(made[1:]) == [0x0000]
    assert patients(place) == ["S2"]
    assert AuditEvent.objects.filter(action="patient.merged").count() == 2


def test_a_merge_back_or_into_another_is_refused_and_changes_nothing(place: Place) -> None:
    place.send(head_ct(slices=1))
    merge(place, PRIOR, "S1")
    for prior, survivor in (("S1", PRIOR), (PRIOR, "S2")):
        ack = merge(place, prior, survivor)
        assert (ack.code, ack.error.split()[0]) == ("AE", "MRG-1")
    assert patients(place) == ["S1"]
    assert PatientMerge.objects.count() == 1
    assert SetAside.objects.count() == 2


@pytest.mark.parametrize("event", ["A08", "A37"])
def test_what_is_no_merge_is_refused_with_the_reason(place: Place, event: str) -> None:
    ack = merge(place, PRIOR, "S1", event=event)
    assert (ack.code, ack.error.split()[:2]) == ("AR", ["MSH-9", "201"])
    assert PatientMerge.objects.count() == 0


def test_a_number_of_another_authority_is_no_survivor(place: Place) -> None:
    ack = merge(place, PRIOR, "S1", issuer="ELSEWHERE")
    assert (ack.code, ack.error.split()[:2]) == ("AE", ["MRG-1", "204"])
    assert PatientMerge.objects.count() == 0


def test_a_study_of_the_same_number_of_another_authority_is_not_moved(place: Place) -> None:
    made = head_ct(slices=1)
    made[0].IssuerOfPatientID = "ELSEWHERE"
    place.send(made)
    merge(place, PRIOR, "S1")
    assert patients(place) == [PRIOR]


def test_the_merge_of_one_trust_never_touches_another(place: Place) -> None:
    made = head_ct(slices=2)
    place.send(made[:1])
    send(place.rows.other_pacs, made[:1])
    assert merge(place, PRIOR, "S1", facility="NORDBYHAGEN").code == "AA"
    assert patients(place) == [PRIOR]
    other = Study.objects.get(site=place.rows.other_site)
    assert other.patient_id == "S1"
    assert place.send(made[1:]) == [0x0000]
    assert patients(place) == [PRIOR]


def test_a_study_begun_while_its_merge_was_committed_follows_when_it_is_complete(
    place: Place,
) -> None:
    place.send(head_ct())
    PatientMerge.objects.create(
        site=place.rows.site, prior_id=PRIOR, surviving_id="S1", merged_at=timezone.now()
    )
    place.work(until=lambda: Study.objects.exclude(state="receiving").exists())
    assert patients(place) == ["S1"]


def test_a_result_that_was_told_is_told_again_as_a_correction(place: Place) -> None:
    place.order(order_message())
    place.send(head_ct(accession_number="A1"))
    place.work()
    assert place.results() == ["P"]
    merge(place, PRIOR, "S1")
    place.work()
    assert place.results() == ["P", "C"]
    first, second = place.ris.of_type("ORU^R01")
    assert [one.segment("PID").value(3) for one in (first, second)] == [PRIOR, "S1"]
    assert first.segment("OBR").value(3) == second.segment("OBR").value(3)
    merge(place, PRIOR, "S1")
    place.work()
    assert place.results() == ["P", "C"]
    assert not Delivery.objects.filter(name__contains="S1").exists()


def test_a_merge_in_the_middle_of_a_run_ends_in_a_result_of_the_surviving_patient(
    place: Place,
) -> None:
    place.send(head_ct())
    place.work(until=lambda: Study.objects.filter(state="matched").exists())
    assert place.results() == []
    merge(place, PRIOR, "S1")
    place.work()
    assert place.results() == ["P"]
    (told,) = place.ris.of_type("ORU^R01")
    assert told.segment("PID").value(3) == "S1"
    reports = [one for one in place.objects() if one.Modality == "SR"]
    assert reports
    assert {one.PatientID for one in reports} == {"S1"}
