"""The hub's numbers for Prometheus, read from the database when they are asked for.

Computed on scrape, so that every process tells the same, and a restart loses nothing. What is over
is not counted row by row but told by the moves that led there (tallying.py): a scrape reads what
is open, however much there was. Labels are codes of sites, algorithms and nodes; nothing tells of
a patient.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Count, Min, QuerySet
from django.utils import timezone
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from routing import places, standing, tallying, uploading
from routing.models import Arrived, Breaker, Delivery, Priority, SetAside, Study, Workitem
from routing.models.workitems import OPEN
from routing.pathway import ACTIVE

# step: the kind of row, the states in which it is through, and what it is told apart by
STEPS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "complete": ("study", ("complete",), "site"),
    "match": ("study", ("matched",), "site"),
    "entitle": ("workitem", ("entitled", "refused"), "algorithm"),
    "dispatch": ("workitem", ("dispatched",), "algorithm"),
    "collect": ("workitem", ("collected",), "algorithm"),
    "write_back": ("workitem", ("writing_back", "held", "withheld"), "algorithm"),
    "deliver": ("delivery", ("delivered",), "node"),
}


class RoutingCollector(Collector):
    """How many studies, Workitems and Deliveries stand where, and for how long."""

    def collect(self) -> Iterator[Metric]:
        """One family after the other, each from one question to the database."""
        yield _counted(
            "routing_studies", "Studies that are not matched yet, by site and state.",
            Study.objects.exclude(state=Study.State.MATCHED), site="site__code", state="state",
        )
        yield _counted(
            "routing_studies_to_read", "Studies that wait for a reader, by what AI has done.",
            Study.objects.unread(), site="site__code", ai_state="ai_state",
        )
        yield _counted(
            "routing_workitems", "Workitems that are not over, by algorithm and state.",
            Workitem.objects.filter(state__in=OPEN),
            algorithm="version__algorithm__code", state="state",
        )
        yield _counted(
            "routing_workitems_held_up",
            "Workitems that wait for room, for a container engine or for the object store.",
            Workitem.objects.filter(state__in=OPEN).exclude(waits_for=""), waits_for="waits_for",
        )
        yield _queue()
        yield from _gpus()
        yield from _backlog()
        yield _counted(
            "routing_inbox_instances", "Instances received and not part of their study yet.",
            Arrived.objects.all(), site="site__code",
        )
        yield _counted(
            "routing_deliveries", "Deliveries not made yet, by node and state; dead: dead letters.",
            Delivery.objects.filter(state__in=[Delivery.State.PENDING, Delivery.State.DEAD]),
            node="node__code", state="state",
        )
        yield _counted(
            "routing_set_aside", "Input that could not be taken, by protocol.",
            SetAside.objects.all(), protocol="protocol",
        )
        yield from _moves()
        yield _ages()
        yield _breakers()
        yield from _free_bytes()


def registry() -> CollectorRegistry:
    """A fresh registry with the hub's numbers and nothing of this one process."""
    made = CollectorRegistry(auto_describe=False)
    made.register(RoutingCollector())
    return made


def _counted(name: str, words: str, rows: QuerySet[Any], **labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=list(labels))
    for *values, count in rows.order_by().values_list(*labels.values()).annotate(Count("pk")):
        family.add_metric([str(value) for value in values], count)
    return family


def _queue() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "routing_queue_length", "Workitems that wait for their turn, by priority and site.",
        labels=["priority", "site"],
    )  # fmt: skip
    rows = Workitem.objects.filter(state=Workitem.State.ENTITLED).order_by()
    for priority, site, count in rows.values_list("priority", "study__site__code").annotate(
        Count("pk")
    ):
        family.add_metric([Priority(priority).name, site], count)
    return family


