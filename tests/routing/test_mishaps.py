"""A step that breaks: the row says so, is tried again, and is given up in time."""

from __future__ import annotations

from django.utils import timezone

from routing import mishaps
from routing.models import Rule, Study, Workitem
from routing.places import work_folder
from tests.builders import worker
from tests.builders.studies import head_ct, send
from tests.routing.conftest import Place


def _again() -> None:
    Workitem.objects.update(due_at=timezone.now())
    Study.objects.exclude(due_at=None).update(due_at=timezone.now())
    worker.drain(keep_waiting=False)


def test_a_rule_that_breaks_leaves_the_study_readable_and_says_why(place: Place) -> None:
    Rule.objects.update(when={"series.modality": {"no_such_operator": 1}})
    send(place.rows.pacs, head_ct())
    place.work()
    study = place.study
    assert study.state == Study.State.COMPLETE
    assert study in Study.objects.unread()
    told = [str(move) for move in study.transitions.all()]
    assert any("could not match" in line and "KeyError" in line for line in told)
    assert study.due_at is not None
    assert study.due_at > timezone.now()
    assert place.pacs.received == []
    assert place.ris.received == []


def test_a_workitem_that_breaks_its_step_fails_in_the_end_and_names_the_fault(
    place: Place,
) -> None:
    place.algorithm_does("present")
    place.rows.version.manifest["performer"]["kind"] = "unknown kind"
    place.rows.version.save()
    send(place.rows.pacs, head_ct())
    place.work()
    for _ in range(mishaps.MOST_TRIES + 1):
        _again()
    # the manifest cannot even be read, so the study says it
    assert any("ManifestInvalid" in str(move) for move in place.study.transitions.all())
    assert place.pacs.received == []


def test_a_workitem_is_given_up_after_some_tries(place: Place) -> None:
    send(place.rows.pacs, head_ct())
    place.work()
    item = Workitem.objects.get()
    Workitem.objects.update(state="entitled", attempts=0)
    for tries in range(mishaps.MOST_TRIES):
        assert Workitem.objects.get().state == "entitled", tries
        mishaps.of_workitem(item.pk, step="dispatch", fault=ValueError("Åsnes^Kjærsti"))
    item.refresh_from_db()
    assert item.state == Workitem.State.FAILED
    assert "ValueError" in str(item.why)
    assert "Åsnes" not in str(item.why)
    assert Study.objects.get().ai_state == Study.AiState.FAILED


def test_one_that_is_over_is_left_alone(place: Place) -> None:
    send(place.rows.pacs, head_ct())
    place.work()
    before = Workitem.objects.values().get()
    mishaps.of_workitem(before["id"], step="collect", fault=ValueError())
    assert Workitem.objects.values().get() == before


def test_a_run_that_nobody_waits_for_any_more_is_stopped(place: Place) -> None:
    place.algorithm_does("slow", "15")
    slices = head_ct()
    send(place.rows.pacs, slices[:-1])
    worker.drain(until=lambda: Workitem.objects.filter(state="dispatched").exists())
    first = Workitem.objects.get()
    assert work_folder(first).exists()
    place.algorithm_does("present")
    send(place.rows.pacs, slices[-1:])
    place.work()
    first.refresh_from_db()
    assert first.state == Workitem.State.SUPERSEDED
    assert not work_folder(first).exists()
    assert [one.state for one in first.replaced_by.all()] == ["written_back"]
    assert len(place.ris.of_type("ORU^R01")) == 1
