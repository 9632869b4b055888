"""Reads a vendor's own invoice, as CSV in the form of our specification or as UBL; no rows here."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from xml.etree.ElementTree import Element  # nosec B405 (a type)

from django.utils.translation import gettext as _

from contracts.billing.checking import (
    NAMES,
    NotADocumentError,
    check,
    lines_in,
    number,
    parse,
    text,
)

MATCHED, MISSING, EXTRA, DIFFERING = "matched", "missing", "extra", "differing"
NEEDED = ("invoice", "month", "call_off", "site", "algorithm", "quantity", "amount")
MOST_BYTES = 10_000_000
ZERO = Decimal("0.00")
# what stands in a row beyond the last column
_BESIDE = "(beside)"

# call-off, algorithm, site, and the first day of the month
Place = tuple[str, str, str, date]


@dataclass(frozen=True, slots=True)
class Sum:
    """How much of something: examinations, and their amount without VAT."""

    quantity: int = 0
    amount: Decimal = ZERO

    def plus(self, other: Sum) -> Sum:
        """Both together."""
        return Sum(self.quantity + other.quantity, self.amount + other.amount)

    def covers(self, other: Sum) -> bool:
        """Whether it is at least as much."""
        return self.quantity >= other.quantity and self.amount >= other.amount


@dataclass(frozen=True, slots=True)
class Claim:
    """One invoice of a vendor; amounts are signed. ``faults`` are those of its form."""

    number: str
    kind: str
    month: date
    currency: str
    places: Mapping[Place, Sum]
    faults: tuple[str, ...] = ()

    @property
    def net(self) -> Decimal:
        """What is claimed in all."""
        return sum((one.amount for one in self.places.values()), ZERO)


@dataclass(frozen=True, slots=True)
class Found:
    """How one place compares: what is due of it, and what was claimed, now and before.

    ``given_up``, below 0, is what credit notes took back of it for good; ``due`` is without it.
    """

    place: Place
    status: str
    due: Sum
    claimed: Sum
    given_up: Decimal = ZERO


class ClaimNotReadError(ValueError):
    """The file is no invoice that can be compared; the message names field and rule."""


def read(content: bytes) -> Claim:
    """The claim that a file makes. Raises ClaimNotReadError."""
    if len(content) > MOST_BYTES:
        raise ClaimNotReadError(
            _("file: expected up to %(most)s bytes, found %(found)s")
            % {"most": MOST_BYTES, "found": len(content)}
        )
    is_xml = content.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"<"
    return _of_ubl(content) if is_xml else _of_csv(content)


def compare(
    claim: Claim, *, due: Mapping[Place, Sum], before: Mapping[Place, Sum],
    given_up: Mapping[Place, Sum] | None = None,
) -> list[Found]:  # fmt: skip
    """Every place of the claim, and what is due of its month and was never claimed.

    What was claimed ``before`` counts: the same work on a second invoice is extra. What a credit
    note took back for good is not due: it is ``given_up``, below 0.
    """
    found = []
    places = set(claim.places) | {one for one in due if one[3] == claim.month}
    for place in sorted(places):
        gone = (given_up or {}).get(place, Sum())
        owed, now = due.get(place, Sum()).plus(gone), claim.places.get(place, Sum())
        earlier = before.get(place, Sum())
        total = now.plus(earlier)
        if place not in claim.places and total == owed:
            continue
        is_claimed = place in claim.places or earlier != Sum()
        status = _status(owed, total, earlier) if is_claimed else MISSING
        found.append(Found(place, status, owed, total, gone.amount))
    return found


def _status(owed: Sum, total: Sum, earlier: Sum) -> str:
    """Of a place that is claimed; extra is what was never due, or all claimed before."""
    if total == owed:
        return MATCHED
    was_claimed = earlier != Sum() and earlier.covers(owed) and total.covers(owed)
    return EXTRA if owed == Sum() or was_claimed else DIFFERING


def summed(rows: Iterable[tuple[Place, Sum]]) -> dict[Place, Sum]:
    """By place."""
    places: defaultdict[Place, Sum] = defaultdict(Sum)
    for place, one in rows:
        places[place] = places[place].plus(one)
    return dict(places)


# -- CSV -----------------------------------------------------------------------------------------
def _of_csv(content: bytes) -> Claim:
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig")), restkey=_BESIDE))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ClaimNotReadError(
            _("file: expected CSV in UTF-8: %(why)s") % {"why": error}
        ) from error
    if not rows:
        raise ClaimNotReadError(_("file: expected a row of names and at least one line"))
    if lacking := [name for name in NEEDED if name not in rows[0]]:
        raise ClaimNotReadError(
            _("%(column)s: expected this column, found none") % {"column": lacking[0]}
        )
    number_ = _one_of_all(rows, "invoice", "")
    if not number_:
        raise ClaimNotReadError(_("invoice: expected a number, found none"))
    kind, currency = _one_of_all(rows, "type", "380"), _one_of_all(rows, "currency", "NOK")
    if kind not in ("380", "381"):
        raise ClaimNotReadError(
            _("type: expected 380 or 381, found %(found)s") % {"found": kind[:20]}
        )
    sign = -1 if kind == "381" else 1
    places = summed(_csv_row(row, n, sign=sign) for n, row in enumerate(rows, 2))
    return Claim(number_[:80], kind, max(one[3] for one in places), currency[:3], places)


def _one_of_all(rows: Iterable[Mapping[str, str | None]], name: str, unsaid: str) -> str:
    """What all rows say of the whole invoice: of one currency, and never half a credit note."""
    found = {(row.get(name) or unsaid).strip() for row in rows}
    if len(found) > 1:
        raise ClaimNotReadError(
            _("%(column)s: expected the same in all rows, found %(found)s")
            % {"column": name, "found": ", ".join(repr(one[:40]) for one in sorted(found)[:3])}
        )
    return found.pop()


def _csv_row(row: Mapping[str, str | None], n: int, *, sign: int) -> tuple[Place, Sum]:
    if _BESIDE in row:
        raise ClaimNotReadError(
            _("row %(row)s: expected a value for each column, found more (an amount is written "
              "123.45, or stands in quotes)") % {"row": n}
        )  # fmt: skip
    said = {name: (row.get(name) or "").strip() for name in NEEDED}
    month = _month(said["month"], where=_("row %(row)s: month") % {"row": n})
    amount = _amount(said["amount"], where=_("row %(row)s: amount") % {"row": n})
    where = _("row %(row)s: quantity") % {"row": n}
    quantity = _amount(said["quantity"], where=where)
    counted = _whole(quantity, where=where) if (row.get("charge") or "usage") == "usage" else 0
    place = (said["call_off"], said["algorithm"], said["site"], month)
    return place, Sum(sign * counted, sign * amount)


def _month(text_: str, *, where: str) -> date:
    try:
        return date.fromisoformat(f"{text_[:7]}-01")
    except ValueError:
        raise ClaimNotReadError(
            _("%(where)s: expected a month such as 2026-06") % {"where": where}
        ) from None


def _whole(quantity: Decimal, *, where: str) -> int:
    """Examinations are counted whole; half of one would pass for none."""
    if quantity != int(quantity):
        raise ClaimNotReadError(
            _("%(where)s: expected a whole number of examinations, found %(found)s")
            % {"where": where, "found": f"{quantity:f}"}
        )
    return int(quantity)


def _amount(text_: str, *, where: str) -> Decimal:
    try:
        found = Decimal(text_)
    except InvalidOperation:
        raise ClaimNotReadError(
            _("%(where)s: expected a number, found %(found)s")
            % {"where": where, "found": repr(text_[:40])}
        ) from None
    if not found.is_finite() or abs(found) >= 10**12:
        raise ClaimNotReadError(
            _("%(where)s: expected an amount, found %(found)s")
            % {"where": where, "found": repr(text_[:40])}
        )
    return found


# -- UBL -----------------------------------------------------------------------------------------
def _of_ubl(content: bytes) -> Claim:
    try:
        root, faults = parse(content), check(content)
    except NotADocumentError as error:
        raise ClaimNotReadError(f"file: {error}") from error
    kind = "381" if root.tag.endswith("}CreditNote") else "380"
    sign = -1 if kind == "381" else 1
    month = _month(
        text(root, "a:InvoicePeriod/b:StartDate") or text(root, "b:IssueDate"),
        where="InvoicePeriod",
    )
    if not text(root, "b:ID"):
        raise ClaimNotReadError(_("ID: expected the number of the invoice, found nothing"))
    order = text(root, "a:OrderReference/b:ID")
    places = summed(_ubl_lines(root, order, month, sign=sign))
    if beside := _beside_the_lines(root):
        # of no algorithm and no site, so that nobody pays it for matching lines
        places[order, "", "", month] = Sum(0, sign * beside).plus(
            places.get((order, "", "", month), Sum())
        )
    if not places:
        raise ClaimNotReadError(_("InvoiceLine: expected at least one line, found none"))
    currency = text(root, "b:DocumentCurrencyCode")
    return Claim(text(root, "b:ID")[:80], kind, month, currency[:3], places, tuple(faults))


def _ubl_lines(
    root: Element, order: str, month: date, *, sign: int
) -> Iterator[tuple[Place, Sum]]:
    for line in lines_in(root):
        said = {
            text(one, "b:Name").lower(): text(one, "b:Value")
            for one in line.findall("a:Item/a:AdditionalItemProperty", NAMES)
        }
        of = _month(said["month"], where="Month") if "month" in said else month
        quantity = number(line, "b:InvoicedQuantity") + number(line, "b:CreditedQuantity")
        where = _("line %(line)s: quantity") % {"line": text(line, "b:ID")[:40]}
        is_usage = said.get("charge", "usage") == "usage"
        counted = _whole(quantity, where=where) if is_usage else 0
        place = (order, said.get("algorithm", ""), said.get("site", ""), of)
        yield place, Sum(sign * counted, sign * number(line, "b:LineExtensionAmount"))


def _beside_the_lines(root: Element) -> Decimal:
    """What charges and allowances of the whole document (BG-20, BG-21) add to its lines."""
    return sum(
        (
            number(one, "b:Amount") * (1 if text(one, "b:ChargeIndicator") == "true" else -1)
            for one in root.findall("a:AllowanceCharge", NAMES)
        ),
        ZERO,
    )
