"""The billing run: what was used up to the end of a month becomes invoices and credit notes.

A dry run does all that a run does and takes it back. Annual tiers are invoiced by difference, and
so is whatever came late: an issued invoice never changes, the next run makes up for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from contracts.agreements import CONTRACT_ZONE
from contracts.billing import booking, facts, issuing, kept
from contracts.billing.booking import Threshold, last_day_of
from contracts.models import BillingRun, CallOff, FrameworkAgreement, Invoice, InvoiceLine
from contracts.pricing import NoPriceError, PriceTermsError, UnknownIndexError, UnknownLineError
from contracts.vat import UnknownVatRateError, rates_held
from hub import audit
from hub.access import CONTRACT_ROLES, organisations_of
from vendors.models import Vendor

_NOT_RATED = (
    NoPriceError, PriceTermsError, UnknownIndexError, UnknownLineError, UnknownVatRateError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run made, or would make; ``problems`` keep a document from being sent.

    ``fingerprint`` is that of the invoices: given to the run that follows a dry run, it makes sure
    that what is issued is what was seen.
    """

    period: date
    is_dry: bool
    events: int
    invoices: Sequence[tuple[Invoice, Sequence[InvoiceLine]]]
    fingerprint: str
    problems: Sequence[str] = ()
    run: BillingRun | None = None


class NotBilledError(Exception):
    """The run may not be made; the sentence says why."""


class ChangedMeanwhileError(NotBilledError):
    """What the run would issue is not what the dry run showed."""


def run(
    period: date, *, by: Any, is_dry: bool = True, fingerprint: str = "",
    frameworks: Sequence[str] | None = None,
) -> Outcome:  # fmt: skip
    """Bill the month that begins on ``period`` under the agreements that ``by`` may bill.

    ``by`` is a user, or a name on the command line, who may bill them all. Raises NotBilledError.
    """
    _must_be_over(period, is_dry=is_dry)
    chosen = billable(by)
    if frameworks is not None:
        chosen = [one for one in chosen if one.code in frameworks]
    if not chosen:
        raise NotBilledError(
            _("You bill no framework agreement: it takes a role for its holder, or for all who "
              "call off under it.")
        )  # fmt: skip
    with transaction.atomic():
        outcome = _run(period, chosen, by=by, is_dry=is_dry)
        _must_be_issuable(outcome, fingerprint=fingerprint)
        if is_dry:
            transaction.set_rollback(True)
        else:
            kept.keep(one for one, _lines in outcome.invoices)
    return outcome


def billable(by: Any) -> list[FrameworkAgreement]:
    """The agreements that somebody may bill: pools are shared among all who call off."""
    rows = list(FrameworkAgreement.objects.select_related("supplier", "holder").order_by("code"))
    if isinstance(by, str):
        return rows
    held = organisations_of(by, roles=CONTRACT_ROLES)
    if held is None:
        return rows
    return [
        one for one in rows if one.holder_id in held or (buyers := _buyers(one)) and buyers <= held
    ]


def _buyers(framework: FrameworkAgreement) -> set[int]:
    return set(framework.call_offs.values_list("organisation", flat=True))


def _run(
    period: date, frameworks: Sequence[FrameworkAgreement], *, by: Any, is_dry: bool
) -> Outcome:
    locked = FrameworkAgreement.objects.select_for_update(no_key=True)
    list(locked.filter(pk__in=[one.pk for one in frameworks]).order_by("pk"))
    if not is_dry:
        _lock_suppliers(frameworks)
    _must_follow(period, frameworks)
    actor = str(getattr(by, "username", by))
    made = BillingRun.objects.create(period=period, made_at=timezone.now(), made_by=actor)
    terms = {one: facts.facts_of(one, month=period) for one in frameworks}
    try:
        late = [each for one, found in terms.items() for each in _thresholds(one, found)]
        booked = booking.book(made, frameworks, late=late)
        rates = rates_held()
        invoices = [
            invoice
            for one in frameworks
            for invoice in issuing.issue(made, one, terms[one], rates=rates, booked=booked)
        ]
    except _NOT_RATED as fault:
        raise NotBilledError(str(fault)) from fault
    problems = sorted({told for one, _lines in invoices for told in issuing.problems_of(one)})
    outcome = Outcome(
        period, is_dry, booked.events, invoices, _fingerprint(invoices), problems,
        None if is_dry else made,
    )  # fmt: skip
    if not is_dry:
        audit.record(
            "billing.run", actor=by, subject=f"{period:%Y-%m}", run=str(made.uid),
            events=booked.events, invoices=[one.number for one, _lines in invoices],
            fingerprint=outcome.fingerprint,
        )  # fmt: skip
    return outcome


