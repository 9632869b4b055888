"""Credits an issued invoice, wholly or in part; nothing is credited beyond what was invoiced."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from contracts.billing import kept
from contracts.billing.issuing import CREDITED, write
from contracts.models import FrameworkAgreement, Invoice, InvoiceLine
from hub import audit
from vendors.models import Vendor


class NotCreditedError(Exception):
    """The invoice cannot be credited so; the sentence names field and rule."""


def credit(
    invoice: Invoice, *, by: Any, reason: str, amounts: Mapping[int, Decimal] | None = None,
    is_billed_again: bool = False,
) -> Invoice:  # fmt: skip
    """The credit note of an invoice: of all its lines, or of ``amounts`` by position of the line.

    Where it ``is_billed_again``, the next run bills the usage anew, as after a wrong reference;
    else the amount is given up for good. Raises NotCreditedError.
    """
    with transaction.atomic():
        FrameworkAgreement.objects.select_for_update(no_key=True).get(
            pk=invoice.call_off.framework_id
        )
        Vendor.objects.select_for_update(no_key=True).get(pk=invoice.supplier_id)
        lines = _lines(invoice, amounts, prefix="" if is_billed_again else CREDITED)
        if sum(one.amount for one in lines) >= 0:
            raise NotCreditedError(_("lines: expected amounts that together are above 0"))
        document = invoice.document | {"reason": reason}
        note, _made = write(document, lines, call_off=invoice.call_off, credits=invoice)
        kept.keep([note])
        audit.record(
            "invoice.credited", actor=by, subject=invoice.number, credit_note=note.number,
            reason=reason, net=str(note.net), is_billed_again=is_billed_again,
        )  # fmt: skip
    return note


def _lines(
    invoice: Invoice, amounts: Mapping[int, Decimal] | None, *, prefix: str
) -> list[InvoiceLine]:
    if invoice.kind != Invoice.Kind.INVOICE:
        raise NotCreditedError(_("a credit note is not credited"))
    rows = {one.position: one for one in invoice.lines.order_by("position")}
    if unknown := sorted(set(amounts or {}) - set(rows)):
        raise NotCreditedError(
            _("lines: expected positions of the invoice, found %(found)s") % {"found": unknown[0]}
        )
    left = _left(invoice, rows)
    chosen = amounts if amounts is not None else left
    found = []
    for position, amount in chosen.items():
        row, rest = rows[position], left[position]
        if amounts is not None and not 0 < amount <= rest:
            raise NotCreditedError(
                _("lines: expected for line %(position)s an amount above 0 and up to %(left)s")
                % {"position": position, "left": rest}
            )
        if amount:
            found.append(_credited(row, amount, prefix=prefix, is_whole=amount == row.amount))
    if not found:
        raise NotCreditedError(_("the whole invoice has been credited already"))
    return found


def _left(invoice: Invoice, rows: Mapping[int, InvoiceLine]) -> dict[int, Decimal]:
    """What is left of each line; a line of a credit note says which it credits."""
    credited = InvoiceLine.objects.filter(invoice__credits=invoice)
    sums = dict(credited.order_by().values_list("description").annotate(Sum("amount")))
    return {
        position: row.amount + sums.get(_told(row), Decimal(0)) for position, row in rows.items()
    }


def _told(row: InvoiceLine) -> str:
    """How a credit names the line it credits: by its position and what it said."""
    return f"{row.position}: {row.description}"[:300]


def examinations_in(credit: InvoiceLine) -> int:
    """How many examinations a line of a credit note takes back: those of a line that is credited
    whole, none where only a part of its amount is.
    """
    if credit.kind != "usage" or credit.invoice.credits_id is None:
        return 0
    position = credit.description.partition(":")[0]
    of = InvoiceLine.objects.filter(
        invoice=credit.invoice.credits_id, position=int(position) if position.isdecimal() else 0
    ).first()
    return int(credit.quantity) if of is not None and of.amount == -credit.amount else 0


def _credited(
    row: InvoiceLine, amount: Decimal, *, prefix: str, is_whole: bool
) -> InvoiceLine:
    return InvoiceLine(
        line=row.line, snapshot=row.snapshot, kind=row.kind, key=f"{prefix}{row.key}"[:200],
        month=row.month, span_from=row.span_from, description=_told(row),
        quantity=-row.quantity if is_whole else -1,
        unit_price=row.unit_price if is_whole else abs(amount),
        amount=-amount, vat_rate=row.vat_rate,
    )  # fmt: skip
