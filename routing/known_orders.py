"""The orders that messages speak of, and the studies they may touch: read once, locked in order.

However many messages are taken together, it is one query for the orders and one for the studies of
each site; the studies are locked first (StudyQuerySet.lock). Where what_to_look_for() found neither
an order nor a study, as is usual with new orders, it is none.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from django.db import connection
from django.db.models import Q, QuerySet

from hub.hl7.content import OrderContent
from hub.models import Node, Site
from routing.looking_up import Wanted, is_any_known
from routing.models import Order, Study

Said = tuple[OrderContent, Node]


class KnownOrders:
    """What is known of the orders in ``said``; made and used inside one transaction."""

    def __init__(
        self, said: Sequence[Said], *, are_orders: bool = True, are_studies: bool = True
    ) -> None:
        """``are_orders``, ``are_studies``: whether what_to_look_for() found any of them."""
        self._are_orders, self._are_studies = are_orders, are_studies
        # by site, in order of the key, then as they came
        self._orders: dict[int, list[Order]] = {}
        # (site, what names a study)
        self._studies: set[tuple[int, str]] = set()
        self._linked: set[int] = set()
        self._have_moved = False
        by_site = _by_site(said)
        for site in sorted(by_site, key=lambda one: one.pk):
            self._read(site, by_site[site])

    def of(self, content: OrderContent, site: Site) -> list[Order]:
        """The orders a message speaks of; a cancellation may give no more than an order number."""
        own = key_of(content)
        return [
            order
            for order in self._orders[site.pk]
            if not _are_of_others(order, content)
            and (order.key == own or (_shares_number(order, content) and _agree(order, content)))
        ]

    def free_key(self, content: OrderContent, site: Site) -> str:
        """What a new order is kept under: its issuer tells it from another's of the same number."""
        key = key_of(content)
        if all(order.key != key for order in self._orders[site.pk]):
            return key
        issuers = f"{content.filler_issuer}~{content.placer_issuer}"
        return f"{key[:160]}/{hashlib.sha256(issuers.encode()).hexdigest()[:32]}"

    def add(self, order: Order) -> None:
        """An order that is new: a later message may speak of it."""
        self._orders[order.site_id].append(order)

    def has_study(self, order: Order) -> bool:
        """Whether a study is there that the order has, names, or shares its number with."""
        names = (_uid(order.study_instance_uid), _number(order.accession_number))
        is_named = any((order.site_id, name) in self._studies for name in names)
        return self._have_moved or order.pk in self._linked or is_named

    def expect_moved_studies(self) -> None:
        """Trust no more which order has which study: some were linked anew."""
        self._have_moved = True

    def _read(self, site: Site, contents: Sequence[OrderContent]) -> None:
        self._orders[site.pk] = []
        if self._are_orders:
            self._orders[site.pk] = list(_rows(site, contents))
        self._lock_studies(site, contents)
        if self._orders[site.pk] and connection.features.has_select_for_update:
            # Another may have changed them while the studies were waited for.
            rows = _rows(site, contents).select_for_update(no_key=True)
            self._orders[site.pk] = list(rows)

    def _lock_studies(self, site: Site, contents: Sequence[OrderContent]) -> None:
        """Lock every study that the messages may touch, before any order."""
        known = self._orders[site.pk]
        if not (known or self._are_studies):
            return
        said = _names_of_studies([*contents, *known])
        linked = [order.pk for order in known]
        wanted = _wanted_studies(site, said)
        wanted.append(Wanted(Study, "site_id", site.pk, "order_id", linked))
        if not is_any_known(wanted):
            return
        clause = Q(order__in=linked, site=site)
        for name, values in said.items():
            clause |= Q(**{f"{name}__in": values}, site=site)
        rows = Study.objects.filter(clause).order_by("pk").select_for_update(no_key=True)
        for uid, number, order in rows.values_list(*said, "order_id"):
            self._studies |= {(site.pk, _uid(uid)), (site.pk, _number(number))} - {(site.pk, "")}
            self._linked |= {order} - {None}


