"""What a hand says to the one in front is what is written, and what is refused is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, connection

from hub.dicom import scp
from hub.lines import WRITE, NotAnswered
from hub.models import AuditEvent, Node
from routing.arrivals import Arrival
from routing.models import Arrived, Instance, SetAside, Study
from routing.peers import Peers
from routing.receiving import take
from routing.register import Register
from routing.relay import Front, Heard, Reception
from routing.steps.receive import Receiver
from tests.builders.studies import head_ct, received
from tests.routing.conftest import Place

pytestmark = pytest.mark.django_db(transaction=True)


class Line:
    """A line that ends in this process; keeps what was said."""

    def __init__(self, reception: Reception) -> None:
        self._reception, self._heard = reception, Heard()
        self.said: list[bytes] = []
        self.is_cut = False
        self.is_answer_lost = False

    def ask(self, message: bytes, *, kind: bytes = b"?") -> bytes:
        if self.is_cut:
            raise NotAnswered("gone")
        if kind != WRITE:
            return self._reception.answer(self._heard, message)
        self.say(message)
        (answer,) = self._reception.write([(self._heard, message)])
        if self.is_answer_lost or not answer:
            raise NotAnswered("it could not")
        return answer

    def say(self, message: bytes, *, kind: bytes = b".") -> None:
        self.said.append(message)

    def close(self) -> None:
        """Nothing is held."""


class Recorder(Register):
    """Keeps what it is given to write."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[Arrival] = []

    def record_all(self, arrivals: Any) -> list[int]:
        self.got += arrivals
        return super().record_all(arrivals)


@pytest.fixture
def register(place: Place) -> Iterator[Recorder]:
    found = Recorder()
    yield found
    found.close()


@pytest.fixture
def line(register: Recorder) -> Line:
    return Line(Reception(Peers(), register))


def test_an_arrival_is_the_same_at_the_other_end(line: Line, register: Recorder) -> None:
    front = Front(line)  # type: ignore[arg-type]
    sent: list[Arrival] = []
    keeper = front.record
    front.record = lambda one: (sent.append(one), keeper(one))[1]  # type: ignore[method-assign]
    receiver = Receiver(front)
    for one in head_ct(slices=3, ImageType=["DERIVED", "PRIMARY", "AXIAL"], PatientAge="034Y"):
        assert take(front, receiver, received(one)) == scp.SUCCESS
    assert [(one.header, one.stored, one.sender, one.received_at) for one in register.got] == [
        (one.header, one.stored, one.sender, one.received_at) for one in sent
    ]
    assert {one.node for one in register.got} == {Node.objects.get(ae_title="DRAMMENPACS")}
    assert (Study.objects.count(), Instance.objects.count() + Arrived.objects.count()) == (1, 3)


def test_study_and_series_are_said_once(line: Line) -> None:
    front = Front(line)  # type: ignore[arg-type]
    receiver = Receiver(front)
    for one in head_ct(slices=3):
        take(front, receiver, received(one))
    assert [b"study_instance_uid" in said for said in line.said] == [True, False, False]
    assert [b"body_part_examined" in said for said in line.said] == [True, False, False]


def test_of_two_studies_in_turns_each_has_its_own_patient(line: Line, place: Place) -> None:
    """Whose it is must never be taken from what was said before."""
    front = Front(line)  # type: ignore[arg-type]
    receiver = Receiver(front)
    own = head_ct(slices=3)
    for one, two in zip(own, study_of_another(slices=3), strict=True):
        assert take(front, receiver, received(one)) == scp.SUCCESS
        assert take(front, receiver, received(two)) == scp.SUCCESS
    receiver.close()
    rows = {row.study_instance_uid: row for row in Study.objects.all()}
    assert rows["1.2.3.4"].patient_id == "P-OTHER"
    assert rows[own[0].StudyInstanceUID].patient_id == own[0].PatientID
    assert SetAside.objects.count() == 0


def study_of_another(*, slices: int) -> list[Any]:
    other = head_ct(
        slices=slices, PatientID="P-OTHER", PatientName="Other^Patient",
        StudyInstanceUID="1.2.3.4", SeriesInstanceUID="1.2.3.4.1",
    )  # fmt: skip
    for number, one in enumerate(other):
        one.SOPInstanceUID = f"1.2.3.4.1.{number}"
    return other


