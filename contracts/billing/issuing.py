"""Makes the invoices and credit notes of a run: numbers without a gap, one for each call-off."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Max, Q, Sum
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from contracts import call_offs
from contracts.agreements import CONTRACT_ZONE
from contracts.billing import charges, documents, facts
from contracts.billing.booking import Booked, devices_of, last_day_of, read_meters
from contracts.billing.charges import Charge
from contracts.billing.wording import description_of
from contracts.models import (
    BillingRun,
    CallOff,
    CallOffLine,
    FrameworkAgreement,
    Invoice,
    InvoiceLine,
    RatingSnapshot,
)
from contracts.priced import line_key
from contracts.vat import Rates, tax_on

Made = tuple[Invoice, list[InvoiceLine]]
CREDITED = "credited:"


def issue(
    run: BillingRun, framework: FrameworkAgreement, found: dict[str, Any], *, rates: Rates,
    booked: Booked,
) -> list[Made]:  # fmt: skip
    """The documents of one agreement, of what its run ``booked``; raises what rating does.

    The caller holds the locks of it and of its suppliers.
    """
    used = read_meters(run, framework)
    rated = facts.rated(found, used)
    snapshot = facts.keep(run, framework, found, used)
    devices = devices_of(booked, framework)
    due = charges.due(rated, _booked(framework), month=run.period)
    lines = _lines_of(framework)
    by_call_off: defaultdict[CallOff, list[Charge]] = defaultdict(list)
    for charge in due:
        by_call_off[lines[charge.line].call_off].append(charge)
    made = []
    for call_off in sorted(by_call_off, key=lambda one: one.code):
        if not any(one.amount for one in by_call_off[call_off]):
            continue
        with translation.override(documents.language_of(call_off.organisation.country)):
            drafted = [
                _line(one, lines[one.line], rates, snapshot) for one in by_call_off[call_off]
            ]
        document = documents.document_of(call_off, period=run.period)
        if call_off.code in devices:
            document["devices"] = devices[call_off.code]
        if sum(one.amount for one in drafted) < 0:
            document["corrects"] = _corrected(call_off, drafted)
        made.append(write(document, drafted, call_off=call_off, run=run))
    return made


def write(
    document: dict[str, Any], lines: Sequence[InvoiceLine], *, call_off: CallOff,
    run: BillingRun | None = None, credits: Invoice | None = None,
) -> Made:  # fmt: skip
    """Add a document with its lines under the next number; the supplier is locked.

    Its files are not written yet: a dry run takes back what it adds here.
    """
    found = documents.taxes(
        [(one.amount, one.vat_rate) for one in lines], treatment=document["treatment"]
    )
    net = sum((one.base for one in found), Decimal("0.00"))
    vat = sum((one.tax for one in found), Decimal("0.00"))
    issued_on = timezone.now().astimezone(CONTRACT_ZONE).date()
    period = date.fromisoformat(document["period"])
    supplier = call_off.sold_by
    sequence = _next(Invoice.objects.filter(supplier=supplier), "sequence")
    invoice = Invoice.objects.create(
        kind=Invoice.Kind.CREDIT_NOTE if net < 0 else Invoice.Kind.INVOICE,
        number=f"{supplier.code}-{sequence:06d}", supplier=supplier, sequence=sequence,
        organisation=call_off.organisation, call_off=call_off,
        call_off_sequence=_next(Invoice.objects.filter(call_off=call_off), "call_off_sequence"),
        credits=credits, run=run, period_from=period, period_to=last_day_of(period),
        issued_on=issued_on, due_on=issued_on + timedelta(days=documents.PAID_WITHIN_DAYS),
        currency=call_off.framework.currency, net=net, vat=vat, gross=net + vat,
        document=document,
    )  # fmt: skip
    for position, line in enumerate(lines, 1):
        line.invoice, line.position = invoice, position
    InvoiceLine.objects.bulk_create(lines)
    call_offs.add_invoiced(call_off, net=net, by=run.made_by if run else "billing")
    return invoice, list(lines)


def problems_of(invoice: Invoice) -> list[str]:
    """What keeps a document from being sent."""
    return documents.lacking(invoice.document)


def _corrected(call_off: CallOff, lines: Sequence[InvoiceLine]) -> list[dict[str, str]]:
    """The invoices that a month below nothing takes back from: of the same lines and periods."""
    spans = Q(pk__in=[])
    for one in lines:
        spans |= Q(line=one.line, span_from=one.span_from)
    charged = InvoiceLine.objects.filter(spans, invoice__call_off=call_off)
    rows = Invoice.objects.filter(kind=Invoice.Kind.INVOICE, pk__in=charged.values("invoice"))
    return [
        {"number": one.number, "issued_on": one.issued_on.isoformat()}
        for one in rows.order_by("call_off_sequence")
    ]


def _line(one: Charge, line: CallOffLine, rates: Rates, snapshot: RatingSnapshot) -> InvoiceLine:
    buyer = line.call_off.organisation
    tax = tax_on(
        rates, treatment=line.call_off.framework.vat, country=buyer.country,
        on=last_day_of(one.month),
    )  # fmt: skip
    tier = _("tier up to %(bound)s") % {"bound": one.tier} if one.tier else ""
    what = [description_of(one.kind, amount=one.amount), tier, f"{one.month:%Y-%m}"]
    told = ", ".join(part for part in what if part)
    return InvoiceLine(
        line=line, snapshot=snapshot, kind=one.kind, key=one.key, month=one.month,
        span_from=one.span_from, quantity=one.quantity, unit_price=one.unit_price,
        description=f"{line.algorithm.name}, {line.site.name}: {told}"[:300],
        amount=one.amount, vat_rate=tax.rate,
    )  # fmt: skip


def _lines_of(framework: FrameworkAgreement) -> dict[str, CallOffLine]:
    rows = CallOffLine.objects.filter(call_off__framework=framework).select_related(
        "call_off__framework__supplier", "call_off__supplier", "call_off__organisation",
        "algorithm", "site",
    )
    return {line_key(one.call_off.code, one.algorithm.code, one.site.code): one for one in rows}


def _booked(framework: FrameworkAgreement) -> dict[str, charges.Booked]:
    """What was invoiced, by key; what a person credited for good is no part of it."""
    rows: Iterable[Any] = (
        InvoiceLine.objects.filter(invoice__call_off__framework=framework)
        .exclude(key__startswith=CREDITED)
        .order_by("key")
        .values_list(
            "key", "kind", "month", "span_from", "line__call_off__code", "line__algorithm__code",
            "line__site__code",
        )
        .annotate(quantity_=Sum("quantity"), amount_=Sum("amount"))
    )  # fmt: skip
    return {
        key: charges.Booked(line_key(*names), kind, month, span, _counted(kind, quantity), amount)
        for key, kind, month, span, *names, quantity, amount in rows
    }


def _counted(kind: str, quantity: Decimal) -> int:
    return int(quantity) if kind == "usage" else 0


def _next(rows: Any, name: str) -> int:
    return int(rows.aggregate(last=Max(name))["last"] or 0) + 1
