"""What an invoice was rated on, as far as it is its buyer's: it goes along when the buyer leaves.

A run rates an agreement as a whole, with what all who call off under it used. Of that the buyer
gets its own part and the digest of the whole, by which who holds the whole can show that the part
is of it. Nothing in it tells what another organisation used or agreed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any

from contracts.billing import facts
from contracts.models import Invoice, InvoiceLine, RatingSnapshot
from contracts.models.agreements import OVERSEEING
from contracts.pricing import ChargeLine
from contracts.pricing.terms import Scope

# of the option of another organisation in an agreement: what its notice does not say
PRIVATE = ("own_estimate", "soft_cap", "joinder_document")
RATED = "rated"
ZERO = Decimal("0.00")


def with_part(invoice: Invoice) -> dict[str, Any]:
    """The columns of an invoice as it leaves: its document says what it was rated on."""
    if RATED in invoice.document or (snapshot := _snapshot(invoice)) is None:
        return {}
    return {"document": {**invoice.document, RATED: part_of(snapshot, invoice)}}


def rated_for(invoice: Invoice) -> dict[str, Any] | None:
    """The buyer's part, kept here or brought along; None where a person made the document."""
    document = invoice.document | with_part(invoice).get("document", {})
    rated: dict[str, Any] | None = document.get(RATED)
    return rated


def part_of(snapshot: RatingSnapshot, invoice: Invoice) -> dict[str, Any]:
    """The buyer's part of what a run rated, as JSON: terms, readings, and its own charges."""
    kept, call_off = snapshot.facts, invoice.call_off.code
    own = next((one for one in kept["call_offs"] if one["code"] == call_off), None)
    try:
        rated = _rated(snapshot.pk, snapshot.sha256)
    except (LookupError, ValueError) as error:  # to leave must be possible all the same
        rated, problem = (), str(error)
    else:
        problem = ""
    charges = [one for one in rated if one.line.call_off == call_off]
    keys = {one.line.key for one in charges}
    return {
        "sha256": snapshot.sha256, "problem": problem,
        "as_of": kept["as_of"],
        "framework": for_one(kept["framework"], invoice.organisation.code),
        "call_off": own,
        "index_series": kept["index_series"],
        "availability": [one for one in kept.get("availability", ()) if one["line"] in keys],
        "outcomes": kept.get("outcomes", []),
        "charges": [_told(one) for one in charges],
    }


def for_one(framework: dict[str, Any], organisation: str) -> dict[str, Any]:
    """An agreement as one organisation in it may have it: its price is told to all who call off."""
    authorities = framework["authorities"] or []
    named = {one["role"] for one in authorities if one["organisation"] == organisation}
    if framework["holder"] == organisation or named & set(OVERSEEING):
        return framework
    told = [
        one if one["organisation"] == organisation or not one["option"]
        else {**one, "option": {**one["option"], **dict.fromkeys(PRIVATE)}}
        for one in authorities
    ]  # fmt: skip
    return {**framework, "authorities": told}


def digest_of(line: InvoiceLine) -> str | None:
    """The digest of all that a line was rated on, here or in the hub that it came from."""
    if line.snapshot is not None:
        return line.snapshot.sha256
    sha256: str | None = line.invoice.document.get(RATED, {}).get("sha256")
    return sha256


def rated_of(line: InvoiceLine) -> dict[str, Any] | None:
    """The charge that a line is of, where it came from another hub; None where it did not."""
    charges = line.invoice.document.get(RATED, {}).get("charges", ())
    return next((one for one in charges if one["key"] == line.key), None)


def differing(invoices: Iterable[Invoice]) -> dict[str, tuple[Decimal, Decimal]]:
    """Key -> (rated, invoiced) of what does not add up in invoices of one call-off, all it had.

    What was invoiced of a charge up to a run is what the run rated it to.
    """
    invoiced: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    found = {}
    for one in invoices:
        for line in one.lines.all():
            invoiced[line.key] += line.amount
        if one.run_id is None:  # a person credited it: the next run makes up for it, or none
            continue
        for charge in one.document.get(RATED, {}).get("charges", ()):
            key, rated = charge["key"], Decimal(charge["amount"])
            if invoiced[key] != rated:
                found[key] = (rated, invoiced[key])
    return found


def _snapshot(invoice: Invoice) -> RatingSnapshot | None:
    """That of its run; a credit note that a person made refers to the invoice that it credits."""
    if invoice.run_id is None:
        return None
    return RatingSnapshot.objects.filter(
        run=invoice.run_id, framework=invoice.call_off.framework_id
    ).first()


@lru_cache(maxsize=1)
def _rated(pk: int, _sha256: str) -> tuple[ChargeLine, ...]:
    """A run rates once for all its invoices, which are told one after the other."""
    return tuple(facts.rated_again(RatingSnapshot.objects.get(pk=pk)))


def _told(one: ChargeLine) -> dict[str, Any]:
    """A charge by the month's end; of a pool only what is the line's own."""
    kept = one.snapshot
    told = {
        "key": one.key, "line": one.line.key, "kind": str(one.kind),
        "month": f"{one.month:%Y-%m}", "quantity": one.quantity, "amount": f"{one.amount:.2f}",
        "period": [kept.period.start.isoformat(), kept.period.last.isoformat()],
        "through": kept.through.isoformat(), "scope": str(kept.scope),
        "units": kept.line_units, "charged": f"{kept.line_amount:.2f}",
    }  # fmt: skip
    if kept.scope is Scope.FRAMEWORK:
        return told
    tiers = [
        {"up_to": tier.up_to, "units": tier.units, "unit_price": f"{tier.unit_price:f}",
         "flat_fee": f"{tier.flat_fee:f}"}
        for tier in kept.tiers
    ]  # fmt: skip
    return told | {"tiers": tiers, "details": dict(kept.details)}
