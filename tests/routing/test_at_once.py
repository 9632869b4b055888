"""Two workers at the same moment, each in a transaction that does not see the other's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from contracts.models import UsageEvent
from hub.phrases import phrase
from routing import intake, lease, pathway, settling, taking_in
from routing.models import Delivery, Order, Priority, Study, Workitem
from routing.order_nodes import OrderNodes
from routing.register import record
from routing.steps import match as match_step
from routing.steps import write_back as step
from tests.builders import parties, worker
from tests.builders.orders import order_message
from tests.builders.studies import head_ct
from tests.builders.worklists import ICH
from tests.routing.conftest import Place
from tests.routing.test_receive import arrival


def at_once(first: Callable[[], object], second: Callable[[], object]) -> list[BaseException]:
    """Do both, the second while the first has not committed; what was raised."""
    is_done, faults = threading.Event(), []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as fault:  # noqa: BLE001 (told to the test)
            faults.append(fault)
        finally:
            connection.close()

    def slowly() -> None:
        with transaction.atomic():
            first()
            is_done.set()
            time.sleep(0.4)

    threads = [threading.Thread(target=run, args=(work,)) for work in (slowly, second)]
    threads[0].start()
    assert is_done.wait(10)
    threads[1].start()
    for thread in threads:
        thread.join(20)
    return faults


@pytest.fixture
def two_results(place: Place) -> list[Workitem]:
    """A critical and a negative result on one study, both ready to be released."""
    rows = place.rows
    second = parties.algorithm_version("ich-second", name="Second ICH")
    parties.price_of(second.algorithm, under=rows.framework)
    parties.line_of(rows.call_off, algorithm=second.algorithm, site=rows.site)
    parties.deployment_of(second, site=rows.site)
    parties.rule_for(second.algorithm, site=rows.site, code="second")
    place.order(order_message())
    place.algorithm_does("absent")
    second.manifest = rows.version.manifest | {"algorithm": "ich-second"}
    second.save()
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="matched").count() == 2)
    worker.lose_everything()
    items = list(Workitem.objects.order_by("pk"))
    for item, status in zip(items, ("present", "absent"), strict=True):
        item.line = rows.call_off.lines.get(algorithm=item.version.algorithm_id)
        item.purpose, item.write_back_mode, item.state = "clinical", "automatic", "collected"
        item.save()
        item.findings.create(
            ordinal=0, code=ICH, status=status, urgency="stat", is_critical=status == "present"
        )
    return items


def test_two_results_released_at_once_both_count(
    place: Place, two_results: list[Workitem]
) -> None:
    critical, negative = two_results
    faults = at_once(lambda: step._commit(critical, []), lambda: step._commit(negative, []))
    assert faults == []
    assert place.study.priority == Priority.STAT
    assert Delivery.objects.filter(kind="priority").count() == 1


def test_two_critical_results_at_once_raise_the_order_once(
    place: Place, two_results: list[Workitem]
) -> None:
    for item in two_results:
        item.findings.update(status="present", is_critical=True)
    first, second = two_results
    assert at_once(lambda: step._commit(first, []), lambda: step._commit(second, [])) == []
    assert Delivery.objects.filter(kind="priority").count() == 1
    assert Order.objects.get().raised_to == Priority.STAT


def test_an_order_that_comes_while_a_result_is_released_is_raised(
    place: Place, two_results: list[Workitem]
) -> None:
    Study.objects.update(order=None)
    Order.objects.all().delete()
    critical = Workitem.objects.select_related("study__site", "study__order").get(
        pk=two_results[0].pk
    )
    order = intake.read(order_message(), "127.0.0.1", OrderNodes())
    faults = at_once(lambda: step._commit(critical, []), lambda: intake.record([order]))
    assert faults == []
    assert place.study.order == Order.objects.get()
    assert Delivery.objects.filter(kind="priority").count() == 1


def test_an_order_and_its_study_that_come_at_once_find_each_other(place: Place) -> None:
    order = intake.read(order_message(priority="S"), "127.0.0.1", OrderNodes())
    arrivals = [arrival(place, one) for one in head_ct()]
    assert at_once(lambda: record(arrivals), lambda: intake.record([order])) == []
    place.work()
    assert place.study.order == Order.objects.get()
    assert place.workitem.priority == Priority.STAT
    assert len(place.ris.of_type("OMI^O23")) == 0


def test_one_study_that_comes_by_two_associations_at_once_is_one_study(place: Place) -> None:
    made = [arrival(place, one) for one in head_ct()]
    assert at_once(lambda: record(made[:6]), lambda: record(made[6:])) == []
    taking_in.take_in_all()
    assert place.study.instance_count == 12
    (series,) = place.study.series.all()
    assert series.instance_count == 12


def test_an_instance_that_comes_while_its_study_is_matched_opens_a_revision(
    place: Place,
) -> None:
    made = head_ct(slices=13)
    place.send(made[:12])
    place.work(until=lambda: place.study.state == "complete")
    worker.lose_everything()
    late = arrival(place, made[12])
    study = place.study
    faults = at_once(lambda: match_step.match(study), lambda: record([late]))
    assert faults == []
    assert (place.study.state, place.study.revision) == ("receiving", 2)
    place.time_passes()
    standing = Workitem.objects.exclude(state="superseded").get()
    assert standing.input_instances().count() == 13


def test_the_last_two_deliveries_that_end_at_once_end_the_workitem(place: Place) -> None:
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="writing_back").exists())
    worker.lose_everything()
    held = [lease.take(one, states=("pending",)) for one in Delivery.objects.order_by("pk")]
    first, second = (one for one in held if one is not None)
    why = phrase("it has it")
    faults = at_once(
        lambda: settling.delivered([(first, "")], why=why),
        lambda: settling.delivered([(second, "")], why=why),
    )
    assert faults == []
    assert place.workitem.state == "written_back"
    assert UsageEvent.objects.count() == 1


def test_two_workers_that_want_one_row_never_both_get_it(place: Place) -> None:
    place.send(head_ct())
    place.work(until=lambda: Workitem.objects.filter(state="matched").exists())
    item, got = place.workitem, []

    def take() -> None:
        got.append(lease.take(item, states=("matched",)))

    assert at_once(take, take) == []
    assert [one is None for one in got] == [False, True]
    mine = next(one for one in got if one is not None)
    pathway.advance(mine, "failed", why=phrase("the end"))
