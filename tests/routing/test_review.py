"""What a radiologist decides: accept, reject, read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from contracts.models import UsageEvent
from hub.models import AuditEvent
from routing import lease, review
from routing.models import Delivery, Order, Priority, Study, Workitem
from routing.pathway import MoveRefused, Overtaken
from tests.builders import parties, worker
from tests.builders.orders import order_message
from tests.builders.studies import head_ct
from tests.routing.conftest import Place


def reject(place: Place, workitem: Workitem | None = None, reason: str = "artefact") -> None:
    review.reject(workitem or place.workitem, by=place.rows.radiologist, reason=reason)
    place.work()


def test_what_waits_for_acceptance_goes_nowhere_until_it_is_accepted(place: Place) -> None:
    place.is_accepted_first()
    place.order(order_message())
    place.send(head_ct())
    place.work()
    assert place.workitem.state == "held"
    assert place.study.ai_state == "held"
    assert place.study.priority == Priority.ROUTINE
    assert place.nothing_was_sent()
    review.accept(place.workitem, by=place.rows.radiologist)
    place.work()
    assert place.workitem.state == "written_back"
    assert [one.Modality for one in place.objects()] == ["SR"]
    assert place.results() == ["P"]
    assert len(place.ris.of_type("OMI^O23")) == 1
    assert place.study.priority == Priority.STAT
    assert UsageEvent.objects.count() == 1


def test_what_is_rejected_before_it_went_out_never_goes_out(place: Place) -> None:
    place.is_accepted_first()
    place.send(head_ct())
    place.work()
    reject(place)
    place.time_passes()
    assert place.workitem.state == "rejected"
    assert place.nothing_was_sent()


def test_a_result_rejected_after_it_was_told_is_taken_back(place: Place) -> None:
    place.send(head_ct())
    place.work()
    reject(place)
    assert place.results() == ["P", "X"]
    numbers = {one.segment("OBR").field(3) for one in place.ris.of_type("ORU^R01")}
    assert len(numbers) == 1
    assert place.study.priority == Priority.ROUTINE
    # it was delivered, and used to take a decision
    assert UsageEvent.objects.count() == 1


def test_a_result_whose_answer_was_lost_is_taken_back_too(place: Place) -> None:
    def hang_up(_message: bytes) -> str:
        raise ConnectionAbortedError

    place.ris.answer = hang_up
    place.send(head_ct())
    place.work(until=lambda: Delivery.objects.filter(kind="result", attempts__gt=0).exists())
    place.ris.answer = lambda _message: "AA"
    reject(place)
    assert place.results() == ["X"]


def test_a_result_that_never_left_is_not_taken_back(place: Place) -> None:
    port, place.rows.ris.port = place.rows.ris.port, 1
    place.rows.ris.save()
    place.send(head_ct())
    place.work(until=lambda: Delivery.objects.filter(kind="result", attempts__gt=0).exists())
    place.rows.ris.port = port
    place.rows.ris.save()
    reject(place)
    place.time_passes()
    assert place.ris.received == []


def test_a_result_that_a_dying_worker_sent_is_taken_back(place: Place) -> None:
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="writing_back").exists())
    worker.lose_everything()
    told = Delivery.objects.get(kind="result")
    assert lease.take(told, states=("pending",), may_have_arrived=True) is not None
    Delivery.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    reject(place)
    assert place.results() == ["X"]


def test_a_result_rejected_before_it_was_tried_is_not_told_at_all(place: Place) -> None:
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="writing_back").exists())
    reject(place)
    place.time_passes()
    assert place.nothing_was_sent()
    assert set(Delivery.objects.values_list("state", flat=True)) == {"cancelled"}


def test_rejecting_one_algorithm_keeps_what_another_found(place: Place) -> None:
    """The RIS was not reached yet: the wish to read the study sooner must not be lost."""
    second = parties.algorithm_version("ich-second", name="Second ICH")
    second.manifest = place.rows.version.manifest | {"algorithm": "ich-second"}
    second.save()
    rows = place.rows
    parties.price_of(second.algorithm, under=rows.framework)
    parties.line_of(rows.call_off, algorithm=second.algorithm, site=rows.site)
    parties.deployment_of(second, site=rows.site)
    parties.rule_for(second.algorithm, site=rows.site, code="second")
    place.order(order_message())
    port, rows.ris.port = rows.ris.port, 1
    rows.ris.save()
    place.send(head_ct())
    place.work(until=lambda: Delivery.objects.filter(kind="priority", attempts=1).exists())
    change = Delivery.objects.get(kind="priority")
    rows.ris.port = port
    rows.ris.save()
    reject(place, change.workitem)
    place.time_passes()
    assert len(place.ris.of_type("OMI^O23")) == 1
    assert Order.objects.get().raised_to == Priority.STAT
    change.refresh_from_db()
    assert change.state == "delivered"


def test_a_critical_finding_that_was_rejected_no_longer_raises_the_order(place: Place) -> None:
    place.order(order_message())
    place.send(head_ct())
    place.work(until=lambda: Delivery.objects.filter(kind="priority").exists())
    reject(place)
    place.time_passes()
    assert place.ris.of_type("OMI^O23") == []
    assert Order.objects.get().raised_to is None


@pytest.mark.parametrize("state", ["failed", "superseded", "dispatched", "withheld", "rejected"])
def test_only_a_result_that_stands_can_be_rejected(place: Place, state: str) -> None:
    place.is_accepted_first()
    place.send(head_ct())
    place.work()
    Workitem.objects.update(state=state)
    with pytest.raises(MoveRefused):
        review.reject(place.workitem, by=place.rows.radiologist)
    assert place.nothing_was_sent()


def test_agreeing_with_what_was_just_rejected_does_not_unsay_it(place: Place) -> None:
    place.send(head_ct())
    place.work()
    as_seen = place.workitem
    reject(place)
    with pytest.raises(Overtaken):
        review.accept(as_seen, by=place.rows.radiologist)
    assert place.workitem.review == "rejected"


def test_the_first_who_agreed_stays(place: Place) -> None:
    place.send(head_ct())
    place.work()
    review.accept(place.workitem, by=place.rows.radiologist)
    review.accept(place.workitem, by=place.rows.other_radiologist)
    assert place.workitem.reviewed_by == place.rows.radiologist
    assert AuditEvent.objects.filter(action="result.accepted").count() == 1


def test_accepting_what_went_out_is_only_noted(place: Place) -> None:
    place.send(head_ct())
    place.work()
    told = len(place.ris.received)
    review.accept(place.workitem, by=place.rows.radiologist)
    place.work()
    assert place.workitem.review == "accepted"
    assert len(place.ris.received) == told


def test_a_result_is_not_accepted_that_was_rejected_a_moment_before(place: Place) -> None:
    place.send(head_ct())
    place.work()
    seen = place.workitem
    review.reject(place.workitem, by=place.rows.radiologist)
    with pytest.raises(Overtaken):
        review.accept(seen, by=place.rows.radiologist)
    assert (place.workitem.state, place.workitem.review) == ("rejected", "rejected")
    assert not AuditEvent.objects.filter(action="result.accepted").exists()


def test_every_decision_is_in_the_audit_trail_with_its_author(place: Place) -> None:
    place.send(head_ct())
    place.work()
    review.accept(place.workitem, by=place.rows.radiologist)
    reject(place)
    review.mark_read(place.study, by=place.rows.radiologist)
    kept = AuditEvent.objects.filter(actor="radiologist.drammen").order_by("pk")
    assert [one.action for one in kept] == ["result.accepted", "result.rejected", "study.read"]
    assert Study.objects.unread().count() == 0


def test_what_was_marked_as_read_by_mistake_comes_back(place: Place) -> None:
    place.send(head_ct())
    place.work()
    review.mark_read(place.study, by=place.rows.radiologist)
    review.mark_unread(place.study, by=place.rows.radiologist)
    assert Study.objects.unread().get() == place.study
    assert AuditEvent.objects.filter(action="study.unread").count() == 1
    assert place.study.transitions.last().by == "radiologist.drammen"
