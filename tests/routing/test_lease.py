"""A worker holds a row, loses it when it dies, and cannot do harm when it comes back."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from hub.phrases import phrase
from routing import lease, pathway
from routing.models import Workitem
from routing.pathway import MoveRefused, Overtaken
from tests.builders import parties, worklists


@pytest.fixture
def item(transactional_db: None) -> Workitem:
    rows = parties.first_site()
    study = worklists.study_at(rows.site)
    return worklists.workitem_on(study, rows.version, state="collected")


def again(item: Workitem) -> Workitem:
    return Workitem.objects.get(pk=item.pk)


def test_what_one_worker_holds_no_other_gets(item: Workitem) -> None:
    with lease.hold(item, states=("collected",)) as held:
        assert held is not None
        assert again(item).lease_owner == lease.owner()
        with lease.hold(item, states=("collected",)) as second:
            assert second is None
    assert again(item).lease_until is None
    with lease.hold(item, states=("collected",)) as third:
        assert third is not None
        assert third.fence == 2


def test_a_row_in_another_state_is_not_taken(item: Workitem) -> None:
    with lease.hold(item, states=("dispatched",)) as held:
        assert held is None
    assert again(item).fence == 0


def test_the_lease_of_a_dead_worker_runs_out_and_its_late_write_is_a_no_op(
    item: Workitem,
) -> None:
    dead = lease.take(item, states=("collected",))
    assert dead is not None
    Workitem.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    alive = lease.take(item, states=("collected",))
    assert alive is not None
    with pytest.raises(Overtaken):
        pathway.advance(dead, "held", why=phrase("too late"))
    assert again(item).state == "collected"
    assert item.transitions.count() == 0
    pathway.advance(alive, "held", why=phrase("in time"))
    assert again(item).state == "held"


def test_a_dead_worker_that_comes_back_does_not_give_anothers_lease_away(item: Workitem) -> None:
    with lease.hold(item, states=("collected",)) as held:
        assert held is not None
        Workitem.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        alive = lease.take(item, states=("collected",))
        assert alive is not None
    assert again(item).lease_until == alive.lease_until


def test_a_heartbeat_keeps_the_lease_for_as_long_as_the_work_takes(
    item: Workitem, settings: Any
) -> None:
    settings.HUB_LEASE_SECONDS = 0.6
    with lease.hold(item, states=("collected",)) as held:
        assert held is not None
        time.sleep(1.0)
        assert lease.take(item, states=("collected",)) is None
    assert lease.take(item, states=("collected",)) is not None


def test_a_database_that_is_away_for_a_moment_does_not_end_the_heartbeat(item: Workitem) -> None:
    assert lease._is_renewed(Workitem.objects.using("a database that is away"))
    assert not lease._is_renewed(Workitem.objects.filter(fence=99))


def test_a_step_that_raises_gives_its_lease_back(item: Workitem) -> None:
    with pytest.raises(RuntimeError), lease.hold(item, states=("collected",)):
        raise RuntimeError
    assert again(item).lease_until is None


def test_a_move_that_is_not_in_the_table_is_refused_in_words(item: Workitem) -> None:
    with pytest.raises(MoveRefused, match='at "Collected", from where "Matched" is not'):
        pathway.advance(item, "matched", why=phrase("no"))
    assert again(item).state == "collected"


def test_of_two_that_move_from_the_same_view_one_wins(item: Workitem) -> None:
    first, second = again(item), again(item)
    pathway.advance(first, "held", why=phrase("first"))
    with pytest.raises(Overtaken):
        pathway.advance(second, "failed", why=phrase("second"))
    assert again(item).state == "held"
    assert item.transitions.count() == 1


def test_every_state_is_in_the_table_and_every_move_leads_to_one() -> None:
    for model, moves in pathway.MOVES.items():
        assert set(moves) == {state.value for state in model.State}
        assert {to for targets in moves.values() for to in targets} <= set(moves)
