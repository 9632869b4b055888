"""A RIS or PACS that answers late, twice, half or in another order: told, once under one name."""

from __future__ import annotations

import time
from typing import Any

import pytest

from contracts.models import UsageEvent
from routing import outbox
from routing.models import Breaker, Delivery
from tests.builders.studies import head_ct
from tests.fakes.odd_peers import OddRis, half_closing_pacs
from tests.routing.conftest import Place, place  # noqa: F401 (a fixture)

TIMEOUT = 1.0


@pytest.fixture(autouse=True)
def _one_try_at_a_time(place: Place, settings: Any) -> None:  # noqa: F811 (after its own)
    settings.HUB_RETRY_SECONDS = 60.0


def ready(place: Place) -> None:  # noqa: F811
    """A result that nobody has been told yet."""
    place.send(head_ct())
    place.work(until=lambda: Delivery.objects.filter(kind="result").exists())


def deliver(place: Place, kind: str) -> Delivery:  # noqa: F811
    """Let one destination be tried once more, now; how its delivery stands."""
    Delivery.objects.filter(kind=kind, state="pending").update(due_at=None)
    Breaker.objects.update(open_until=None, failures=0)
    outbox.deliver(place.rows.ris if kind == "result" else place.rows.pacs)
    return Delivery.objects.get(kind=kind)


def told_both(place: Place) -> bool:  # noqa: F811
    """Whether the other destination has it too, and the invoice one line."""
    place.time_passes()
    assert place.workitem.state == "written_back"
    assert len({one.SOPInstanceUID for one in place.pacs.received}) == 1
    assert UsageEvent.objects.count() == 1
    return True


@pytest.mark.parametrize(
    ("moods", "is_first_taken"),
    [
        (("late",), False),
        (("half closes",), False),
        (("half an answer",), False),
        (("the one before first",), False),
        (("late", "half closes", "the one before first"), False),
        (("twice",), True),
    ],
)
def test_a_ris_that_answers_oddly_is_told_under_one_name(
    place: Place, settings: Any, moods: tuple[str, ...], is_first_taken: bool  # noqa: F811
) -> None:
    settings.HUB_SEND_TIMEOUT_SECONDS = TIMEOUT
    ris = OddRis(*moods, seconds=2 * TIMEOUT)
    place.rows.ris.port = ris.port
    place.rows.ris.save()
    ready(place)
    for _mood in moods:
        row = deliver(place, "result")
        assert row.state == ("delivered" if is_first_taken else "pending")
        assert row.may_have_arrived
        assert UsageEvent.objects.count() == (1 if is_first_taken else 0)
    assert deliver(place, "result").state == "delivered"
    assert told_both(place)
    assert set(ris.control_ids) == {row.control_id}
    assert len(ris.control_ids) == len(moods) + (0 if is_first_taken else 1)
    ris.close()


def test_a_pacs_that_half_closes_is_called_again(place: Place, settings: Any) -> None:  # noqa: F811
    settings.HUB_SEND_TIMEOUT_SECONDS = TIMEOUT
    odd, port = half_closing_pacs(), place.rows.pacs.port
    place.rows.pacs.port = odd.port
    place.rows.pacs.save()
    ready(place)
    assert deliver(place, "dicom").state == "pending"
    assert place.pacs.received == []
    odd.close()
    place.rows.pacs.port = port
    place.rows.pacs.save()
    assert deliver(place, "dicom").state == "delivered"
    assert len(place.pacs.received) == 1
    assert told_both(place)


def test_a_pacs_that_answers_late_has_one_object_in_the_end(place: Place, settings: Any) -> None:  # noqa: F811
    settings.HUB_SEND_TIMEOUT_SECONDS = TIMEOUT
    waits = [2 * TIMEOUT]
    place.pacs.status = lambda _one: time.sleep(waits.pop() if waits else 0) or 0x0000
    ready(place)
    row = deliver(place, "dicom")
    assert (row.state, row.may_have_arrived) == ("pending", True)
    assert deliver(place, "dicom").state == "delivered"
    assert told_both(place)


@pytest.mark.parametrize("status", [0x0110, 0xA900, 0xC000])
def test_a_pacs_that_says_no_and_then_yes_gets_it_once(place: Place, status: int) -> None:  # noqa: F811
    said: list[str] = []
    place.pacs.status = lambda one: said.append(str(one.SOPInstanceUID)) or status
    ready(place)
    for _ in range(2):
        assert deliver(place, "dicom").state == "pending"
    assert UsageEvent.objects.count() == 0
    place.pacs.status = lambda _one: 0x0000
    assert deliver(place, "dicom").state == "delivered"
    assert len(said) == 2
    assert [one.SOPInstanceUID for one in place.pacs.received] == said[:1]
    assert told_both(place)