def _lock_suppliers(frameworks: Sequence[FrameworkAgreement]) -> None:
    """Whose documents are numbered, in one order for all runs."""
    suppliers = {one.supplier_id for one in frameworks}
    call_offs = CallOff.objects.filter(framework__in=frameworks, supplier__isnull=False)
    suppliers |= set(call_offs.values_list("supplier", flat=True))
    list(Vendor.objects.select_for_update(no_key=True).filter(pk__in=suppliers).order_by("pk"))


def _thresholds(framework: FrameworkAgreement, found: dict[str, Any]) -> Iterator[Threshold]:
    """When results are late, by each version of each price of an agreement."""
    agreed = {one["algorithm"] for one in found["framework"]["price_book"] or []}
    for algorithm, versions in facts.agreement_in(found).prices.items():
        if algorithm not in agreed:  # a call-off's own, with the agreement's level of service
            continue
        known = sorted(versions, key=lambda one: one.valid_from)
        ends = [*(one.valid_from for one in known[1:]), None]
        for version, end in zip(known, ends, strict=True):
            sla, since = version.price.sla, version.valid_from
            if sla and sla.late_after is not None:
                yield Threshold(framework.pk, algorithm, sla.late_after, since, end)


def _must_be_over(period: date, *, is_dry: bool) -> None:
    if period.day != 1:
        raise NotBilledError(_("period: expected a month such as 2026-06"))
    today = timezone.now().astimezone(CONTRACT_ZONE).date()
    if not is_dry and not is_over(period, today=today):
        raise NotBilledError(
            _("period: %(month)s is not over; until then there are dry runs only")
            % {"month": f"{period:%Y-%m}"}
        )


def is_over(month: date, *, today: date) -> bool:
    """Whether the last day of the month that begins on ``month`` is behind, where today is so."""
    return last_day_of(month) < today


def _must_follow(period: date, frameworks: Sequence[FrameworkAgreement]) -> None:
    """A month that was billed is made up for in the next; it is not billed again from before."""
    last = Invoice.objects.filter(call_off__framework__in=frameworks, run__isnull=False)
    newest = last.aggregate(newest=Max("run__period"))["newest"]
    if newest and newest > period:
        raise NotBilledError(
            _("period: %(newest)s was billed already; what came late for %(month)s is in the next "
              "run from %(newest)s on") % {"newest": f"{newest:%Y-%m}", "month": f"{period:%Y-%m}"}
        )  # fmt: skip


def _must_be_issuable(outcome: Outcome, *, fingerprint: str) -> None:
    if outcome.is_dry:
        return
    if outcome.problems:
        raise NotBilledError("\n".join(outcome.problems))
    if fingerprint and fingerprint != outcome.fingerprint:
        raise ChangedMeanwhileError(
            _("fingerprint: usage or terms have changed since the dry run; look at it again")
        )


def _fingerprint(invoices: Sequence[tuple[Invoice, Sequence[InvoiceLine]]]) -> str:
    told = [
        [one.call_off_id, one.kind, str(one.net), str(one.vat),
         [[line.key, str(line.quantity), str(line.amount)] for line in lines]]
        for one, lines in invoices
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
