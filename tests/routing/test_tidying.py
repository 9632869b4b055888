"""What a killed process left lying about is stopped and removed, and nothing else."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from routing import staging, tidying
from routing.models import Workitem
from routing.places import work_folder, work_root
from tests.builders import worker
from tests.builders.studies import head_ct, send
from tests.routing.conftest import Place


@pytest.mark.parametrize(("state", "is_kept"), [("dispatched", True), ("superseded", False)])
def test_the_folder_of_a_run_goes_once_its_workitem_is_over(
    place: Place, state: str, is_kept: bool
) -> None:
    place.algorithm_does("slow", "20")
    send(place.rows.pacs, head_ct())
    worker.drain(until=lambda: Workitem.objects.filter(state="dispatched").exists())
    Workitem.objects.update(state=state)
    folder = work_folder(Workitem.objects.get())
    assert tidying.tidy() == 0
    assert folder.exists()
    os.utime(folder, (time.time() - 3600,) * 2)
    tidying.tidy()
    assert folder.exists() is is_kept
    staging.stop(Workitem.objects.get())


def test_an_input_does_not_stay_because_its_performer_is_allowed_no_more(
    place: Place, settings: Any
) -> None:
    send(place.rows.pacs, head_ct())
    worker.drain(until=lambda: Workitem.objects.filter(state="written_back").exists())
    folder = work_folder(Workitem.objects.get())
    (folder / "input").mkdir(parents=True)
    os.utime(folder, (time.time() - 3600,) * 2)
    settings.HUB_ALLOW_PROCESS_PERFORMER = False
    assert tidying.tidy() == 1
    assert not folder.exists()


def test_what_is_not_the_hubs_own_stays(place: Place) -> None:
    stranger = work_root() / "notes"
    stranger.mkdir(parents=True, exist_ok=True)
    os.utime(stranger, (time.time() - 3600,) * 2)
    tidying.tidy()
    assert stranger.exists()
    stranger.rmdir()
