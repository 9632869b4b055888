"""An association that stays open between two calls, and what nodes do to it meanwhile."""

import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from pydicom.uid import ExplicitVRLittleEndian

from hub.dicom.association import Caller, Unreachable
from hub.dicom.storing import StoreConnection, StoreInterrupted
from tests.hub.dicom import returned_cases as cases
from tests.hub.dicom.nodes import Archive, archive
from tests.hub.dicom.sr_cases import CT, INSTANCES, ct_slices

SR = "1.2.840.10008.5.1.4.1.1.88.34"
BOTH = {CT: [ExplicitVRLittleEndian], SR: [ExplicitVRLittleEndian]}
UIDS = [instance.sop_instance_uid for instance in INSTANCES]


@dataclass
class Moody(Archive):
    """An archive that aborts at the requests of these numbers, and closes down where told to."""

    aborts_at: set[int] = field(default_factory=set)
    asked: int = 0
    is_closing: bool = False

    def on_store(self, event):
        self.asked += 1
        if self.asked in self.aborts_at:
            if self.is_closing:
                self.server.socket.close()
            event.assoc.abort()
            return 0x0000
        return super().on_store(event)


@pytest.fixture
def slices(tmp_path):
    return [cases.write(ct, tmp_path / f"{number}.dcm") for number, ct in enumerate(ct_slices(4))]


@contextmanager
def connected(behaviour, **limits):
    with archive(behaviour) as (pacs, peer), StoreConnection(peer, Caller("HUB", **limits)) as way:
        yield pacs, way


def test_two_calls_take_one_association(slices):
    with connected(Archive()) as (pacs, way):
        for one in slices:
            (outcome,) = way.store([one])
            assert outcome.is_success
    assert list(pacs.received) == UIDS[:4]
    assert len(pacs.proposed) == 1


def test_one_that_was_closed_associates_again(slices):
    with connected(Archive()) as (pacs, way):
        way.store(slices[:1])
        way.close()
        way.store(slices[1:2])
    assert list(pacs.received) == UIDS[:2]
    assert len(pacs.proposed) == 2


def test_a_class_that_is_new_is_proposed_beside_those_in_use(slices):
    with connected(Archive(contexts=BOTH)) as (pacs, way):
        for files in (slices[:1], [cases.report()], slices[1:2]):
            (outcome,) = way.store(files)
            assert outcome.is_success
    ct, report = ((sop_class, ExplicitVRLittleEndian) for sop_class in (CT, SR))
    assert pacs.proposed == [{ct}, {ct, report}]


def test_a_class_that_was_refused_is_asked_for_anew(slices):
    with connected(Archive()) as (pacs, way):
        way.store(slices[:1])
        for _ in range(2):
            (outcome,) = way.store([cases.report()])
            assert (outcome.is_success, outcome.status) == (False, 0x0122)
        (outcome,) = way.store(slices[1:2])
        assert outcome.is_success
    assert len(pacs.proposed) == 3


def test_an_association_that_the_node_ended_meanwhile_is_made_anew(slices):
    with connected(Archive()) as (pacs, way):
        way.store(slices[:1])
        for association in pacs.server.active_associations:
            association.abort()
        (outcome,) = way.store(slices[1:2])
    assert outcome.is_success
    assert list(pacs.received) == UIDS[:2]


def test_a_kept_association_that_ends_as_the_first_is_sent_is_made_anew_once(slices):
    with connected(Moody(aborts_at={2})) as (pacs, way):
        way.store(slices[:1])
        outcomes = way.store(slices[1:3])
    assert [outcome.is_success for outcome in outcomes] == [True, True]
    assert list(pacs.received) == UIDS[:3]
    assert (pacs.asked, len(pacs.proposed)) == (4, 2)


def test_a_node_that_ends_every_association_is_asked_twice_and_no_more(slices):
    with connected(Moody(aborts_at=set(range(2, 9)))) as (pacs, way):
        way.store(slices[:1])
        with pytest.raises(StoreInterrupted) as interrupted:
            way.store(slices[1:3])
        assert interrupted.value.outcomes == ()
        assert pacs.asked == 3
        pacs.aborts_at = set()
        assert way.store(slices[1:2])[0].is_success


def test_an_association_that_ends_in_the_middle_says_what_had_come(slices):
    with connected(Moody(aborts_at={3})) as (pacs, way):
        way.store(slices[:1])
        with pytest.raises(StoreInterrupted) as interrupted:
            way.store(slices[1:4])
        assert [one.sop_instance_uid for one in interrupted.value.outcomes] == UIDS[1:2]
        assert pacs.asked == 3


def test_a_new_association_that_ends_is_not_tried_again(slices):
    with connected(Moody(aborts_at={1})) as (pacs, way):
        with pytest.raises(StoreInterrupted):
            way.store(slices[:1])
        assert pacs.asked == 1


def test_a_node_that_goes_away_with_what_was_sent_may_have_it(slices):
    with connected(Moody(aborts_at={2}, is_closing=True)) as (_, way):
        way.store(slices[:1])
        with pytest.raises(StoreInterrupted):
            way.store(slices[1:2])


def test_a_node_that_went_away_before_was_sent_nothing(slices):
    with archive() as (pacs, peer):
        way = StoreConnection(peer, Caller("HUB", connect_timeout_seconds=1.0))
        way.store(slices[:1])
        for association in pacs.server.active_associations:
            association.abort()
        deadline = time.monotonic() + 30
        while way._association.is_established and time.monotonic() < deadline:
            time.sleep(0.01)
    with pytest.raises(Unreachable):
        way.store(slices[1:2])
    assert list(pacs.received) == UIDS[:1]


def test_an_answer_that_is_late_is_waited_for_once(slices):
    with connected(Moody(), timeout_seconds=0.3) as (pacs, way):
        way.store(slices[:1])
        pacs.delay_seconds = 1.0
        started = time.monotonic()
        with pytest.raises(StoreInterrupted, match="no status in"):
            way.store(slices[1:2])
        assert pacs.asked == 2
        assert time.monotonic() - started < 30
        # Its late answer must not pass for that to the next.
        pacs.delay_seconds = 0
        (outcome,) = way.store(slices[2:3])
        assert (outcome.sop_instance_uid, outcome.is_success) == (UIDS[2], True)
