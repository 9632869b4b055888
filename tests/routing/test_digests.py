"""What a release before took in under SHA-256 is known again, wherever and however it comes."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from pydicom.dataset import Dataset

from hub.dicom.headers import read_header
from hub.dicom.scp import SUCCESS
from routing import forgetting, healing, taking_in
from routing.arrivals import Arrival
from routing.models import Arrived, Discarded, Instance, SetAside
from routing.places import spool
from routing.register import SET_ASIDE, record
from routing.steps.receive import Receiver
from tests.builders.studies import head_ct, received
from tests.routing.conftest import Place
from tests.routing.test_receive import arrival

pytestmark = pytest.mark.django_db(transaction=True)


def of_the_release_before(place: Place, dataset: Dataset) -> Arrival:
    """An instance in the spool, under the name that the release before gave it."""
    came = received(dataset)
    head = came.transfer_syntax_uid.encode() + b"\0"
    came = replace(came, digest=hashlib.sha256(head + came.dataset).hexdigest())
    header = read_header(came.dataset, came.transfer_syntax_uid)
    stored = spool().put(site=place.rows.site.code, received=came, header=header)
    return Arrival(place.rows.pacs, header, stored, "DRAMMENPACS@127.0.0.1")


@pytest.mark.parametrize("is_taken_in", [True, False])
def test_the_same_bytes_again_change_nothing_and_leave_no_second_file(
    place: Place, is_taken_in: bool
) -> None:
    made = head_ct(slices=3)
    before = [of_the_release_before(place, one) for one in made]
    assert [record([one]) for one in before] == [[SUCCESS]] * 3
    if is_taken_in:
        taking_in.take_in_all()
    again = [arrival(place, one) for one in made]
    assert record(again) == [SUCCESS] * 3
    assert (Arrived.objects.count(), Instance.objects.count()) == (0, 3)
    assert SetAside.objects.count() == 0
    assert place.study.instance_count == 3
    assert {row.key for row in Instance.objects.all()} == {one.stored.key for one in before}
    assert {row.key for row in Discarded.objects.all()} == {one.stored.key for one in again}
    _an_hour_passes(again)
    forgetting.forget()
    assert sorted(spool().walk()) == sorted(one.stored.key for one in before)
    assert Discarded.objects.count() == 0


def test_what_comes_again_takes_the_place_of_a_file_that_is_lost(place: Place) -> None:
    (made,) = head_ct(slices=1)
    before = of_the_release_before(place, made)
    assert record([before]) == [SUCCESS]
    taking_in.take_in_all()
    spool().path(before.stored.key).unlink()
    again = arrival(place, made)
    assert record([again]) == [SUCCESS]
    row = Instance.objects.get()
    assert (row.key, row.digest) == (again.stored.key, again.stored.digest)
    assert spool().has_content(row.key, row.digest)
    assert (Discarded.objects.count(), SetAside.objects.count()) == (0, 0)


def _an_hour_passes(arrivals: list[Arrival]) -> None:
    then = time.time() - timedelta(hours=2).total_seconds()
    for one in arrivals:
        os.utime(spool().path(one.stored.key), (then, then))


def test_other_bytes_of_the_same_uid_are_set_aside(place: Place) -> None:
    made = head_ct(slices=2)
    for one in made:
        record([of_the_release_before(place, one)])
    made[1].PixelData = bytes(len(made[1].PixelData))
    second = arrival(place, made[1])
    assert record([second]) == [SET_ASIDE]
    (row,) = SetAside.objects.all()
    assert (row.key, row.field) == (second.stored.key, "SOPInstanceUID")
    assert Discarded.objects.count() == 0


def test_what_the_release_before_left_without_a_row_is_healed(place: Place) -> None:
    made = head_ct(slices=3)
    place.send(made[:1])
    left = [of_the_release_before(place, one) for one in made]
    receiver = Receiver()
    try:
        # of the first there is a row of this release: the other file is but a copy
        assert healing.heal(receiver, newest=time.time() + 1) == 3
    finally:
        receiver.close()
    assert place.study.instance_count == 3
    assert SetAside.objects.count() == 0
    assert [row.key for row in Discarded.objects.all()] == [left[0].stored.key]
