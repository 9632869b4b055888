"""Copies are made while a study arrives, and given to nobody who would not get them otherwise."""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from routing import copying, preparing, staging, sweeping, tidying
from routing.copying import Copier
from routing.models import Study, Workitem
from routing.places import prepared_root, work_folder
from tests.builders import worker
from tests.builders.orders import order_message
from tests.builders.studies import head_ct
from tests.routing.conftest import Place


@pytest.fixture(autouse=True)
def _never_quiet(settings: Any) -> None:
    settings.HUB_SHORT_QUIET_SECONDS = settings.HUB_QUIET_SECONDS = 600.0


def prepare(place: Place) -> list[Path]:
    """Let the copies be made, and no more; where they lie."""
    preparing.prepare(Study.objects.select_related("site", "order").get(site=place.rows.site))
    return copies()


def copies() -> list[Path]:
    return sorted(prepared_root().rglob("*.dcm")) if prepared_root().exists() else []


def complete_and_dispatch(settings: Any) -> None:
    """Let the study be complete, and its Workitem be started."""
    settings.HUB_SHORT_QUIET_SECONDS = settings.HUB_QUIET_SECONDS = 0.0
    worker.lose_everything()
    Study.objects.update(due_at=timezone.now())
    sweeping.sweep()
    worker.drain(
        seconds=20, until=lambda: Workitem.objects.filter(state="dispatched").exists()
    )


def staged() -> dict[str, bytes]:
    """All that the one Workitem was given, by its path."""
    folder = work_folder(Workitem.objects.get()) / "input"
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_a_study_that_arrives_has_its_copies_made_by_the_worker(
    place: Place, settings: Any
) -> None:
    settings.HUB_SHORT_QUIET_SECONDS = 0.4
    place.send(head_ct())
    worker.drain(until=lambda: len(copies()) == 12)
    assert place.study.state == Study.State.RECEIVING


def test_the_copies_made_ahead_are_what_the_algorithm_gets(place: Place, settings: Any) -> None:
    place.algorithm_does("slow", "30")
    place.send(head_ct())
    made = {path.stat().st_ino for path in prepare(place)}
    assert len(made) == 12
    complete_and_dispatch(settings)
    folder = work_folder(Workitem.objects.get())
    assert {path.stat().st_ino for path in (folder / "input").rglob("*.dcm")} == made
    assert copies() == []
    assert not list((folder / "prepared").rglob("*.dcm"))
    staging.stop(Workitem.objects.get())


def test_the_input_is_the_same_where_half_of_it_was_copied_ahead(
    place: Place, settings: Any
) -> None:
    place.algorithm_does("slow", "30")
    slices = head_ct(slices=24, ReferencedFrameOfReferenceUID="1.2.3.4")
    place.send(slices[:12])
    assert len(prepare(place)) == 12
    place.send(slices[12:])
    complete_and_dispatch(settings)
    item = Workitem.objects.get()
    given, others = staged(), staging.other_uids(item)
    staging.stop(item)
    staging.stage(item, item.version.declared)
    assert staged() == given
    assert len(given) == 24 + 1
    assert staging.other_uids(item) == others
    assert others


def test_what_was_copied_before_the_order_named_the_patient_is_given_to_nobody(
    place: Place, settings: Any
) -> None:
    place.algorithm_does("slow", "30")
    place.send(head_ct(SeriesDescription="Hode for Birkebekk"))
    assert any(b"Birkebekk" in path.read_bytes() for path in prepare(place))
    place.order(order_message(name="Birkebekk^Kjærsti"))
    complete_and_dispatch(settings)
    assert not any(b"irkebekk" in raw for raw in staged().values())
    staging.stop(Workitem.objects.get())


def test_what_an_earlier_hub_copied_is_given_to_nobody(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.send(head_ct())
    made = prepare(place)
    monkeypatch.setattr(copying, "_STARTED_AT", time.time() + 60)
    copier = Copier(place.study, place.rows.version.declared)
    taken = copier.take(prepared_root() / "taken")
    assert made
    for one in place.study.instances.all():
        assert taken.move(one, prepared_root() / "target") is None


def test_nothing_is_copied_ahead_without_a_contract(place: Place) -> None:
    place.send(head_ct())
    place.rows.line.delete()
    assert prepare(place) == []


def test_nothing_is_copied_ahead_that_no_rule_wants(place: Place) -> None:
    place.send(head_ct(Modality="MR"))
    assert prepare(place) == []


def test_nothing_is_copied_ahead_for_an_algorithm_that_gets_the_study_as_it_is(
    place: Place,
) -> None:
    place.rows.version.manifest["needs"]["identity"] = "as_is"
    place.rows.version.save()
    place.send(head_ct())
    assert prepare(place) == []


def test_nothing_is_copied_ahead_where_others_wait_for_the_algorithm(place: Place) -> None:
    place.send(head_ct())
    waiting = Workitem.objects.create(
        study=place.study, revision=1, version=place.rows.version, state="entitled", priority=2,
        input_fingerprint="-", due_at=timezone.now() - timedelta(minutes=1),
    )  # fmt: skip
    assert prepare(place) == []
    waiting.delete()
    assert len(prepare(place)) == 12


def test_nothing_is_copied_ahead_where_the_disk_is_nearly_full(
    place: Place, settings: Any
) -> None:
    place.send(head_ct())
    settings.HUB_MINIMUM_FREE_BYTES = 1 << 60
    assert prepare(place) == []


def test_one_at_a_time_copies_ahead(place: Place) -> None:
    place.send(head_ct())
    copier = Copier(place.study, place.rows.version.declared)
    copier.folder.mkdir(parents=True)
    with copying._alone(copier.folder) as is_first:
        assert is_first
        assert copier.copy_ahead(list(place.study.instances.all())) == 0
    assert copier.copy_ahead(list(place.study.instances.all())) == 12


def test_nobody_else_can_look_at_what_was_copied_and_the_patient_does_not_name_it(
    place: Place,
) -> None:
    place.order(order_message())
    place.send(head_ct())
    (folder,) = {path.parent for path in prepare(place)}
    assert folder.stat().st_mode & 0o077 == 0
    for path in folder.iterdir():
        assert "rsti" not in str(path)
    index = json.loads(next(folder.glob("*.json")).read_text())
    assert len(index) == 12


def test_copies_that_nobody_took_are_tidied_away(place: Place) -> None:
    place.send(head_ct())
    (folder,) = {path.parent for path in prepare(place)}
    tidying.tidy()
    assert len(copies()) == 12
    os.utime(folder, (time.time() - 3600,) * 2)
    tidying.tidy()
    assert not folder.exists()
