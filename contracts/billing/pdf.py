"""An invoice as PDF, for people; what is paid by is the EHF document."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any
from xml.sax.saxutils import escape  # nosec B406 (written alone)

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from contracts.billing import documents
from contracts.models import Invoice, InvoiceLine
from contracts.templatetags.money import count, money, price

_FONT, _BOLD = "Vera", "VeraBd"
_SMALL = 8


def pdf_of(invoice: Invoice, lines: Sequence[InvoiceLine]) -> bytes:
    """A4, in the language that is active; the same rows give the same bytes."""
    _fonts()
    out = io.BytesIO()
    page = SimpleDocTemplate(
        out, pagesize=A4, title=invoice.number, author=invoice.document["supplier"]["name"],
        leftMargin=18 * mm, rightMargin=18 * mm, topMargin=16 * mm, bottomMargin=18 * mm,
        invariant=1,
    )  # fmt: skip
    sign = -1 if invoice.kind == Invoice.Kind.CREDIT_NOTE else 1
    story = [
        Paragraph(f"{_title(invoice)} {escape(invoice.number)}", _style(16, bold=True)),
        Spacer(1, 6 * mm),
        _parties(invoice),
        Spacer(1, 6 * mm),
        _lines(lines, sign=sign),
        Spacer(1, 5 * mm),
        _totals(invoice, lines, sign=sign),
    ]  # fmt: skip

    def number(canvas: Any, document: Any) -> None:
        """At the foot of each page, which document it is of."""
        canvas.setFont(_FONT, _SMALL)
        canvas.drawRightString(A4[0] - 18 * mm, 10 * mm, f"{invoice.number} · {document.page}")

    page.build(story, onFirstPage=number, onLaterPages=number)
    return out.getvalue()


@cache
def _fonts() -> None:
    """Fonts that come with the library: those of the PDF standard lack letters of our languages."""
    for name in (_FONT, _BOLD):
        pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))


def _title(invoice: Invoice) -> str:
    return _("Credit note") if invoice.kind == Invoice.Kind.CREDIT_NOTE else _("Invoice")


def _style(size: int = _SMALL, *, bold: bool = False) -> ParagraphStyle:
    return ParagraphStyle("p", fontName=_BOLD if bold else _FONT, fontSize=size, leading=size * 1.4)


def _parties(invoice: Invoice) -> Table:
    said = invoice.document
    credited = ", ".join(number for number, _day in documents.credited(invoice))
    facts = [
        (_("Issued"), _day(invoice.issued_on)),
        (_("Due"), "" if invoice.kind == Invoice.Kind.CREDIT_NOTE else _day(invoice.due_on)),
        (_("Period"), f"{_day(invoice.period_from)} – {_day(invoice.period_to)}"),
        (_("Framework agreement"), said["framework"]),
        (_("Call-off"), said["call_off"]),
        (_("Buyer reference"), said["buyer_reference"]),
        (_("Credits invoice"), credited),
        (_("Reason"), documents.reason_of(invoice)),
    ]
    told = "<br/>".join(f"{escape(name)}: {escape(text)}" for name, text in facts if text)
    row = [_party(said["supplier"], _("Supplier")), _party(said["buyer"], _("Buyer")),
           Paragraph(told, _style())]  # fmt: skip
    return Table([row], colWidths=[56 * mm, 56 * mm, 62 * mm], style=_plain())


def _party(said: dict[str, str], role: str) -> Paragraph:
    rows = [said["name"], said["organisation_number"], said["vat_number"], said["country"]]
    told = "<br/>".join(escape(one) for one in rows if one)
    return Paragraph(f"<b>{escape(role)}</b><br/>{told}", _style())


def _lines(lines: Sequence[InvoiceLine], *, sign: int) -> Table:
    head = [_("Description"), _("Quantity"), _("Price"), _("VAT"), _("Amount")]
    rows: list[list[Any]] = [[Paragraph(escape(one), _style(bold=True)) for one in head]]
    for one in lines:
        rows.append([
            Paragraph(escape(one.description), _style()), _in_font(count(sign * one.quantity)),
            _in_font(price(one.unit_price)), f"{(one.vat_rate * 100).normalize():f} %",
            _money(sign * one.amount),
        ])  # fmt: skip
    style = [*_plain_rules(), ("LINEBELOW", (0, 0), (-1, 0), 0.6, colors.black),
             ("LINEBELOW", (0, 1), (-1, -1), 0.2, colors.lightgrey),
             ("ALIGN", (1, 1), (-1, -1), "RIGHT")]  # fmt: skip
    widths = [88 * mm, 20 * mm, 22 * mm, 16 * mm, 28 * mm]
    return Table(rows, colWidths=widths, style=TableStyle(style), repeatRows=1)


def _totals(invoice: Invoice, lines: Sequence[InvoiceLine], *, sign: int) -> Table:
    taxes = documents.taxes(
        [(sign * one.amount, one.vat_rate) for one in lines],
        treatment=invoice.document["treatment"],
    )
    rows = [[_("Sum without VAT"), _money(sign * invoice.net)]]
    for one in taxes:
        name = _("VAT %(percent)s %% of %(base)s") % {
            "percent": f"{(one.rate * 100).normalize():f}", "base": _money(one.base),
        }  # fmt: skip
        rows.append([name, _money(one.tax)])
    what = _("To be credited") if sign < 0 else _("To pay")
    rows.append([f"{what} {invoice.currency}", _money(sign * invoice.gross)])
    style = [*_plain_rules(), ("ALIGN", (0, 0), (-1, -1), "RIGHT"),
             ("FONTNAME", (0, -1), (-1, -1), _BOLD)]  # fmt: skip
    return Table(rows, colWidths=[146 * mm, 28 * mm], style=TableStyle(style))


def _plain() -> TableStyle:
    return TableStyle(_plain_rules())


def _plain_rules() -> list[Any]:
    return [
        ("FONTNAME", (0, 0), (-1, -1), _FONT), ("FONTSIZE", (0, 0), (-1, -1), _SMALL),
        ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ]  # fmt: skip


def _money(amount: Decimal) -> str:
    return _in_font(money(amount))


def _in_font(number: str) -> str:
    """A number as people of the language write it, with the space that the font has."""
    return number.replace("\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}")


def _day(day: date) -> str:
    return date_format(day, "SHORT_DATE_FORMAT")
