"""A crash between the file and its row: what lies in the spool is taken in at the next start."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from routing import healing, taking_in
from routing.models import Instance, SetAside, Study
from routing.places import spool
from routing.steps.receive import Receiver
from tests.builders.studies import head_ct
from tests.fakes.scarcity import no_more_files
from tests.routing.conftest import Place
from tests.routing.test_receive import arrival


@pytest.fixture
def receiver(place: Place) -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


def heal(receiver: Receiver) -> int:
    return healing.heal(receiver, newest=time.time() + 1)


def test_what_lies_without_a_row_is_taken_in_and_goes_the_whole_way(
    place: Place, receiver: Receiver
) -> None:
    made = head_ct()
    place.send(made[:5])
    for one in made[5:]:
        arrival(place, one)
    assert heal(receiver) == 7
    taking_in.take_in_all()
    assert place.study.instance_count == 12
    place.work()
    assert place.workitem.state == "written_back"
    assert heal(receiver) == 0


def test_a_sender_that_sends_again_what_was_healed_changes_nothing(
    place: Place, receiver: Receiver
) -> None:
    (one,) = head_ct(slices=1)
    arrival(place, one)
    assert heal(receiver) == 1
    assert place.send([one]) == [0]
    assert Instance.objects.count() == 1


def test_what_was_set_aside_is_not_set_aside_again(place: Place, receiver: Receiver) -> None:
    made = head_ct(slices=2)
    made[1].PatientID = "another"
    place.send(made)
    assert SetAside.objects.count() == 1
    assert heal(receiver) == 0
    assert SetAside.objects.count() == 1


def test_what_is_being_received_right_now_is_left_alone(place: Place, receiver: Receiver) -> None:
    started = time.time() - 5
    arrival(place, head_ct(slices=1)[0])
    assert healing.heal(receiver, newest=started) == 0
    assert Study.objects.count() == 0


def test_where_the_system_lets_nobody_look_it_is_looked_again(
    place: Place, receiver: Receiver
) -> None:
    """In place of a scan that found nothing, and is not made again before the next start."""
    arrival(place, head_ct(slices=1)[0])
    with no_more_files():
        assert not healing._is_healed(receiver, newest=time.time() + 1)
    assert healing._is_healed(receiver, newest=time.time() + 1)
    taking_in.take_in_all()
    assert Instance.objects.count() == 1


def test_a_file_that_cannot_be_read_holds_up_no_other(place: Place, receiver: Receiver) -> None:
    made = head_ct(slices=2)
    broken, _whole = (arrival(place, one) for one in made)
    Path(spool().path(broken.stored.key)).write_bytes(b"DICM")
    assert heal(receiver) == 1
    assert Instance.objects.count() == 1


def test_a_file_of_a_site_without_nodes_is_left_where_it_lies(
    place: Place, receiver: Receiver
) -> None:
    came = arrival(place, head_ct(slices=1)[0])
    place.rows.pacs.delete()
    assert heal(receiver) == 0
    assert spool().path(came.stored.key).exists()
