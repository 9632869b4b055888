"""GPUs that algorithms and sites share: counted, kept for STAT, given up to it, and told about."""

from __future__ import annotations

import copy
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone, translation

from contracts.models import UsageEvent
from hub.models import Site
from hub.phrases import phrase, render
from marketplace.models import AlgorithmVersion
from routing import metrics, pathway, pools, standing
from routing.models import GpuPool, GpuShare, Priority, Study, Transition, Workitem
from routing.scheduling import MOST_PREEMPTIONS
from routing.slots import next_up
from routing.steps import collect as collect_step
from routing.steps import dispatch as step
from tests.builders import parties, worker, worklists
from tests.fakes.waiting import until
from tests.routing.conftest import Place
from tests.routing.test_dispatch import two_studies  # noqa: F401 (a fixture)


def needs_gpus(version: AlgorithmVersion, *, gpus: int = 1, **performer: Any) -> None:
    performer["resources"] = {"gpu": gpus}
    version.manifest["performer"] |= performer
    version.save()


def sister_of(version: AlgorithmVersion) -> AlgorithmVersion:
    """A second version of the algorithm, which takes the same GPUs."""
    manifest = copy.deepcopy(version.manifest) | {"version": "2.0.0"}
    return AlgorithmVersion.objects.create(
        algorithm=version.algorithm, version="2.0.0", manifest=manifest
    )


def waits(site: Site, version: AlgorithmVersion, *, minutes: float, **fields: Any) -> Workitem:
    priority = fields.pop("priority", Priority.ROUTINE)
    study = worklists.study_at(site, priority=priority)
    fields = {"dispatched_at": None, "finished_at": None} | fields
    item = worklists.workitem_on(study, version, state="entitled", **fields)
    came = timezone.now() - timedelta(minutes=minutes)
    Workitem.objects.filter(pk=item.pk).update(created_at=came, priority=priority)
    return Workitem.objects.get(pk=item.pk)


def start_all(version: AlgorithmVersion) -> list[Workitem]:
    """What starts now, one after the other; nothing really runs."""
    begun: list[Workitem] = []
    while True:
        with next_up(version.pk) as held:
            if held is None:
                return begun
            now = timezone.now()
            pathway.advance(held, "dispatched", why=phrase("starts"), dispatched_at=now)
            begun.append(held)


@pytest.fixture
def rows(db: None) -> parties.FirstSite:
    found = parties.first_site()
    needs_gpus(found.version, concurrency=9)
    worker.lose_everything()
    return found


def test_algorithms_share_the_gpus_and_the_part_kept_for_stat_is_kept(
    rows: parties.FirstSite,
) -> None:
    GpuPool.objects.create(code="main", size=3, stat_reserve=1)
    second = sister_of(rows.version)
    first = waits(rows.site, rows.version, minutes=9)
    other = waits(rows.site, second, minutes=8)
    waits(rows.site, rows.version, minutes=7)
    assert start_all(second) == [first, other]
    stat = waits(rows.site, rows.version, minutes=0, priority=Priority.STAT)
    assert start_all(second) == [stat]


def test_without_a_pool_gpus_are_not_counted(rows: parties.FirstSite) -> None:
    items = [waits(rows.site, rows.version, minutes=9 - n) for n in range(4)]
    second = waits(rows.site, sister_of(rows.version), minutes=9)
    assert start_all(rows.version) == items
    assert start_all(second.version) == [second]


def test_a_pool_of_other_ways_of_running_does_not_concern_it(rows: parties.FirstSite) -> None:
    GpuPool.objects.create(code="cluster", size=1, performers=["kubernetes"])
    items = [waits(rows.site, rows.version, minutes=9 - n) for n in range(2)]
    assert start_all(rows.version) == items


def test_a_pool_of_the_cluster_is_as_large_as_that_says(rows: parties.FirstSite) -> None:
    GpuPool.objects.create(code="cluster")
    assert pools.tell_size(2) == 1
    items = [waits(rows.site, rows.version, minutes=9 - n) for n in range(3)]
    assert start_all(rows.version) == items[:2]


def test_kueue_decides_where_it_is_set_up(rows: parties.FirstSite, settings: Any) -> None:
    settings.HUB_CLUSTER = {**settings.HUB_CLUSTER, "queue": "hub"}
    GpuPool.objects.create(code="main", size=1)
    needs_gpus(rows.version, kind="kubernetes", concurrency=1)
    items = [waits(rows.site, rows.version, minutes=9 - n) for n in range(3)]
    assert start_all(rows.version) == items


