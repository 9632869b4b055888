"""What readers see of a study to which more comes, after it was thought complete."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from hub.models import User
from routing import review
from tests.builders.studies import head_ct
from tests.routing.conftest import Place


@pytest.fixture
def slices(place: Place) -> list[Dataset]:
    """A study whose last slice has not come yet; AI has read what has."""
    made = head_ct(slices=13)
    place.send(made[:-1])
    place.work(until=lambda: place.study.ai_state == "done")
    assert place.study.ai_state == "done"
    return made


def read_by_a_radiologist(place: Place) -> None:
    review.mark_read(place.study, by=User.objects.get(username="radiologist.drammen"))
    assert place.study.is_read


def test_a_late_image_is_one_that_ai_has_not_seen(place: Place, slices: list[Dataset]) -> None:
    place.send(slices[-1:])
    assert (place.study.state, place.study.ai_state) == ("receiving", "pending")
    place.work(until=lambda: place.study.ai_state == "done")
    assert (place.study.revision, place.study.ai_state) == (2, "done")


def test_a_late_image_brings_a_study_that_was_read_back_to_the_list(
    place: Place, slices: list[Dataset]
) -> None:
    read_by_a_radiologist(place)
    place.send(slices[-1:])
    assert not place.study.is_read


def test_what_a_workstation_adds_while_reading_does_not(
    place: Place, slices: list[Dataset]
) -> None:
    read_by_a_radiologist(place)
    mark = slices[-1]
    for keyword in ("Rows", "Columns", "PixelData"):
        delattr(mark, keyword)
    place.send([mark])
    assert place.study.revision == 2
    assert place.study.is_read
