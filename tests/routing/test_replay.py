"""What a person starts again: a failed Workitem, a refused one, a dead letter."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils import timezone

from contracts.models import UsageEvent
from hub.models import AuditEvent
from hub.phrases import render
from routing import outbox, replay
from routing.models import Breaker, Delivery, Finding, Workitem
from routing.pathway import MoveRefused
from tests.builders.studies import head_ct
from tests.routing.conftest import Place


def test_a_failed_workitem_goes_the_way_again(place: Place) -> None:
    place.algorithm_does("crash")
    place.send(head_ct())
    for _ in range(3):
        place.time_passes()
    assert place.workitem.state == "failed"
    place.algorithm_does("present")
    replay.replay_workitem(place.workitem, by=place.rows.administrator)
    place.work()
    item = place.workitem
    assert item.state == "written_back"
    assert (item.log_tail, Finding.objects.count()) == ("", 1)
    assert place.study.ai_state == "done"
    assert (len(place.objects()), place.results()) == (1, ["P"])
    assert UsageEvent.objects.count() == 1
    assert any("replayed by admin" in str(move) for move in item.transitions.all())
    assert AuditEvent.objects.filter(action="workitem.replayed", actor="admin").count() == 1


def test_a_replayed_workitem_has_all_its_tries_again(place: Place, tmp_path: Path) -> None:
    place.algorithm_does("crash")
    place.send(head_ct())
    for _ in range(3):
        place.time_passes()
    place.algorithm_does("flaky", str(tmp_path / "seen"), module="tests.fakes.odd_algorithm")
    replay.replay_workitem(place.workitem, by="admin")
    place.work()
    assert place.workitem.state == "entitled"
    place.time_passes()
    assert place.workitem.state == "written_back"


def test_a_refused_workitem_is_asked_about_again_and_not_just_let_through(place: Place) -> None:
    place.rows.call_off.state = "closed"
    place.rows.call_off.save()
    place.send(head_ct())
    place.work()
    assert place.workitem.state == "refused"
    replay.replay_workitem(place.workitem, by="admin")
    place.work()
    assert place.workitem.state == "refused"
    assert place.nothing_was_sent()
    place.rows.call_off.state = "active"
    place.rows.call_off.save()
    replay.replay_workitem(place.workitem, by="admin")
    place.work()
    assert place.workitem.state == "written_back"


@pytest.mark.parametrize("state", ["written_back", "superseded", "rejected", "held", "dispatched"])
def test_only_what_failed_or_was_refused_is_replayed(place: Place, state: str) -> None:
    place.is_accepted_first()
    place.send(head_ct())
    place.work()
    Workitem.objects.update(state=state)
    with pytest.raises(MoveRefused):
        replay.replay_workitem(place.workitem, by="admin")
    assert Finding.objects.count() == 1
    assert place.nothing_was_sent()


def test_a_dead_letter_is_sent_again_as_the_very_same_message(place: Place) -> None:
    seen: list[bytes] = []

    def refuse(message: bytes) -> str:
        seen.append(message)
        return "AE"

    place.ris.answer = refuse
    place.send(head_ct())
    place.work()
    (dead,) = Delivery.objects.filter(state="dead")
    place.ris.answer = lambda _message: "AA"
    Breaker.objects.filter(node=dead.node).update(failures=9)
    replay.replay_delivery(dead, by=place.rows.administrator)
    place.work()
    assert place.ris.received == [seen[0], seen[0]]
    assert Delivery.objects.get(pk=dead.pk).state == "delivered"
    assert Breaker.objects.get(node=dead.node).failures == 0
    assert UsageEvent.objects.count() == 1
    assert AuditEvent.objects.filter(action="delivery.replayed", actor="admin").count() == 1


def test_a_letter_that_could_not_be_written_is_written_when_it_is_replayed(place: Place) -> None:
    ris = place.rows.ris
    ris.hl7["charset"] = "8859/1"
    ris.save()
    place.send(head_ct(PatientName="Wałęsa^Łucja"))
    place.work()
    (dead,) = Delivery.objects.filter(state="dead")
    with pytest.raises(MoveRefused, match=r"U\+0142"):
        replay.replay_delivery(dead, by="admin")
    assert place.ris.received == []
    ris.hl7["charset"] = "UNICODE UTF-8"
    ris.save()
    replay.replay_delivery(Delivery.objects.get(pk=dead.pk), by="admin")
    place.work()
    (result,) = place.ris.of_type("ORU^R01")
    assert result.segment("PID").value(5) == "Wałęsa"


def test_what_was_delivered_cannot_be_sent_again(place: Place) -> None:
    place.send(head_ct())
    place.work()
    told = len(place.ris.received)
    for delivery in Delivery.objects.all():
        with pytest.raises(MoveRefused):
            replay.replay_delivery(delivery, by="admin")
    place.work()
    assert len(place.ris.received) == told
    assert render(place.workitem.why)


def test_a_letter_that_is_replayed_has_its_seven_days_again(place: Place) -> None:
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="writing_back").exists())
    long_ago = timezone.now() - outbox.LONGEST_SILENCE
    Delivery.objects.filter(kind="result").update(state="dead", created_at=long_ago)
    place.rows.ris.port = 1
    place.rows.ris.save()
    replay.replay_delivery(Delivery.objects.get(kind="result"), by="admin")
    outbox.deliver(place.rows.ris)
    assert Delivery.objects.get(kind="result").state == "pending"
