"""What has been kept for as long as its site wants it, by kind; deletes nothing itself.

A site says for how many days each kind is kept; what it does not say is kept for ever. A study is
over when nothing of it is under way; its days count from the last that happened to it. One that
nobody marked as read goes by ``unread``, one that somebody should have looked at by ``unresolved``:
to be read and to be done something about is worth more than room on a disk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from hub.models import AuditEvent, Site
from routing.models import Arrived, Delivery, Message, Order, SetAside, Study, Transition, Workitem
from routing.pathway import ACTIVE

READ, UNREAD, UNRESOLVED = "studies", "unread", "unresolved"
STUDIES = (READ, UNREAD, UNRESOLVED)
SET_ASIDE, ORDERS, MESSAGES, AUDIT = "set_aside", "orders", "messages", "audit"
KINDS = {
    READ: _("Studies that were read"),
    UNREAD: _("Studies that nobody marked as read"),
    UNRESOLVED: _("Studies with a result or a dead letter that waits for somebody"),
    SET_ASIDE: _("Set aside"),
    ORDERS: _("Orders without a study"),
    MESSAGES: _("HL7 messages"),
    AUDIT: _("Audit trail"),
}
SOON = timedelta(days=7)
# so many are counted, and no more
MOST_COUNTED = 1000


@dataclass(frozen=True, slots=True)
class Prospect:
    """What will go of one kind at one site: at the next run, and in the seven days after it.

    Counts stop at MOST_COUNTED + 1. ``on_hold`` would go now, were it not on legal hold.
    """

    site: Site
    kind: str
    days: int
    now: int
    soon: int
    on_hold: int

    @property
    def label(self) -> str:
        """The kind, in words."""
        return str(KINDS[self.kind])


def cutoff(site: Site | None, kind: str, *, at: datetime) -> datetime | None:
    """What is older goes; None where it is kept for ever.

    What belongs to no site is kept as long as the site keeps it that keeps it longest.
    """
    if site is not None:
        days = site.retention.get(kind)
    else:
        said = [one.retention.get(kind) for one in Site.objects.all()]
        days = max(said, default=None) if None not in said else None
    return None if days is None else at - timedelta(days=days)


def due(site: Site | None, kind: str, *, at: datetime) -> QuerySet[Any]:
    """The rows that have been kept long enough at a moment, the oldest first."""
    before = cutoff(site, kind, at=at)
    rows, column = _ROWS[kind](site), _AGE[kind]
    if before is None:
        return rows.none()
    if kind in STUDIES:
        rows = rows.filter(~_happened_since(before), changed_at__lt=before, is_on_legal_hold=False)
    return rows.filter(**{f"{column}__lt": before}).order_by(column, "pk")


def prospects(sites: QuerySet[Site]) -> list[Prospect]:
    """What will go when, for each site and kind that has a period."""
    now = timezone.now()
    return [
        Prospect(site, kind, days, *_counts(site, kind, now))
        for site in sites.exclude(retention={}).order_by("name")
        for kind in KINDS
        if (days := site.retention.get(kind)) is not None
    ]


def _counts(site: Site, kind: str, now: datetime) -> tuple[int, int, int]:
    before = cutoff(site, kind, at=now)
    held = 0
    if kind in STUDIES:
        rows = _ROWS[kind](site).filter(is_on_legal_hold=True, last_instance_at__lt=before)
        held = _count(rows.filter(~_happened_since(before), changed_at__lt=before))
    at_once = _count(due(site, kind, at=now))
    return at_once, _count(due(site, kind, at=now + SOON)) - at_once, held


def _count(rows: QuerySet[Any]) -> int:
    return int(rows.order_by()[: MOST_COUNTED + 1].count())


def _over(site: Site | None) -> QuerySet[Study]:
    """Studies of which nothing is under way; nothing is decided about their age."""
    of_study = OuterRef("pk")
    working = Workitem.objects.filter(study=of_study, state__in=ACTIVE)
    telling = Delivery.objects.filter(workitem__study=of_study).filter(
        Q(state=Delivery.State.PENDING) | Q(lease_until__gt=timezone.now())
    )
    return Study.objects.filter(
        ~Exists(working), ~Exists(telling),
        ~Exists(Arrived.objects.filter(study=of_study)),
        site=site, state=Study.State.MATCHED,
    )  # fmt: skip


def _waits_for_somebody() -> Q:
    states = (Workitem.State.HELD, Workitem.State.FAILED)
    items = Workitem.objects.filter(study=OuterRef("pk"), state__in=states)
    letters = Delivery.objects.filter(workitem__study=OuterRef("pk"), state=Delivery.State.DEAD)
    return Q(Exists(items)) | Q(Exists(letters))


def _happened_since(moment: datetime | None) -> Exists:
    return Exists(Transition.objects.filter(study=OuterRef("pk"), at__gte=moment))


def _read(site: Site | None) -> QuerySet[Study]:
    is_read = Q(is_read=True) | Q(has_images=False)
    return _over(site).filter(is_read).exclude(_waits_for_somebody())


def _unread(site: Site | None) -> QuerySet[Study]:
    return _over(site).filter(is_read=False, has_images=True).exclude(_waits_for_somebody())


def _unresolved(site: Site | None) -> QuerySet[Study]:
    return _over(site).filter(_waits_for_somebody())


def _set_aside(site: Site | None) -> QuerySet[SetAside]:
    return SetAside.objects.filter(site=site).exclude(study__is_on_legal_hold=True)


_ROWS: dict[str, Callable[[Site | None], QuerySet[Any]]] = {
    READ: _read,
    UNREAD: _unread,
    UNRESOLVED: _unresolved,
    SET_ASIDE: _set_aside,
    ORDERS: lambda site: Order.objects.filter(site=site, studies=None),
    MESSAGES: lambda site: Message.objects.filter(node__site=site),
    AUDIT: lambda site: AuditEvent.objects.filter(site=site),
}
_AGE = {
    **dict.fromkeys(STUDIES, "last_instance_at"), SET_ASIDE: "at", ORDERS: "updated_at",
    MESSAGES: "received_at", AUDIT: "at",
}  # fmt: skip
