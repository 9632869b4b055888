"""What of contracts belongs to one organisation when it leaves: agreements, usage, invoices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Q, Sum

from contracts import metering
from contracts.billing import kept, parts
from contracts.models import (
    AdjustmentBooking,
    AvailabilityReading,
    BillingRun,
    CallOff,
    CallOffApproval,
    CallOffLine,
    EventBooking,
    FrameworkAgreement,
    Invoice,
    InvoiceFile,
    InvoiceLine,
    MeterReading,
    OutcomeReading,
    UsageAdjustment,
    UsageEvent,
)
from hub.configuration import belongings, naturals, registry
from hub.configuration.belongings import Table
from hub.configuration.reader import Value
from hub.models import Organisation, Site, User
from marketplace.models import Algorithm, AlgorithmVersion
from vendors.models import Vendor

LINE = ("line__call_off", "line__algorithm", "line__site")


def _own_framework(value: Value, owner: registry.Owner) -> Value | None:
    """An agreement that names it, or that it called off under; of the options of others only what
    the notice says.
    """
    named = {one["organisation"] for one in value["authorities"] or []} | {value["holder"]}
    if owner.organisation not in named and not CallOff.objects.filter(
        framework__code=value["code"], organisation__code=owner.organisation
    ).exists():
        return None
    return parts.for_one(value, owner.organisation)


def _own_call_off(value: Value, owner: registry.Owner) -> Value | None:
    """Its own; the competition goes along row by row, with the procedures (procedure_belongings).
    """
    return value | {"competition": None} if value["organisation"] == owner.organisation else None


def _subjects(organisation: Organisation) -> Iterator[str]:
    """Its call-offs, and its options in agreements."""
    yield from CallOff.objects.filter(organisation=organisation).values_list("code", flat=True)
    named = FrameworkAgreement.objects.filter(authorities__organisation=organisation)
    for code in named.values_list("code", flat=True):
        yield f"{code}/{organisation.code}"


def _approvals(organisation: Organisation) -> Any:
    return CallOffApproval.objects.filter(call_off__organisation=organisation).select_related(
        "call_off", "user"
    )


def _usage(organisation: Organisation) -> Any:
    return UsageEvent.objects.filter(call_off__organisation=organisation).select_related(
        "call_off", "line__call_off", "line__algorithm", "line__site", "algorithm",
        "version__algorithm", "site", "tenant",
    )  # fmt: skip


def _under(path: str, model: Any, *related: str) -> Any:
    """Rows of the model whose call-off, found at the path, is the organisation's."""
    return lambda organisation: model.objects.filter(
        **{f"{path}__organisation": organisation}
    ).select_related(*related)


def _runs(organisation: Organisation) -> Any:
    """The runs that billed something of it; they may have billed others as well."""
    mine = Q(invoices__organisation=organisation) | Q(
        readings__line__call_off__organisation=organisation
    )
    booked = Q(pk__in=EventBooking.objects.filter(
        event__call_off__organisation=organisation).values("run"))  # fmt: skip
    adjusted = Q(pk__in=AdjustmentBooking.objects.filter(
        adjustment__corrects__call_off__organisation=organisation).values("run"))  # fmt: skip
    return BillingRun.objects.filter(mine | booked | adjusted).distinct()


def _outcomes(organisation: Organisation) -> Any:
    """Of the agreements that name it: what is measured of one is told to all who buy under it."""
    named = FrameworkAgreement.objects.filter(
        Q(holder=organisation) | Q(authorities__organisation=organisation)
    )
    rows = OutcomeReading.objects.filter(framework__in=named)
    return rows.select_related("framework", "algorithm")


def _count_adjustments(rows: list[UsageAdjustment]) -> None:
    metering.move_counters((row.corrects, row.delta_units) for row in rows)


def _count_invoiced(rows: list[InvoiceLine]) -> None:
    """A call-off that came before has what it was invoiced since; a new one brings the sum along.
    """
    for pk in {row.invoice.call_off_id for row in rows}:
        net = Invoice.objects.filter(call_off=pk).aggregate(sum_=Sum("net"))["sum_"]
        CallOff.objects.filter(pk=pk, invoiced_to_date__lt=net).update(invoiced_to_date=net)


registry.share("framework", _own_framework)
registry.share("call_off", _own_call_off)
registry.share("legal_limit", lambda value, owner: value)
belongings.subjects(_subjects)
for _model, *_fields in (
    (User, "username"), (Organisation, "code"), (Site, "code"), (Algorithm, "code"),
    (AlgorithmVersion, "algorithm", "version"), (Vendor, "code"), (FrameworkAgreement, "code"),
    (CallOff, "code"), (CallOffLine, "call_off", "algorithm", "site"), (BillingRun, "uid"),
    (UsageEvent, "tenant", "source", "event_id"), (Invoice, "number"),
    (UsageAdjustment, "tenant", "source", "event_id"),
):  # fmt: skip
    naturals.call(_model, *_fields)
for _table in (
    Table("approvals", CallOffApproval,
          "who approved which call-off, and what it said then (SHA-256)",
          _approvals, ("call_off", "user", "fingerprint")),
    Table("usage", UsageEvent, "the usage events of its call-offs; a study is a keyed hash",
          _usage, ("tenant", "source", "event_id"), metering.count_up),
    Table("usage-adjustments", UsageAdjustment, "the corrections of those events",
          _under("corrects__call_off", UsageAdjustment, "tenant", "corrects__tenant"),
          ("tenant", "source", "event_id"),
          _count_adjustments),
    Table("availability", AvailabilityReading,
          "in how much of a month the services of its lines were available",
          _under("line__call_off", AvailabilityReading, *LINE), ("uid",)),
    Table("outcomes", OutcomeReading, "what was measured under the agreements that name it",
          _outcomes, ("uid",)),
    Table("billing-runs", BillingRun, "the runs that billed them", _runs, ("uid",)),
    Table("billed-events", EventBooking, "which run billed which event",
          _under("event__call_off", EventBooking, "event__tenant", "run"), ("event",)),
    Table("billed-adjustments", AdjustmentBooking, "which run took which correction",
          _under("adjustment__corrects__call_off", AdjustmentBooking,
                 "adjustment__tenant", "run"), ("adjustment",)),
    Table("meter-readings", MeterReading, "what a run read of a line, by day",
          _under("line__call_off", MeterReading, "run", *LINE), ("run", "line", "day")),
    Table("invoices", Invoice,
          "its invoices and credit notes, as they were issued, with the terms and charges that are "
          "its own of what each was rated on, and the digest of the whole",
          _under("call_off", Invoice, "supplier", "organisation", "call_off__framework", "run",
                 "credits"), ("number",), more=parts.with_part),
    Table("invoice-files", InvoiceFile,
          "each of them as EHF, PDF and CSV, byte for byte as it was issued: a file in `invoices/`",
          lambda organisation: kept.files_under(Q(call_off__organisation=organisation)),
          ("invoice", "kind"), beside=("content", lambda row: f"invoices/{row.name}")),
    Table("invoice-lines", InvoiceLine,
          "their lines; key leads to the charge in the document of the invoice",
          _under("invoice__call_off", InvoiceLine, "invoice", *LINE), ("invoice", "position"),
          _count_invoiced, without=("snapshot",)),
):  # fmt: skip
    belongings.register(_table)
