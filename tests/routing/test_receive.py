"""Instances in: durable before Success, once, and of one patient."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError
from pydicom.dataset import Dataset

from hub.dicom.headers import read_header
from hub.dicom.received import ReceivedInstance
from hub.models import AuditEvent
from hub.phrases import render
from routing import taking_in
from routing.arrivals import Arrival
from routing.models import Instance, SetAside, Study, Transition
from routing.places import spool
from routing.register import SET_ASIDE, Register, record
from routing.steps.receive import Receiver
from tests.builders.orders import order_message
from tests.builders.studies import PATIENT, head_ct, received
from tests.routing.conftest import Place

SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000


def arrival(place: Place, dataset: Dataset) -> Arrival:
    """One instance that is durable in the spool and has no row."""
    came = received(dataset)
    header = read_header(came.dataset, came.transfer_syntax_uid)
    stored = spool().put(site=place.rows.site.code, received=came, header=header)
    return Arrival(place.rows.pacs, header, stored, "DRAMMENPACS@127.0.0.1")


def take(place: Place, came: ReceivedInstance) -> int:
    receiver = Receiver()
    try:
        return receiver.take(place.rows.pacs, came)
    finally:
        receiver.close()


def test_every_instance_answered_with_success_is_in_spool_and_database(place: Place) -> None:
    made = head_ct()
    assert place.send(made) == [SUCCESS] * 12
    rows = {row.sop_instance_uid: row for row in Instance.objects.all()}
    assert set(rows) == {one.SOPInstanceUID for one in made}
    for one in made:
        kept = spool().path(rows[one.SOPInstanceUID].key).read_bytes()
        # byte for byte as sent, behind the file meta
        assert kept.endswith(received(one).dataset)


def test_the_study_row_holds_what_the_header_says(place: Place) -> None:
    place.send(head_ct())
    study = place.study
    assert (study.site, study.source) == (place.rows.site, place.rows.pacs)
    assert (study.patient_id, study.patient_name) == (PATIENT.patient_id, "Åsnes^Kjærsti")
    assert (study.accession_number, study.modality) == ("A1", "CT")
    assert (study.instance_count, study.has_images) == (12, True)
    (series,) = study.series.all()
    assert (series.instance_count, series.attributes["body_part_examined"]) == (12, ["HEAD"])


def test_the_same_instance_with_the_same_bytes_changes_nothing(place: Place) -> None:
    made = head_ct()
    place.send(made)
    place.work()
    told = len(place.ris.received)
    assert place.send(made) == [SUCCESS] * 12
    place.time_passes()
    study = place.study
    assert (study.revision, study.instance_count, Instance.objects.count()) == (1, 12, 12)
    assert SetAside.objects.count() == 0
    assert len(place.ris.received) == told


def test_the_same_instance_with_other_bytes_keeps_the_first_and_reports_the_second(
    place: Place,
) -> None:
    made = head_ct()
    place.send(made)
    first = Instance.objects.get(sop_instance_uid=made[3].SOPInstanceUID)
    kept = spool().path(first.key).read_bytes()
    made[3].PixelData = bytes(len(made[3].PixelData))
    assert place.send(made[3:4]) == [SET_ASIDE]
    assert spool().path(first.key).read_bytes() == kept
    (row,) = SetAside.objects.all()
    assert (row.study, row.field) == (place.study, "SOPInstanceUID")
    assert "already used" in render(row.reason)
    # the second is kept as well
    assert spool().path(row.key).read_bytes().endswith(received(made[3]).dataset)
    assert place.study.instance_count == 12


def test_another_patient_inside_a_study_is_set_aside_and_reported(place: Place) -> None:
    place.send(head_ct())
    (stranger,) = head_ct(slices=1, PatientID="01010112345", SOPInstanceUID="1.2.3.4")
    assert place.send([stranger]) == [SET_ASIDE]
    assert place.study.patient_id == PATIENT.patient_id
    assert not Instance.objects.filter(sop_instance_uid="1.2.3.4").exists()
    (row,) = SetAside.objects.all()
    assert (row.study, row.field) == (place.study, "PatientID")
    event = AuditEvent.objects.get(action="input.set_aside")
    assert "01010112345" not in f"{event.details} {event.subject} {render(row.reason)}"
    place.work()
    assert place.study.instance_count == 12


def test_a_stranger_that_comes_in_the_same_batch_is_set_aside_too(place: Place) -> None:
    made = head_ct(slices=3)
    made[1].PatientID = "01010112345"
    assert record([arrival(place, one) for one in made]) == [SUCCESS, SET_ASIDE, SUCCESS]
    assert place.study.instance_count == 2


def test_one_instance_twice_in_a_batch_is_one_row(place: Place) -> None:
    (one,) = head_ct(slices=1)
    assert record([arrival(place, one), arrival(place, one)]) == [SUCCESS, SUCCESS]
    assert place.study.instance_count == 1


def test_the_same_study_at_two_sites_is_two_studies_that_never_meet(place: Place) -> None:
    from tests.builders.studies import send

    place.send(head_ct())
    send(place.rows.other_pacs, head_ct())
    assert Study.objects.count() == 2
    assert set(Study.objects.values_list("instance_count", flat=True)) == {12}


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"this is no data set at all",
        received(head_ct(slices=1, StudyInstanceUID="")[0]).dataset,
        received(head_ct(slices=1, SOPInstanceUID="not.a.uid.at.all")[0]).dataset,
        received(head_ct(slices=1)[0]).dataset[:150],
    ],
)
def test_what_cannot_be_read_is_set_aside_with_the_reason(place: Place, broken: bytes) -> None:
    (whole,) = head_ct(slices=1)
    came = received(whole)
    status = take(
        place,
        ReceivedInstance(
            calling_ae_title=came.calling_ae_title, called_ae_title=came.called_ae_title,
            address=came.address, sop_class_uid=came.sop_class_uid,
            sop_instance_uid=came.sop_instance_uid,
            transfer_syntax_uid=came.transfer_syntax_uid, dataset=broken,
        ),
    )  # fmt: skip
    assert status == CANNOT_UNDERSTAND
    (row,) = SetAside.objects.all()
    assert "The data set cannot be read" in render(row.reason)
    assert spool().path(row.key).read_bytes() == broken
    assert Study.objects.count() == 0
    # and the next one is taken
    assert place.send([whole]) == [SUCCESS]


def test_an_instance_that_is_not_the_one_announced_is_set_aside(place: Place) -> None:
    (one,) = head_ct(slices=1)
    came = received(one)
    other = ReceivedInstance(
        **{name: getattr(came, name) for name in came.__dataclass_fields__}
        | {"sop_instance_uid": "1.2.3"}
    )
    assert take(place, other) == CANNOT_UNDERSTAND
    assert "SOPInstanceUID" in SetAside.objects.get().field


def test_a_patient_id_too_long_to_be_kept_whole_is_set_aside(place: Place) -> None:
    assert place.send(head_ct(slices=1, PatientID="9" * 70)) == [CANNOT_UNDERSTAND]
    assert SetAside.objects.get().field == "PatientID"
    assert Study.objects.count() == 0


def test_without_space_nothing_is_taken_and_nothing_is_lost(place: Place, settings: Any) -> None:
    made = head_ct()
    place.send(made[:6])
    before = settings.HUB_MINIMUM_FREE_BYTES
    settings.HUB_MINIMUM_FREE_BYTES = 2**62
    assert place.send(made[6:]) == [OUT_OF_RESOURCES] * 6
    assert Instance.objects.count() == 6
    settings.HUB_MINIMUM_FREE_BYTES = before
    assert place.send(made[6:]) == [SUCCESS] * 6
    place.work()
    assert place.study.instance_count == 12


def test_without_a_row_there_is_no_success(place: Place) -> None:
    """The database refuses this one row: its sender keeps it; the others are not spoiled."""
    from django.db import connection

    made = head_ct(slices=3)
    bad = made[1].SOPInstanceUID

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "INSERT" in sql and bad in str(params):
            raise DatabaseError("no")
        return execute(sql, params, many, context)

    def commit(batch: Any) -> Any:
        with connection.execute_wrapper(refuse):
            return record(batch)

    from hub.group_commit import GroupCommit

    register = Register()
    register.close()
    register._rows = GroupCommit(commit)
    receiver = Receiver(register)
    answers: dict[str, int] = {}

    def one(dataset: Dataset) -> None:
        answers[dataset.SOPInstanceUID] = receiver.record(arrival(place, dataset))

    threads = [threading.Thread(target=one, args=(dataset,)) for dataset in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    receiver.close()
    assert answers.pop(bad) == OUT_OF_RESOURCES
    assert set(answers.values()) == {SUCCESS}
    taking_in.take_in_all()
    assert place.study.instance_count == 2
    # its bytes are durable: the scan at the next start takes them in
    assert Path(spool().path(arrival(place, made[1]).stored.key)).exists()


def test_the_first_instance_is_told_with_its_sender(place: Place) -> None:
    place.send(head_ct(slices=2))
    (first,) = Transition.objects.filter(from_state="")
    assert str(first).endswith("First instance received from drammen-pacs")


@pytest.mark.parametrize(
    ("charset", "name"),
    [("ISO_IR 100", "Åsnes^Kjærsti"), ("ISO_IR 192", "山田^太郎"), ("ISO_IR 144", "Иванов^Иван")],
)
def test_a_name_is_kept_as_it_is_written(place: Place, charset: str, name: str) -> None:
    place.send(head_ct(slices=1, SpecificCharacterSet=charset, PatientName=name))
    assert place.study.patient_name == name


def test_a_uid_used_again_in_another_study_keeps_the_first_and_reports_the_second(
    place: Place,
) -> None:
    made = head_ct(slices=2)
    place.send(made)
    again = head_ct(slices=3, StudyInstanceUID="1.2.3")
    again[2].SOPInstanceUID = "1.2.3.4"
    assert place.send(again[:2]) == [SET_ASIDE] * 2
    # nothing of that study was taken, and there is none
    assert Study.objects.get() == place.study
    assert place.send(again[2:]) == [SUCCESS]
    assert set(Study.objects.values_list("study_instance_uid", "instance_count")) == {
        (made[0].StudyInstanceUID, 2), ("1.2.3", 1),
    }  # fmt: skip
    assert [row.field for row in SetAside.objects.all()] == ["SOPInstanceUID"] * 2
    assert Instance.objects.filter(sop_instance_uid=made[0].SOPInstanceUID).count() == 1


def test_the_same_number_of_another_issuer_is_another_patient(place: Place) -> None:
    made = head_ct(slices=4)
    made[1].IssuerOfPatientID = "FNR"
    made[2].IssuerOfPatientID = "DNR"
    made[3].IssuerOfPatientID = "FNR"
    assert record([arrival(place, one) for one in made]) == [SUCCESS, SUCCESS, SET_ASIDE, SUCCESS]
    assert (place.study.issuer_of_patient_id, place.study.instance_count) == ("FNR", 3)
    (row,) = SetAside.objects.all()
    assert (row.study, row.field) == (place.study, "IssuerOfPatientID")
    assert render(row.reason) == "Issuer of Patient ID differs from that of the study"


def test_what_the_first_instance_leaves_unsaid_the_later_ones_tell(place: Place) -> None:
    made = head_ct(slices=3)
    said = {"AccessionNumber": "A1", "StudyDescription": "Caput", "PatientBirthDate": "19720913"}
    for keyword in said:
        setattr(made[0], keyword, "")
    for keyword, value in said.items():
        setattr(made[1], keyword, value)
    made[2].AccessionNumber = "A2"
    place.send(made[:1])
    place.order(order_message(accession="A1"))
    assert place.study.order is None
    place.send(made[1:])
    study = place.study
    assert (study.accession_number, study.study_description) == ("A1", "Caput")
    assert study.header["patient_birth_date"] == "19720913"
    assert study.header["accession_number"] == "A1"
    assert study.order is not None
    assert study.order.accession_number == "A1"
