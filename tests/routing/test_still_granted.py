"""What is taken out of use while a study waits or runs: it neither starts nor goes out."""

from __future__ import annotations

from datetime import date

from contracts.models import UsageEvent
from hub.phrases import render
from marketplace import deploying, safety_notices
from marketplace.models import Deployment
from routing import replay, review
from routing.models import Delivery, Priority, Workitem
from routing.reading import findings_on_page
from routing.steps import dispatch as dispatch_step
from tests.builders import worker
from tests.builders.orders import order_message
from tests.builders.studies import head_ct
from tests.routing.conftest import Place


def stands_at(state: str) -> bool:
    return Workitem.objects.filter(state=state).exists()


def suspend(place: Place) -> None:
    deploying.step(
        place.rows.deployment, to="suspended", why="odd results", by=place.rows.radiologist
    )


def recall(place: Place) -> None:
    told = safety_notices.Told(
        "FSN-7", place.rows.version.algorithm.vendor, "Wrong side", "stop", date(2026, 5, 1)
    )
    safety_notices.record(told, versions=[place.rows.version], by=place.rows.administrator)


def test_what_waits_for_its_turn_is_not_started_once_its_version_is_suspended(
    place: Place,
) -> None:
    place.send(head_ct())
    place.work(until=lambda: stands_at("entitled"))
    worker.lose_everything()
    suspend(place)
    dispatch_step.dispatch(place.rows.version.pk)
    item = place.workitem
    assert (item.state, item.dispatched_at) == ("failed", None)
    name = f"{place.rows.version} is suspended at {place.rows.site.name}"
    assert render(item.why) == f"not started: {name}"
    assert render(place.study.reason).startswith("AI failed; ")
    assert place.nothing_was_sent()
    # while it is suspended nobody gets it through, and afterwards it goes the way again
    for state, becomes in (("suspended", "refused"), ("clinical", "written_back")):
        Deployment.objects.update(state=state)
        replay.replay_workitem(place.workitem, by=place.rows.administrator)
        place.work()
        assert place.workitem.state == becomes
    assert UsageEvent.objects.count() == 1


def test_what_runs_as_a_safety_notice_comes_is_shown_told_and_billed_to_nobody(
    place: Place,
) -> None:
    place.order(order_message())
    place.send(head_ct())
    place.work(until=lambda: stands_at("dispatched"))
    recall(place)
    place.work()
    place.time_passes()
    item = place.workitem
    assert item.state == "failed"
    assert render(item.why).startswith("not released: ")
    assert (place.study.priority, place.study.ai_state) == (Priority.ROUTINE, "failed")
    assert item.findings.exists()
    assert findings_on_page(item) == []
    assert Delivery.objects.count() == 0
    assert place.nothing_was_sent()


def test_what_runs_as_its_validation_is_opened_again_stays_inside(place: Place) -> None:
    place.send(head_ct())
    place.work(until=lambda: stands_at("dispatched"))
    deploying.reopen_validation(place.rows.version, why="another UDI-DI", by="Kari")
    place.work()
    place.time_passes()
    assert (place.workitem.state, place.workitem.purpose) == ("withheld", "validation")
    assert place.study.ai_state == "none"
    assert place.nothing_was_sent()


def test_what_is_accepted_too_late_is_not_released_and_is_accepted_anew(place: Place) -> None:
    place.is_accepted_first()
    place.send(head_ct())
    place.work()
    suspend(place)
    review.accept(place.workitem, by=place.rows.radiologist)
    place.work()
    assert place.workitem.state == "failed"
    assert place.nothing_was_sent()
    Deployment.objects.update(state="clinical")
    replay.replay_workitem(place.workitem, by=place.rows.administrator)
    place.work()
    # nobody has looked at what was found now
    item = place.workitem
    assert (item.state, item.review, item.reviewed_by) == ("held", "", None)
    assert place.nothing_was_sent()


def test_what_runs_as_another_version_takes_its_place_is_still_told(place: Place) -> None:
    place.send(head_ct())
    place.work(until=lambda: stands_at("dispatched"))
    deploying.step(place.rows.deployment, to="retired", why="", by=place.rows.radiologist)
    place.work()
    place.time_passes()
    assert place.workitem.state == "written_back"
    assert UsageEvent.objects.count() == 1
