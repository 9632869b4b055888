"""What needs an administrator's eye: work that stands still, dead letters, silent peers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from hub.access import site_clause
from hub.models import Node, Site
from routing import retention
from routing.models import Breaker, Delivery, Message, SetAside, Study, Workitem
from routing.models.workitems import OPEN
from routing.pathway import ACTIVE
from routing.retention import Prospect

ROLES = ("administrator",)
SHOWN = 100
# a step that has not ended in this time stands still
PATIENCE = timedelta(minutes=15)
# how far back a peer is looked for before it counts as silent
MEMORY = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Heard:
    """One peer, when it last spoke or took something, and whether its circuit is open."""

    node: Node
    heard_at: datetime | None
    told_at: datetime | None
    pending: int
    dead: int
    open_until: datetime | None
    failures: int


def stuck_studies(user: Any) -> QuerySet[Study]:
    """Studies that were never closed, or closed and never matched, the oldest first."""
    ceiling = timezone.now() - timedelta(seconds=settings.HUB_CEILING_SECONDS) - PATIENCE
    still = Q(state=Study.State.RECEIVING, first_instance_at__lt=ceiling) & Q(
        last_instance_at__lt=ceiling
    )
    unmatched = Q(state=Study.State.COMPLETE, changed_at__lt=timezone.now() - PATIENCE)
    return (
        Study.objects.visible_to(user, roles=ROLES)
        .filter(still | unmatched)
        .select_related("site")
        .order_by("last_instance_at")
    )


def stuck_workitems(user: Any) -> QuerySet[Workitem]:
    """Workitems that failed on a study still to be read, wait for the host, or stand too long."""
    late = Q(state__in=ACTIVE, created_at__lt=timezone.now() - PATIENCE)
    failed = Q(state=Workitem.State.FAILED, study__is_read=False)
    held_up = ~Q(waits_for="")
    return (
        Workitem.objects.filter(site_clause(user, path="study__site", roles=ROLES))
        .filter(late | failed | held_up, state__in=OPEN)
        .select_related("study__site", "version__algorithm")
        .order_by("created_at")
    )


def dead_letters(user: Any) -> QuerySet[Delivery]:
    """Deliveries that were given up, the newest first."""
    return (
        Delivery.objects.filter(site_clause(user, path="workitem__study__site", roles=ROLES))
        .filter(state=Delivery.State.DEAD)
        .select_related("node", "workitem__study__site", "workitem__version__algorithm")
        .order_by("-pk")
    )


def set_aside(user: Any) -> QuerySet[SetAside]:
    """Input that could not be taken, the newest first."""
    return (
        SetAside.objects.visible_to(user, roles=ROLES)
        .select_related("site", "node", "study")
        .order_by("-at")
    )


def prospects(user: Any) -> list[Prospect]:
    """What retention will delete at the user's sites, and when."""
    return retention.prospects(Site.objects.visible_to(user, roles=ROLES))


def nodes(user: Any) -> list[Heard]:
    """Every peer of the user's sites, with when it was last heard and last told."""
    peers = (
        Node.objects.visible_to(user, roles=ROLES)
        .select_related("site")
        .annotate(
            sent_at=_latest(Study, "source", "last_instance_at"),
            wrote_at=_latest(Message, "node", "received_at"),
            told_at=_latest(Delivery, "node", "delivered_at"),
        )
    )
    breakers = {breaker.node_id: breaker for breaker in Breaker.objects.all()}
    waiting = _count(Delivery.State.PENDING)
    dead = _count(Delivery.State.DEAD)
    return [
        Heard(
            node=node,
            heard_at=_lately(node.sent_at) or _lately(node.wrote_at),
            told_at=_lately(node.told_at),
            pending=waiting.get(node.pk, 0),
            dead=dead.get(node.pk, 0),
            open_until=_open_until(breakers.get(node.pk)),
            failures=breakers[node.pk].failures if node.pk in breakers else 0,
        )
        for node in peers.order_by("site__name", "protocol", "code")
    ]


def _latest(rows: type[models.Model], by: str, column: str) -> Subquery:
    """The greatest of a node's times: the last entry of its part of an index."""
    known = rows._default_manager.filter(**{by: OuterRef("pk"), f"{column}__isnull": False})
    return Subquery(known.order_by(f"-{column}").values(column)[:1])


def _lately(moment: datetime | None) -> datetime | None:
    return moment if moment and moment >= timezone.now() - MEMORY else None


def _count(state: str) -> dict[int, int]:
    rows = Delivery.objects.filter(state=state).order_by()
    return dict(rows.values_list("node").annotate(Count("pk")))


def _open_until(breaker: Breaker | None) -> datetime | None:
    if breaker is None or breaker.open_until is None or breaker.open_until < timezone.now():
        return None
    return breaker.open_until
