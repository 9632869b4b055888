"""A full disk or an engine that is away fails nothing: it waits, says so, and goes on by itself."""

from __future__ import annotations

import copy
import errno
import time
from datetime import timedelta
from typing import Any, NoReturn

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from contracts.models import UsageEvent
from hub.dicom.deidentify import NoMeansForCopy
from hub.dicom.durable import SpoolFull
from hub.phrases import render
from routing import mishaps, staging, sweeping, tasks
from routing.models import Study, Workitem
from routing.places import spool, work_folder
from routing.steps import dispatch
from tests.builders import worker
from tests.builders.orders import order_message
from tests.builders.studies import another_head_ct, head_ct
from tests.fakes.scarcity import NO_MORE_FILES, no_more_files
from tests.routing.conftest import Place

ODD = "tests.fakes.odd_algorithm"
# More than any disk has: nothing may be written any more.
FULL = 2**60
MORE_THAN_TRIES = 7


@pytest.fixture(autouse=True)
def _own_spool(settings: Any) -> None:
    """The floor is a setting of the process; each test has a spool of its own."""
    settings.HUB_MINIMUM_FREE_BYTES = 0


def bring(place: Place, state: str) -> Workitem:
    """A study whose Workitem has come to a state."""
    place.order(order_message())
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state=state).exists())
    return place.workitem


def await_end(item: Workitem) -> None:
    """Wait until the process of the run has ended, and nobody has looked yet."""
    deadline = time.monotonic() + 20
    while not (work_folder(item) / "work" / "process" / "exit.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def waits(place: Place, state: str, what: str) -> bool:
    """Whether it still stands there after more looks than any step is tried."""
    for _ in range(MORE_THAN_TRIES):
        place.time_passes()
        item = place.workitem
        assert (item.state, item.waits_for) == (state, what), render(item.why)
        assert item.attempts == 0
        assert item.waits_since is not None
    assert place.study in Study.objects.unread()
    assert place.nothing_was_sent()
    return True


def shown_to_administrator(place: Place) -> str:
    client = Client()
    client.force_login(place.rows.administrator)
    return client.get("/operations/").content.decode()


def came_once(place: Place, *, objects: int = 1) -> bool:
    """Whether PACS, RIS and invoice each have it once, and the row waits for nothing."""
    item = place.workitem
    assert (item.state, item.waits_for, item.waits_since) == ("written_back", "", None)
    assert len(place.pacs.received) == objects
    assert place.results() == ["P"]
    assert UsageEvent.objects.count() == 1
    assert not work_folder(item).exists()
    return True


def test_a_result_that_finds_no_room_is_written_back_once_there_is(
    place: Place, settings: Any
) -> None:
    item = bring(place, "collected")
    settings.HUB_MINIMUM_FREE_BYTES = FULL
    assert waits(place, "collected", "room")
    assert "waits for room on the disk" in shown_to_administrator(place)
    assert 'routing_workitems_held_up{waits_for="room"} 1.0' in metrics()
    settings.HUB_MINIMUM_FREE_BYTES = 0
    place.time_passes()
    assert came_once(place)
    assert "waits for room" not in shown_to_administrator(place)
    assert item.uid == place.workitem.uid


def metrics() -> str:
    return Client().get("/metrics").content.decode()


def test_an_object_that_finds_no_room_is_collected_once_there_is(
    place: Place, settings: Any
) -> None:
    place.algorithm_does("capture", module=ODD)
    item = bring(place, "dispatched")
    await_end(item)
    settings.HUB_MINIMUM_FREE_BYTES = FULL
    assert waits(place, "dispatched", "room")
    settings.HUB_MINIMUM_FREE_BYTES = 0
    place.time_passes()
    assert came_once(place, objects=2)
    assert place.workitem.runs == 0
    assert len(list(spool().path("objects/any").parent.rglob("*.dcm"))) == 2


def test_no_run_is_started_that_would_be_stopped_for_want_of_room(
    place: Place, settings: Any
) -> None:
    bring(place, "entitled")
    settings.HUB_MINIMUM_FREE_BYTES = FULL
    assert waits(place, "entitled", "room")
    settings.HUB_MINIMUM_FREE_BYTES = 0
    place.time_passes()
    assert came_once(place)


def in_other_words(cause: OSError) -> Exception:
    fault = ValueError("not written")
    fault.__cause__ = cause
    return fault


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [
        (SpoolFull(1), 0),
        (OSError(errno.ENOSPC, "no"), 0),
        (OSError(errno.EDQUOT, "no"), 0),
        (in_other_words(OSError(errno.ENOSPC, "no")), 0),
        (OSError(errno.EIO, "no"), 1),
        (in_other_words(OSError(errno.EIO, "no")), 1),
    ],
)
def test_a_full_disk_alone_is_no_attempt(place: Place, fault: Exception, attempts: int) -> None:
    item = bring(place, "collected")
    mishaps.of_workitem(item.pk, step="write_back", fault=fault)
    assert place.workitem.attempts == attempts
    assert place.workitem.waits_for == ("" if attempts else "room")


