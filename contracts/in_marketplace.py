"""What the contracts tell the marketplace: active call-off lines, and what a framework prices."""

from __future__ import annotations

from datetime import date
from typing import Any

import django_filters
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy

from contracts import reading
from contracts.models import CallOff, CallOffLine, PriceBookEntry
from contracts.templatetags.money import money
from contracts.templatetags.value_words import price_model
from contracts.zone import CONTRACT_ZONE
from hub.models import Site
from marketplace import catalogue, comparing, gates
from marketplace.catalogue import Entry
from marketplace.models import Algorithm, Gate


def active_line(site: Site, algorithm: Algorithm, day: date) -> str:
    """The code of a call-off with a line that is active on the day; empty where there is none."""
    rows = CallOffLine.objects.filter(
        site=site, algorithm=algorithm, activated__lte=day,
        call_off__state=CallOff.State.ACTIVE, call_off__organisation=site.organisation_id,
        call_off__valid_from__lte=day,
    )  # fmt: skip
    for line in rows.select_related("call_off__framework").order_by("call_off__code"):
        last = line.call_off.valid_to or line.call_off.framework.valid_to
        if day <= last:
            return line.call_off.code
    return ""


def priced_in(rows: QuerySet[Algorithm], name: str, value: str) -> QuerySet[Algorithm]:
    """The algorithms that have a price in the framework agreement of this code."""
    priced = PriceBookEntry.objects.filter(framework__code=value).values("algorithm")
    return rows.filter(pk__in=priced)


catalogue.add_filter(
    "framework", django_filters.CharFilter(method=priced_in, field_name="framework", max_length=40)
)


def _agreements(user: Any) -> list[tuple[str, str]]:
    """Those that the user sees, for the catalogue to be narrowed by."""
    return [(one.code, one.title) for one in reading.frameworks(user)]


def _priced(user: Any, found: list[Entry]) -> dict[int, list[PriceBookEntry]]:
    """The prices of today, of the agreements that the user sees, by algorithm."""
    today = timezone.now().astimezone(CONTRACT_ZONE).date()
    rows = PriceBookEntry.objects.filter(
        framework__in=reading.frameworks(user), framework__valid_to__gte=today,
        algorithm__in=[one.algorithm.pk for one in found],
    ).select_related("framework")  # fmt: skip
    newest: dict[tuple[int, int], PriceBookEntry] = {}
    for row in rows.order_by("framework__code", F("valid_from").asc(nulls_first=True)):
        if row.valid_from is None or row.valid_from <= today:
            newest[row.algorithm_id, row.framework_id] = row
    by_algorithm: dict[int, list[PriceBookEntry]] = {}
    for (algorithm, _framework), row in newest.items():
        by_algorithm.setdefault(algorithm, []).append(row)
    return by_algorithm


def _agreed(user: Any, found: list[Entry]) -> list[str]:
    priced = _priced(user, found)
    return [
        ", ".join(row.framework.code for row in priced.get(one.algorithm.pk, ())) or "–"
        for one in found
    ]


def _prices(user: Any, found: list[Entry]) -> list[str]:
    priced = _priced(user, found)
    return [
        "; ".join(map(_price, priced.get(one.algorithm.pk, ()))) or "–" for one in found
    ]


def _price(row: PriceBookEntry) -> str:
    """The prices of an examination from the first tier to the last, and how it is reckoned."""
    tiers = [one["unit_price"] for one in row.terms.get("tiers", ()) if one.get("unit_price")]
    known = tiers or [row.terms.get("unit_price")]
    amounts = [money(one) for one in (known[0], known[-1]) if one]
    told = " – ".join(dict.fromkeys(amounts))
    return f"{told} {row.framework.currency} ({price_model(row.model)})".strip()


catalogue.tell_agreements(_agreements)
comparing.ask(comparing.AGREED, gettext_lazy("Agreement"), _agreed)
comparing.ask(comparing.AGREED, gettext_lazy("Price of one examination"), _prices)
gates.provide(Gate.Kind.CALL_OFF_LINE, active_line)
