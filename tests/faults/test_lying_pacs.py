"""A PACS that answers Success and stores nothing is found out where the set-up has it asked.

Judged by what the PACS was sent and has, what the RIS was told, and what is billed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from contracts.models import UsageEvent
from routing import outbox, replay
from routing.models import Breaker, Delivery
from tests.builders import worker
from tests.builders.orders import order_message
from tests.builders.studies import head_ct
from tests.fakes.lying_pacs import LyingPacs
from tests.faults.trusts import evidence
from tests.routing.conftest import Place, place  # noqa: F401 (a fixture)

MOST_TRIES = 8


@pytest.fixture(autouse=True)
def no_second_try_by_itself(place: Place, settings: Any) -> None:  # noqa: F811
    settings.HUB_RETRY_SECONDS = 60.0


@pytest.fixture
def pacs(place: Place) -> Iterator[LyingPacs]:  # noqa: F811
    """The PACS of the place, which is asked for what it was sent."""
    liar = LyingPacs()
    asks(place, liar)
    yield liar
    liar.close()


def asks(place: Place, liar: LyingPacs) -> None:  # noqa: F811
    """Have the hub send to it, and ask it."""
    node = place.rows.pacs
    node.port, node.confirm = liar.port, "query"
    node.save()


def bring(place: Place, pacs: LyingPacs) -> None:  # noqa: F811
    """A study, until its report was sent once and its RIS was told."""
    place.order(order_message())
    place.send(head_ct())
    place.work(until=lambda: bool(pacs.received) and bool(place.results()))


def try_again(place: Place) -> None:  # noqa: F811
    """Let it be time for the next try of what is not delivered."""
    worker.lose_everything()
    Delivery.objects.filter(state="pending").update(due_at=None)
    Breaker.objects.update(open_until=None)
    outbox.deliver(place.rows.pacs)


def has_one_report(pacs: LyingPacs) -> bool:
    """Whether it has one, of all instances, and was never sent another."""
    (report,) = pacs.held.values()
    assert {one.to_json() for one in pacs.received} == {report.to_json()}
    return len(evidence(report)) == len(head_ct())


def was_told_and_billed_once(place: Place) -> bool:  # noqa: F811
    """Whether the RIS has one result under one name, and one use of it is billed."""
    results = place.ris.of_type("ORU^R01")
    assert len({one.segment("MSH").value(10) for one in results}) == 1
    assert place.results() == ["P"]
    return UsageEvent.objects.count() == 1


def shown_to_administrator(place: Place) -> str:  # noqa: F811
    client = Client()
    client.force_login(place.rows.administrator)
    return client.get("/operations/").content.decode()


def test_what_is_not_there_is_sent_again_until_it_is(place: Place, pacs: LyingPacs) -> None:  # noqa: F811
    pacs.lies = 1
    bring(place, pacs)
    try_again(place)
    try_again(place)
    assert len(pacs.received) == 2
    assert has_one_report(pacs)
    assert was_told_and_billed_once(place)


def test_one_that_never_stores_is_told_to_an_administrator(place: Place, pacs: LyingPacs) -> None:  # noqa: F811
    """Who may send it again once it stores: then it has it, and nobody is billed a second time."""
    pacs.lies = 1000
    bring(place, pacs)
    for _ in range(MOST_TRIES):
        try_again(place)
    assert len(pacs.received) == MOST_TRIES
    assert pacs.held == {}
    assert "1 of 1 objects are not there" in shown_to_administrator(place)
    assert was_told_and_billed_once(place)
    pacs.lies = 0
    try_again(place)
    assert pacs.held == {}, "nobody asked for that"
    replay.replay_delivery(Delivery.objects.get(kind="dicom"), by=place.rows.administrator)
    try_again(place)
    assert has_one_report(pacs)
    assert was_told_and_billed_once(place)


def test_one_that_cannot_be_asked_is_not_taken_at_its_word(place: Place) -> None:  # noqa: F811
    liar = LyingPacs(answers_queries=False)
    asks(place, liar)
    bring(place, liar)
    try_again(place)
    # It is sent again, under the one name, and so a PACS has it once.
    assert len(liar.received) > 1
    assert has_one_report(liar)
    assert was_told_and_billed_once(place)
    liar.close()