@pytest.mark.parametrize(
    "fault",
    [
        NO_MORE_FILES,
        in_other_words(NO_MORE_FILES),
        NoMeansForCopy("no"),
        RuntimeError("can't start new thread"),
    ],
)
def test_what_the_system_has_no_more_of_is_no_attempt(place: Place, fault: Exception) -> None:
    item = bring(place, "collected")
    for _ in range(MORE_THAN_TRIES):
        mishaps.of_workitem(item.pk, step="write_back", fault=fault)
    item = place.workitem
    assert (item.state, item.attempts, item.waits_for) == ("collected", 0, "")
    assert "waits until the system gives the hub files" in render(item.why)
    place.time_passes()
    assert came_once(place)


def test_a_run_that_finds_no_more_files_is_started_once_there_are(place: Place) -> None:
    item = bring(place, "entitled")
    for _ in range(MORE_THAN_TRIES):
        Workitem.objects.update(due_at=timezone.now())
        with no_more_files():
            dispatch.dispatch(item.version_id)
    item = place.workitem
    assert (item.state, item.attempts, item.runs) == ("entitled", 0, 0)
    place.time_passes()
    assert came_once(place)


def test_a_database_that_is_busy_while_a_run_is_started_is_no_attempt(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = bring(place, "entitled")

    def busy(*_given: object) -> NoReturn:
        raise OperationalError("unable to open database file")

    with monkeypatch.context() as patched:
        patched.setattr(staging, "performer_of", busy)
        for _ in range(MORE_THAN_TRIES):
            time.sleep(0.05)
            Workitem.objects.update(due_at=timezone.now(), lease_until=None)
            tasks.dispatch(item.version_id)
    item = place.workitem
    assert (item.state, item.attempts) == ("entitled", 0)
    place.time_passes()
    assert came_once(place)


# -- the container engine ------------------------------------------------------------------------
@pytest.fixture
def engine(place: Place, settings: Any, tmp_path: Any) -> Any:
    """Where the engine should be, and is not; the algorithm is a container."""
    manifest = copy.deepcopy(place.rows.version.manifest)
    image = "registry.example/ich@sha256:" + "0" * 64
    manifest["performer"] = {"kind": "container", "image": image, "timeout_seconds": 20}
    manifest["returns"].pop("dicom", None)
    place.rows.version.manifest = manifest
    place.rows.version.save()
    settings.HUB_CONTAINER_COMMAND = str(tmp_path / "engine")
    return tmp_path / "engine"


def test_an_engine_that_is_away_is_waited_for_with_growing_pauses(
    place: Place, engine: Any
) -> None:
    bring(place, "entitled")
    assert waits(place, "entitled", "engine")
    item = place.workitem
    assert "waits for the container engine" in render(item.why)
    assert "does not answer" in shown_to_administrator(place)
    assert 'routing_workitems_held_up{waits_for="engine"} 1.0' in metrics()
    Workitem.objects.update(waits_since=timezone.now() - timedelta(hours=1))
    place.time_passes()
    item = place.workitem
    assert item.due_at is not None
    assert 50 < (item.due_at - timezone.now()).total_seconds() <= 60


def test_once_it_answers_the_engine_decides(place: Place, engine: Any) -> None:
    bring(place, "entitled")
    place.time_passes()
    engine.write_text('#!/bin/sh\necho "Error: no such container; image not known" >&2; exit 125\n')
    engine.chmod(0o755)
    place.time_passes()
    item = place.workitem
    assert (item.state, item.waits_for) == ("failed", "")
    assert "is not on this host" in render(item.why)
    assert place.nothing_was_sent()


def test_after_the_patience_that_was_set_it_fails_with_the_reason(
    place: Place, engine: Any, settings: Any
) -> None:
    settings.HUB_ENGINE_PATIENCE_SECONDS = 600
    bring(place, "entitled")
    place.time_passes()
    Workitem.objects.update(waits_since=timezone.now() - timedelta(seconds=601))
    place.time_passes()
    item = place.workitem
    assert item.state == "failed"
    assert "does not answer" in render(item.why)
    assert place.study.ai_state == "failed"
    assert place.study in Study.objects.unread()
    assert not work_folder(item).exists()


def test_what_stands_behind_waits_with_it_and_asks_nothing(
    place: Place, engine: Any, tmp_path: Any
) -> None:
    asked = tmp_path / "asked"
    engine.write_text(f"#!/bin/sh\necho x >> {asked}\necho 'connection refused' >&2; exit 125\n")
    engine.chmod(0o755)
    for number in range(4):
        place.send(another_head_ct(number))
    place.work(until=lambda: Workitem.objects.filter(state="entitled").count() == 4)
    worker.lose_everything()
    place.time_passes()
    stand = list(Workitem.objects.values_list("state", "waits_for"))
    assert stand == [("entitled", "engine")] * 4
    asked.unlink()
    place.time_passes()
    assert asked.read_text() == "x\n"


# An engine that keeps a file for each container, and forgets one only when it is told to.
KEEPING = """#!/bin/sh
cd "$(dirname "$0")" || exit 9
for last; do :; done
case "$1" in
    container) [ -e "$last" ] && cat state || { echo "no such container" >&2; exit 1; };;
    run) while [ "$1" != --name ]; do shift; done
         ls hub-* > "beside-$2" 2>/dev/null; touch "$2";;
    rm) rm "$last" 2>/dev/null || { echo "no such container" >&2; exit 1; };;
    logs) ;;
esac
"""
RUNNING = '[{"State": {"Status": "running", "StartedAt": "0001-01-01T00:00:00Z"}}]'


def test_what_a_silent_engine_left_running_is_ended_before_the_next_run_begins(
    place: Place, engine: Any
) -> None:
    folder = engine.parent
    (folder / "state").write_text(RUNNING)
    engine.write_text(KEEPING)
    engine.chmod(0o755)
    bring(place, "dispatched")
    item = place.workitem
    first, second = (f"hub-{item.uid.hex}-{number}" for number in (0, 1))
    assert (folder / first).exists()
    # it falls silent, and is given up for this run once that must be over
    engine.rename(folder / "away")
    now = timezone.now()
    Workitem.objects.update(dispatched_at=now - timedelta(hours=1), due_at=now)
    worker.lose_everything()
    place.time_passes()
    place.time_passes()
    item = place.workitem
    assert (item.state, item.runs, item.waits_for) == ("entitled", 1, "engine")
    assert (folder / first).exists()
    # it is back: the old container goes first
    (folder / "away").rename(engine)
    worker.lose_everything()
    Workitem.objects.update(due_at=timezone.now())
    sweeping.sweep()
    place.work(until=lambda: Workitem.objects.filter(state="dispatched").exists())
    assert not (folder / first).exists()
    assert (folder / second).exists()
    assert first not in (folder / f"beside-{second}").read_text()