def _gpus() -> Iterator[Metric]:
    sizes = GaugeMetricFamily("routing_gpus", "GPUs of a pool.", labels=["pool"])
    used = GaugeMetricFamily("routing_gpus_in_use", "GPUs that runs hold.", labels=["pool"])
    gone = CounterMetricFamily(
        "routing_preemptions", "Runs that gave way to a STAT.", labels=["pool"]
    )
    for one in standing.pools_now():
        if one.gpus is not None:
            sizes.add_metric([one.pool.code], one.gpus)
        used.add_metric([one.pool.code], one.used)
        gone.add_metric([one.pool.code], one.pool.preemptions)
    yield from (sizes, used, gone)


def _moves() -> Iterator[Metric]:
    """How often rows came to each state, and for each step how long it took."""
    totals = tallying.totals()
    family = CounterMetricFamily(
        "routing_moves", "Moves of rows, by kind of row and the state reached.",
        labels=["kind", "state"],
    )  # fmt: skip
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for (kind, _label, state), found in totals.items():
        counts[kind, state] += found.count
    for labels, count in sorted(counts.items()):
        family.add_metric(labels, count)
    yield family
    for step, (kind, states, label) in STEPS.items():
        yield _durations(step, totals, kind=kind, states=states, label=label)


def _durations(
    step: str, totals: dict[tallying.Key, tallying.Sum], *, kind: str, states: tuple[str, ...],
    label: str,
) -> Metric:  # fmt: skip
    family = HistogramMetricFamily(
        f"routing_{step}_seconds", f"From being due for {step} to being through.", labels=[label]
    )
    by_label: dict[str, tallying.Sum] = defaultdict(tallying.Sum)
    for (its_kind, name, state), found in totals.items():
        if its_kind == kind and state in states:
            by_label[name].add(found)
    ends = [*map(str, tallying.BUCKETS), "+Inf"]
    for name, found in sorted(by_label.items()):
        counts = list(accumulate(found.buckets))
        family.add_metric([name], list(zip(ends, counts, strict=True)), found.seconds)
    return family


def _backlog() -> Iterator[GaugeMetricFamily]:
    """What waits on the disks of hosts for the object store; 0 where there is none."""
    count, seconds = uploading.backlog()
    for name, words, value in (
        ("hub_storage_backlog_files", "Files that are not in the object store yet.", count),
        ("hub_storage_backlog_seconds", "For how long the oldest of them is waiting.", seconds),
    ):
        family = GaugeMetricFamily(name, words)
        family.add_metric([], value)
        yield family


def _ages() -> GaugeMetricFamily:
    """How long the oldest row of each kind has waited for the hub itself; 0 where none waits."""
    family = GaugeMetricFamily(
        "routing_oldest_pending_seconds", "Age of the oldest row that waits.", labels=["kind"]
    )
    receiving = Study.objects.exclude(state=Study.State.MATCHED)
    active = Workitem.objects.filter(state__in=ACTIVE)
    pending = Delivery.objects.filter(state=Delivery.State.PENDING)
    for kind, rows, column in (
        ("instance", Arrived.objects.all(), "received_at"),
        ("study", receiving, "last_instance_at"),
        ("workitem", active, "created_at"),
        ("delivery", pending, "created_at"),
    ):
        family.add_metric([kind], _age(rows.aggregate(oldest=Min(column))["oldest"]))
    return family


def _age(since: datetime | None) -> float:
    return max((timezone.now() - since).total_seconds(), 0.0) if since else 0.0


def _breakers() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "routing_breaker_open", "1 while nothing is sent to a node.", labels=["node"]
    )
    for code, until in Breaker.objects.values_list("node__code", "open_until"):
        family.add_metric([code], float(until is not None and until > timezone.now()))
    return family


def _free_bytes() -> Iterator[GaugeMetricFamily]:
    where = urlsplit(settings.HUB_STORAGE_URL)
    # With an object store, the room of what is on its way there.
    folder = Path(where.path) if where.scheme == "file" else places.work_root().parent
    if folder.exists():
        family = GaugeMetricFamily("hub_storage_free_bytes", "Room left for instances.")
        family.add_metric([], shutil.disk_usage(folder).free)
        yield family
