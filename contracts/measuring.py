"""Takes readings of availability and outcomes: all of a list, or none with every fault named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from contracts import measured
from contracts.billing.running import billable
from contracts.models import (
    AvailabilityReading,
    CallOffLine,
    FrameworkAgreement,
    OutcomeReading,
)
from contracts.priced import agreement_held, line_key
from contracts.pricing import contract_year_of
from contracts.usage_lists import read_usage
from hub import audit
from hub.access import CONTRACT_ROLES, organisation_clause
from marketplace.models import Algorithm


def record_availability(given: Any, *, by: Any) -> list[AvailabilityReading]:
    """Add readings, each ``call_off, algorithm, site, month, share``, of lines of the user's.

    The line is one whose buyer, or whose agreement's holder, ``by`` (a user) stands for. Raises
    UsageRefused with every fault.
    """
    lines = {
        line_key(one.call_off.code, one.algorithm.code, one.site.code): one
        for one in lines_of(by)
    }
    frameworks = {one.call_off.framework_id: one.call_off.framework for one in lines.values()}
    agreements = map(agreement_held, frameworks.values())
    theirs = [
        replace(one, lines=tuple(line for line in one.lines if line.key in lines))
        for one in agreements
    ]
    rows = [
        AvailabilityReading(
            line=lines[one.line], month=one.month, share=one.share, recorded_by=_name(by)
        )
        for listed in read_usage({"usage": [], "availability": given}, agreements=theirs)
        for one in listed.availability
    ]
    return _kept(AvailabilityReading, rows, by=by)


def record_outcomes(given: Any, *, by: Any) -> list[OutcomeReading]:
    """Add readings, each ``framework, algorithm, kpi, date, successes, n``.

    The agreement is one that ``by`` (a user) may bill. Raises UsageRefused with every fault.
    """
    held = {one.code: one for one in billable(by)}
    agreements = map(agreement_held, held.values())
    algorithms = {one.code: one for one in Algorithm.objects.all()}
    rows = [
        OutcomeReading(
            framework=held[listed.agreement.code], algorithm=algorithms[one.algorithm], kpi=one.kpi,
            contract_year=contract_year_of(one.day, begins=listed.agreement.begins).start,
            successes=one.successes, n=one.n, recorded_by=_name(by),
        )
        for listed in read_usage({"usage": [], "outcomes": given}, agreements=agreements)
        for one in listed.measured
    ]  # fmt: skip
    return _kept(OutcomeReading, rows, by=by)


def availability(user: Any) -> QuerySet[AvailabilityReading]:
    """The readings that hold of the lines that are a user's, the newest month first."""
    lines = CallOffLine.objects.filter(_theirs(user))
    found = measured.availability(AvailabilityReading.objects.filter(line__in=lines))
    return found.order_by("-month", "line__call_off__code", "line__algorithm__code", "pk")


def outcomes(user: Any) -> QuerySet[OutcomeReading]:
    """The readings that hold of the agreements that a user may see, the newest year first."""
    seen = FrameworkAgreement.objects.visible_to(user)
    found = measured.outcomes(OutcomeReading.objects.filter(framework__in=seen))
    return found.order_by("-contract_year", "framework__code", "algorithm__code", "pk")


def lines_of(user: Any) -> list[CallOffLine]:
    """The lines that a user may record the availability of."""
    rows = CallOffLine.objects.filter(_theirs(user)).select_related(
        "call_off__framework", "algorithm", "site"
    )
    return list(rows.order_by("call_off__code", "algorithm__code", "site__code"))


def _theirs(user: Any) -> Q:
    buyers = organisation_clause(user, path="call_off__organisation", roles=CONTRACT_ROLES)
    holder = "call_off__framework__holder"
    return buyers | organisation_clause(user, path=holder, roles=CONTRACT_ROLES)


def _kept(model: Any, rows: list[Any], *, by: Any) -> list[Any]:
    with transaction.atomic():
        model.objects.bulk_create(rows)
        audit.record(
            f"{model._meta.model_name}.recorded", actor=by, subject=f"{len(rows)} readings",
            readings=[_told(row) for row in rows],
        )  # fmt: skip
    return rows


def _told(row: AvailabilityReading | OutcomeReading) -> str:
    if isinstance(row, AvailabilityReading):
        return f"{measured.key_of(row)} {row.month:%Y-%m}: {row.share:f}"
    what = f"{row.framework.code} {row.algorithm.code} {row.kpi} {row.contract_year}"
    return f"{what}: {row.successes}/{row.n}"


def _name(by: Any) -> str:
    return str(getattr(by, "username", by))