@pytest.mark.parametrize("size", [None, 1])
def test_one_trust_with_many_waiting_does_not_hold_up_another(
    rows: parties.FirstSite, size: int | None
) -> None:
    if size:
        GpuPool.objects.create(code="main", size=size)
    else:
        needs_gpus(rows.version, gpus=0, concurrency=1)
    for minute in range(8):
        waits(rows.site, rows.version, minutes=600 + minute)
    ended = {"dispatched_at": timezone.now() - timedelta(minutes=5), "finished_at": timezone.now()}
    study = worklists.study_at(rows.site)
    worklists.workitem_on(study, rows.version, state="written_back", **ended)
    mine = waits(rows.other_site, rows.version, minutes=0)
    assert start_all(rows.version) == [mine]


def test_a_site_gets_what_its_weight_says(rows: parties.FirstSite) -> None:
    pool = GpuPool.objects.create(code="main", size=4)
    GpuShare.objects.create(pool=pool, site=rows.other_site, weight=3)
    for minute in range(4):
        waits(rows.site, rows.version, minutes=20 + minute)
        waits(rows.other_site, rows.version, minutes=10 + minute)
    sites = [item.study.site.code for item in start_all(rows.version)]
    assert sorted(sites) == ["drammen", "nordbyhagen", "nordbyhagen", "nordbyhagen"]


def test_many_workers_at_once_start_no_more_than_there_are_gpus(
    transactional_db: None, rows: parties.FirstSite
) -> None:
    GpuPool.objects.create(code="main", size=3)
    second = sister_of(rows.version)
    for minute in range(8):
        waits(rows.site, rows.version if minute % 2 else second, minutes=minute)
    begun: list[Workitem] = []

    def work(version: AlgorithmVersion) -> None:
        try:
            begun.extend(start_all(version))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[one]) for one in [rows.version, second] * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == len({item.pk for item in begun}) == 3


# -- giving way ----------------------------------------------------------------------------------
def give_the_gpu_to_the_background(
    place: Place,
    two: tuple[Study, Study],
    *behaviour: str,
) -> tuple[Workitem, Workitem]:
    """One GPU, taken by a background study that runs; a STAT waits."""
    GpuPool.objects.create(code="main", size=1)
    place.algorithm_does(*behaviour)
    needs_gpus(place.rows.version)
    background, stat = two
    stat.workitems.update(state="matched")
    background.workitems.update(priority=Priority.LOW)
    step.dispatch(place.rows.version.pk)
    stat.workitems.update(state="entitled")
    assert background.workitems.get().state == "dispatched"
    worker.lose_everything()
    return background.workitems.get(), stat.workitems.get()


@pytest.fixture
def busy(place: Place, two_studies: tuple[Study, Study]) -> Place:  # noqa: F811
    give_the_gpu_to_the_background(place, two_studies, "slow", "60")
    return place


def test_a_background_run_gives_way_and_runs_again_and_is_billed_once(busy: Place) -> None:
    background, stat = Workitem.objects.order_by("study__pk")
    busy.algorithm_does("present")
    needs_gpus(busy.rows.version)
    step.dispatch(busy.rows.version.pk)
    asked = Workitem.objects.get(pk=background.pk)
    assert asked.preempt_at is not None
    assert Workitem.objects.get(pk=stat.pk).state == "entitled"
    busy.work()
    again = Workitem.objects.get(pk=background.pk)
    assert {again.state, Workitem.objects.get(pk=stat.pk).state} == {"written_back"}
    assert (again.runs, again.preemptions, again.attempts) == (1, 1, 0)
    assert again.preempt_at is None
    moves = Transition.objects.filter(to_state="dispatched").order_by("at", "pk")
    assert [move.workitem_id for move in moves] == [background.pk, stat.pk, background.pk]
    [why] = [move.why for move in Transition.objects.filter(from_state="dispatched")
             if move.to_state == "entitled"]  # fmt: skip
    assert render(why) == "gave its GPU to a STAT study; it runs again when one is free"
    assert UsageEvent.objects.count() == 2
    assert len(busy.pacs.received) == 2
    assert GpuPool.objects.get().preemptions == 1


def test_one_that_has_just_ended_is_kept_and_not_run_again(
    place: Place, two_studies: tuple[Study, Study]  # noqa: F811
) -> None:
    background, stat = give_the_gpu_to_the_background(place, two_studies, "present")
    until(lambda: _has_ended(background), "the run ends")
    step.dispatch(place.rows.version.pk)
    assert Workitem.objects.get(pk=background.pk).preempt_at is not None
    place.work()
    kept = Workitem.objects.get(pk=background.pk)
    assert {kept.state, Workitem.objects.get(pk=stat.pk).state} == {"written_back"}
    assert (kept.runs, kept.preemptions, kept.attempts) == (0, 0, 0)
    assert Transition.objects.filter(to_state="dispatched").count() == 2
    assert GpuPool.objects.get().preemptions == 0


