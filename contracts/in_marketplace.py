"""What the contracts tell the marketplace: active call-off lines, and what a framework prices."""

from __future__ import annotations

from datetime import date

import django_filters
from django.db.models import QuerySet

from contracts.models import CallOff, CallOffLine, PriceBookEntry
from hub.models import Site
from marketplace import catalogue, gates
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
gates.provide(Gate.Kind.CALL_OFF_LINE, active_line)