def test_after_a_write_that_failed_an_instance_goes_to_its_own_study(
    line: Line, register: Recorder
) -> None:
    """The other end heard of a study, and then could not write: it must not go on with that."""
    front = Front(line)  # type: ignore[arg-type]
    receiver = Receiver(front)
    own, (other,) = head_ct(slices=2), study_of_another(slices=1)
    assert take(front, receiver, received(own[0])) == scp.SUCCESS
    line.is_answer_lost = True
    assert take(front, receiver, received(other)) == scp.OUT_OF_RESOURCES
    line.is_answer_lost = False
    assert take(front, receiver, received(own[1])) == scp.SUCCESS
    assert take(front, receiver, received(other)) == scp.SUCCESS
    said = {(one.header.instance.sop_instance_uid, one.header.study.patient_id)
            for one in register.got}  # fmt: skip
    assert said == {
        (own[0].SOPInstanceUID, own[0].PatientID), (own[1].SOPInstanceUID, own[1].PatientID),
        (other.SOPInstanceUID, "P-OTHER"),
    }  # fmt: skip


def test_what_does_not_fit_the_place_of_its_file_is_not_written(
    line: Line, register: Recorder
) -> None:
    """Should the two ends of a line ever differ, no instance gets the study of another."""
    front = Front(line)  # type: ignore[arg-type]
    receiver = Receiver(front)
    own = head_ct(slices=2)
    assert take(front, receiver, received(own[0])) == scp.SUCCESS
    heard = line._heard.study
    assert heard is not None
    line._heard.study = replace(heard, study_instance_uid="1.2.3.4")
    assert take(front, receiver, received(own[1])) == scp.OUT_OF_RESOURCES
    assert len(register.got) == 1
    # told anew it is right again
    assert take(front, receiver, received(own[1])) == scp.SUCCESS
    assert {one.header.study for one in register.got} == {heard}


def test_one_message_that_is_not_understood_spoils_none_of_other_lines(
    line: Line, register: Recorder
) -> None:
    front = Front(line)  # type: ignore[arg-type]
    (one,) = head_ct(slices=1)
    take(front, Receiver(front), received(one))
    bad = Heard()
    reception = Reception(Peers(), register)
    answers = reception.write([(bad, b"no message"), (line._heard, line.said[0])])
    assert answers == [b"", scp.SUCCESS.to_bytes(2, "big")]
    assert (bad.study, bad.series) == (None, None)


def test_who_may_not_send_is_refused_over_the_line(line: Line) -> None:
    front = Front(line)  # type: ignore[arg-type]
    refusal = front.policy("STRANGER", "127.0.0.1")
    assert refusal is not None
    assert "STRANGER" in refusal.reason
    assert not refusal.is_temporary
    assert AuditEvent.objects.filter(action="association.refused").count() == 1
    assert front.policy("DRAMMENPACS", "127.0.0.1") is None


def test_who_is_taken_out_while_connected_is_not_written(line: Line, place: Place) -> None:
    front = Front(line)  # type: ignore[arg-type]
    assert front.policy("DRAMMENPACS", "127.0.0.1") is None
    known = front.node_for("DRAMMENPACS", "127.0.0.1")
    assert known is not None
    (one,) = head_ct(slices=1)
    gone = Node(pk=10**9, site=known.site)
    front._node = gone
    assert take(front, Receiver(front), received(one)) == scp.NOT_AUTHORISED
    assert (Study.objects.count(), Arrived.objects.count()) == (0, 0)


def test_what_cannot_be_read_is_reported_by_the_one_in_front(line: Line) -> None:
    front = Front(line)  # type: ignore[arg-type]
    (one,) = head_ct(slices=1)
    cut = received(one)
    cut = replace(cut, dataset=bytes(cut.dataset)[:-100])
    assert take(front, Receiver(front), cut) == scp.CANNOT_UNDERSTAND
    (row,) = SetAside.objects.all()
    assert (row.field, row.node.ae_title) == ("pixel_data", "DRAMMENPACS")
    assert Study.objects.count() == 0


@pytest.mark.postgresql
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="a file breaks no connection")
def test_who_answers_goes_on_after_a_connection_that_broke(line: Line) -> None:
    """As when PostgreSQL is started again: the threads that answer live as long as the process."""
    front = Front(line)  # type: ignore[arg-type]
    connection.ensure_connection()
    connection.connection.close()
    with pytest.raises(DatabaseError):
        front.policy("DRAMMENPACS", "127.0.0.1")
    assert front.policy("DRAMMENPACS", "127.0.0.1") is None


def test_a_sender_is_told_to_come_again_where_the_one_in_front_is_gone(line: Line) -> None:
    front = Front(line)  # type: ignore[arg-type]
    assert front.policy("DRAMMENPACS", "127.0.0.1") is None
    line.is_cut = True
    (one,) = head_ct(slices=1)
    assert take(front, Receiver(front), received(one)) == scp.OUT_OF_RESOURCES
    cut = replace(received(one), dataset=b"no data set")
    assert take(front, Receiver(front), cut) == scp.OUT_OF_RESOURCES
    assert (Study.objects.count(), SetAside.objects.count()) == (0, 0)