def _has_ended(item: Workitem) -> bool:
    from routing import staging

    manifest = item.version.declared
    return staging.performer_of(manifest).poll(staging.run_of(item, manifest)).is_over


def test_one_that_gave_way_often_enough_is_let_run(busy: Place) -> None:
    background, stat = Workitem.objects.order_by("study__pk")
    Workitem.objects.filter(pk=background.pk).update(preemptions=MOST_PREEMPTIONS)
    step.dispatch(busy.rows.version.pk)
    assert Workitem.objects.get(pk=background.pk).preempt_at is None
    assert worker.take_nudges() == []
    assert Workitem.objects.get(pk=stat.pk).state == "entitled"
    _stop(background)


def test_a_worker_that_dies_before_it_stops_the_run_is_made_good(busy: Place) -> None:
    background, stat = Workitem.objects.order_by("study__pk")
    step.dispatch(busy.rows.version.pk)
    step.dispatch(busy.rows.version.pk)
    assert Workitem.objects.filter(preempt_at__isnull=False).count() == 1
    worker.lose_everything()
    collect_step.collect(Workitem.objects.get(pk=background.pk))
    assert Workitem.objects.get(pk=background.pk).state == "entitled"
    assert worker.take_nudges() == [("routing.tasks.dispatch", [busy.rows.version.pk])]
    step.dispatch(busy.rows.version.pk)
    assert Workitem.objects.get(pk=stat.pk).state == "dispatched"
    assert Workitem.objects.get(pk=background.pk).state == "entitled"
    _stop(stat)


def _stop(item: Workitem) -> None:
    from routing import staging

    staging.stop(Workitem.objects.get(pk=item.pk))


# -- what people are told ------------------------------------------------------------------------
def test_each_that_waits_is_told_its_place_and_who_has_the_gpus(rows: parties.FirstSite) -> None:
    GpuPool.objects.create(code="main", size=3, stat_reserve=1)
    for site in (rows.site, rows.other_site):
        waits(site, rows.version, minutes=30)
    assert len(start_all(rows.version)) == 2
    first = waits(rows.site, rows.version, minutes=20)
    second = waits(rows.site, rows.version, minutes=10)
    names = standing.names_for(rows.radiologist)
    said = standing.where([first, second], names=names)
    tail = "2 of 3 are in use by Drammen sykehus and other sites, and 1 are kept for STAT"
    assert str(said[first.pk]) == f"waits for a GPU: number 1 in the queue; {tail}"
    assert str(said[second.pk]) == f"waits for a GPU: number 2 in the queue; {tail}"
    with translation.override("nb"):
        assert str(said[first.pk]).startswith("venter på en GPU: nummer 1 i køen; 2 av 3")


def test_the_pages_show_the_queue_to_those_whom_it_concerns(rows: parties.FirstSite) -> None:
    GpuPool.objects.create(code="main", size=1)
    waits(rows.other_site, rows.version, minutes=30)
    assert len(start_all(rows.version)) == 1
    item = waits(rows.site, rows.version, minutes=20)
    client = Client()
    client.force_login(rows.administrator)
    operations = client.get("/operations/").content.decode()
    assert "waits for a GPU: number 1 in the queue" in operations
    assert item.study.accession_number in operations
    client.force_login(rows.radiologist)
    page = client.get(f"/studies/{item.study.uid}/").content.decode()
    assert "1 of 1 are in use by other sites" in page
    assert rows.other_site.name not in page
    client.force_login(rows.other_radiologist)
    assert client.get(f"/studies/{item.study.uid}/").status_code == 404


def test_an_administrator_of_one_site_sees_what_waits_there_alone(
    rows: parties.FirstSite,
) -> None:
    GpuPool.objects.create(code="main", size=1)
    theirs = waits(rows.other_site, rows.version, minutes=30)
    mine = waits(rows.site, rows.version, minutes=20)
    admin = parties.member("admin-drammen", role="administrator", site=rows.site)
    [shown] = standing.waiting(admin, roles=("administrator",))
    assert (shown.workitem, shown.number) == (mine, 2)
    assert theirs.study.accession_number not in str(shown.why)


def test_the_metrics_tell_of_queue_and_gpus(rows: parties.FirstSite) -> None:
    GpuPool.objects.create(code="main", size=4, preemptions=2)
    waits(rows.site, rows.version, minutes=30)
    assert len(start_all(rows.version)) == 1
    waits(rows.site, rows.version, minutes=30, priority=Priority.STAT)
    registry = metrics.registry()
    value = registry.get_sample_value
    assert value("routing_queue_length", {"priority": "STAT", "site": "drammen"}) == 1
    assert value("routing_gpus", {"pool": "main"}) == 4
    assert value("routing_gpus_in_use", {"pool": "main"}) == 1
    assert value("routing_preemptions_total", {"pool": "main"}) == 2
