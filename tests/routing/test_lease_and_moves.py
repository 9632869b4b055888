"""A lease ends with the move that it was taken for, and never comes back to life."""

from __future__ import annotations

import time
from typing import Any

from hub.phrases import phrase
from routing import lease, pathway
from routing.models import Workitem
from tests.builders.studies import head_ct, send
from tests.routing.conftest import Place


def _running(place: Place) -> Workitem:
    send(place.rows.pacs, head_ct())
    place.work()
    Workitem.objects.update(state="dispatched", lease_owner="", lease_until=None)
    return Workitem.objects.get()


def test_the_next_step_may_take_a_row_while_the_last_one_still_tidies_up(place: Place) -> None:
    item = _running(place)
    with lease.hold(item, states=("dispatched",)) as held:
        assert held is not None
        pathway.advance(held, "collected", why=phrase("done"))
        with lease.hold(item, states=("collected",)) as next_one:
            assert next_one is not None
            assert next_one.fence == held.fence + 1


def test_the_heartbeat_of_a_lease_that_ended_does_not_take_it_again(
    place: Place, settings: Any
) -> None:
    settings.HUB_LEASE_SECONDS = 0.06
    item = _running(place)
    with lease.hold(item, states=("dispatched",)) as held:
        assert held is not None
        pathway.advance(held, "collected", why=phrase("done"))
        time.sleep(0.2)
        item.refresh_from_db()
        assert (item.lease_owner, item.lease_until) == ("", None)