def what_to_look_for(said: Sequence[Said]) -> tuple[list[Wanted], list[Wanted]]:
    """What to ask for, of orders and of studies, to know whether messages speak of any."""
    found: tuple[list[Wanted], list[Wanted]] = ([], [])
    for site, contents in _by_site(said).items():
        found[0].extend(_wanted_orders(site, contents))
        found[1].extend(_wanted_studies(site, _names_of_studies(contents)))
    return found


def key_of(content: OrderContent) -> str:
    """What an order is kept under from its first message on."""
    number = content.filler_order_number or content.placer_order_number
    part = content.requested_procedure_id or content.study_instance_uid
    return f"{number}/{part or content.accession_number}"


def _by_site(said: Sequence[Said]) -> dict[Site, list[OrderContent]]:
    by_site: dict[Site, list[OrderContent]] = defaultdict(list)
    for content, node in said:
        by_site[node.site].append(content)
    return by_site


def _names(contents: Sequence[OrderContent]) -> dict[str, list[str]]:
    numbers = {
        name: sorted({getattr(one, name) for one in contents} - {""})
        for name in ("filler_order_number", "placer_order_number")
    }
    return {"key": [key_of(one) for one in contents], **numbers}


def _wanted_orders(site: Site, contents: Sequence[OrderContent]) -> list[Wanted]:
    return [
        Wanted(Order, "site_id", site.pk, name, values)
        for name, values in _names(contents).items()
    ]


def _names_of_studies(those: Sequence[OrderContent | Order]) -> dict[str, list[str]]:
    return {
        name: sorted({getattr(one, name) for one in those} - {""})
        for name in ("study_instance_uid", "accession_number")
    }


def _wanted_studies(site: Site, names: dict[str, list[str]]) -> list[Wanted]:
    return [Wanted(Study, "site_id", site.pk, name, values) for name, values in names.items()]


def _rows(site: Site, contents: Sequence[OrderContent]) -> QuerySet[Order]:
    # The site stands in each part, so that each can be looked up in an index of its own.
    clause = Q()
    for name, values in _names(contents).items():
        clause |= Q(**{f"{name}__in": values}, site=site)
    return Order.objects.filter(clause).order_by("pk")


def _shares_number(order: Order, content: OrderContent) -> bool:
    return any(
        getattr(content, name) and getattr(order, name) == getattr(content, name)
        for name in ("filler_order_number", "placer_order_number")
    )


def _are_of_others(order: Order, content: OrderContent) -> bool:
    """Whether both say who gave a number, and mean two different ones (HL7 2.5.1 2.A.28, EI)."""
    return any(
        _differ(order.details.get(name, ""), getattr(content, name))
        for name in ("filler_issuer", "placer_issuer")
    )


def _differ(kept: str, said: str) -> bool:
    """EI-2 to EI-4: universal ids count where both give one, else the names where both do."""
    (name, uid, kind), (other, other_uid, other_kind) = (
        (*one.split("^"), "", "", "")[:3] for one in (kept, said)
    )
    if uid and other_uid:
        return uid != other_uid or bool(kind and other_kind and kind != other_kind)
    return bool(name and other and name != other)


def _agree(order: Order, content: OrderContent) -> bool:
    """Whether the numbers that both give are the same, and the first name of the study too."""
    for name in ("filler_order_number", "placer_order_number"):
        kept, said = getattr(order, name), getattr(content, name)
        if kept and said and kept != said:
            return False
    for name in ("requested_procedure_id", "study_instance_uid", "accession_number"):
        kept, said = getattr(order, name), getattr(content, name)
        if kept and said:
            return bool(kept == said)
    return True


def _uid(value: str) -> str:
    return value and f"uid {value}"


def _number(value: str) -> str:
    return value and f"number {value}"
