"""Transactions that want the same rows take them in one order, so that none waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.db import connection

from hub.phrases import phrase
from routing import intake, mishaps, pathway, replay, review
from routing.models import Delivery, Order, Priority, Study, Workitem
from routing.order_nodes import OrderNodes
from routing.steps import entitle as entitle_step
from routing.steps import match as match_step
from routing.steps import write_back as step
from tests.builders import worker
from tests.builders.orders import order_message
from tests.builders.studies import head_ct
from tests.routing.conftest import Place
from tests.routing.test_at_once import two_results  # noqa: F401 (a fixture)

# Where a transaction stops until the other has come as far: once it has one row and wants another
LOCKS = ("FOR UPDATE", "FOR NO KEY UPDATE")


def side_by_side(*works: Callable[[], object], at: tuple[str, ...] = LOCKS) -> list[BaseException]:
    """Do all of it, each waiting before every statement like ``at`` that follows a write.

    SQLite lets one write at a time: there each goes on alone after a moment. What was raised.
    """
    faults: list[BaseException] = []
    meeting = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        try:
            with _stopping_once(meeting, at):
                work()
        except BaseException as fault:  # noqa: BLE001 (told to the test)
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return faults


@contextmanager
def _stopping_once(meeting: threading.Barrier, at: tuple[str, ...]) -> Iterator[None]:
    has_row = has_met = False

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal has_row, has_met
        is_lock = any(words in sql for words in at)
        if has_row and not has_met and (is_lock or sql.startswith('UPDATE "routing_study"')):
            has_met = True
            with suppress(threading.BrokenBarrierError):
                meeting.wait(0.7)
        result = execute(sql, params, many, context)
        has_row |= is_lock or sql.startswith(("UPDATE", "INSERT"))
        return result

    with connection.execute_wrapper(watch):
        yield


def released(item: Workitem) -> Workitem:
    return Workitem.objects.select_related("study__site", "version__algorithm").get(pk=item.pk)


def test_two_algorithms_of_one_study_are_entitled_at_once(
    place: Place, two_results: list[Workitem]  # noqa: F811
) -> None:
    Workitem.objects.update(state="matched")
    first, second = map(released, two_results)
    faults = side_by_side(
        lambda: entitle_step.entitle(first), lambda: entitle_step.entitle(second)
    )
    assert faults == []
    assert set(Workitem.objects.values_list("state", flat=True)) == {"entitled"}


def test_an_order_is_changed_while_a_critical_result_is_released(
    place: Place, two_results: list[Workitem]  # noqa: F811
) -> None:
    critical = released(two_results[0])
    change = intake.read(
        order_message(control="XO", priority="A", control_id="CHANGE"), "127.0.0.1",
        OrderNodes(),
    )
    faults = side_by_side(lambda: step._commit(critical, []), lambda: intake.record([change]))
    assert faults == []
    assert Order.objects.get().priority == Priority.HIGH
    assert Delivery.objects.filter(kind="priority").count() == 1
    assert place.study.priority == Priority.STAT


def test_an_order_is_changed_while_an_algorithm_is_entitled(
    place: Place, two_results: list[Workitem]  # noqa: F811
) -> None:
    Workitem.objects.update(state="matched")
    first = released(two_results[0])
    change = intake.read(
        order_message(control="XO", priority="S", control_id="CHANGE"), "127.0.0.1",
        OrderNodes(),
    )
    faults = side_by_side(lambda: entitle_step.entitle(first), lambda: intake.record([change]))
    assert faults == []
    assert set(Workitem.objects.values_list("priority", flat=True)) == {Priority.STAT}


def test_a_result_is_rejected_while_another_is_released(
    place: Place, two_results: list[Workitem]  # noqa: F811
) -> None:
    critical, other = map(released, two_results)
    step._commit(critical, [])
    faults = side_by_side(
        lambda: review.reject(critical, by=place.rows.radiologist),
        lambda: step._commit(other, []),
    )
    assert faults == []
    assert set(Workitem.objects.values_list("state", flat=True)) == {"rejected", "writing_back"}
    assert Order.objects.get().raised_to is None


@pytest.mark.parametrize("what", ["entitle", "break", "keep", "replay"])
def test_a_workitem_moves_while_its_study_is_matched_anew(
    place: Place, two_results: list[Workitem], what: str  # noqa: F811
) -> None:
    states = {"entitle": "matched", "break": "matched", "keep": "collected", "replay": "failed"}
    Workitem.objects.update(state=states[what], attempts=mishaps.MOST_TRIES)
    made = head_ct(slices=13)
    place.send(made[12:])
    place.work(until=lambda: place.study.state == "complete")
    worker.lose_everything()
    item = released(two_results[0])
    moves: dict[str, Callable[[], object]] = {
        "entitle": lambda: entitle_step.entitle(item),
        "break": lambda: mishaps.of_workitem(item.pk, step="entitle", fault=ValueError()),
        "keep": lambda: step._keep(item, "failed", phrase("the end")),
        "replay": lambda: replay.replay_workitem(item, by="admin"),
    }
    study = Study.objects.select_related("site", "order", "source").get()
    faults = side_by_side(moves[what], lambda: match_step.match(study))
    assert [fault for fault in faults if not isinstance(fault, pathway.Overtaken)] == []
    place.time_passes()
    place.time_passes()
    assert Workitem.objects.filter(state="superseded").count() == 2
    assert place.study.state == "matched"
