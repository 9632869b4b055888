"""What a usage would cost under a set-up: the set-up and a list of usage in, invoices out.

Nothing is kept. Where a set-up file is given, nothing is read from the database either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import localcontext
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from contracts import vat
from contracts.billing.wording import description_of
from contracts.priced import agreement_of
from contracts.pricing import PriceTermsError, contract_year_of, rate
from contracts.pricing.basis import NoPriceError
from contracts.pricing.indexing import UnknownIndexError
from contracts.pricing.rating import DIGITS
from contracts.pricing.statements import Statement, statements
from contracts.usage_lists import Listed, read_usage
from contracts.usage_rows import Fault, UsageRefused
from hub.access import CONTRACT_ROLES
from hub.configuration import planning, registry
from hub.configuration.problems import Place, Problem, Report, SetUpRefused
from hub.configuration.reader import in_database
from hub.configuration.reading import read_parts
from hub.configuration.registry import World

# The sections that prices hang on, each with the fields that do not matter to them: the manifests
# of algorithms would be further files.
NOT_OF_A_COMPETITION = frozenset({
    "state", "purpose", "strategy", "estimated_value", "maximum_value", "notice_type",
    "notice_reference", "requests_due_at", "tenders_due_at", "reduces_successively",
    "least_candidates", "most_candidates", "dialogue_plan", "evaluation_model", "winner",
    "contract_reference", "end_reason", "market_contacts", "requirements", "participants", "rounds",
    "questions", "suggestions", "evaluation_frozen", "decisions", "scores",
})  # fmt: skip
SECTIONS: Mapping[str, frozenset[str]] = {
    "organisations": frozenset(),
    "sites": frozenset(),
    "vendors": frozenset(),
    "algorithms": frozenset({"versions"}),
    "index_series": frozenset(),
    "vat_rates": frozenset(),
    "frameworks": frozenset(),
    "procedures": NOT_OF_A_COMPETITION,
    "call_offs": frozenset(),
}
CANCELLED = "cancelled"
# years in which an agreement can lie: what is rated grows with every month between them
FIRST, LAST = date(1990, 1, 1), date(2089, 12, 31)


@dataclass(frozen=True, slots=True)
class Terms:
    """A set-up as far as prices hang on it."""

    world: World
    rates: vat.Rates


def terms_in(documents: Iterable[tuple[str, bytes]]) -> Terms:
    """The terms of set-up files, each given by its name and content; raises SetUpRefused."""
    report = Report()
    world = World(read_parts(documents, report=report, dropped=SECTIONS))
    planning.examine(world, report=report)
    report.refuse_if_any()
    return Terms(world, vat.rates_with(_values(world, "vat_rate")))


def terms_of_files(names: Iterable[str]) -> Terms:
    """The terms of set-up files by their names; raises SetUpRefused."""
    documents = []
    for name in names:
        try:
            documents.append((name, Path(name).read_bytes()))
        except (OSError, ValueError) as error:
            text = _("expected a file that can be read: %(why)s")
            told = text % {"why": getattr(error, "strerror", error)}
            raise SetUpRefused([Problem(Place(name, 1), "", "", "", told)]) from error
    return terms_in(documents)


def terms_held(user: Any) -> Terms:
    """The terms of the agreements in the database, with the call-offs that the user may see."""
    items = {
        name: {
            code: in_database(registry.kind(name).section, code, value)
            for code, (_, value) in registry.kind(name).held().items()
        }
        for name in ("organisation", "index_series", "framework", "call_off")
    }
    theirs = _organisations_of(user)
    items["call_off"] = {
        code: item
        for code, item in items["call_off"].items()
        if theirs is None or item.value["organisation"] in theirs
    }
    return Terms(World(items), vat.rates_held())


def simulate(terms: Terms, usage: Any, *, until: date | None = None) -> dict[str, Any]:
    """The invoices and credit notes for ``usage``, as JSON values; see read_usage() for its shape.

    Each agreement is rated to the end of the contract year of the last usage, so that minimum,
    fees and outcome of that year are in it, or to the day ``until``. Raises UsageRefused.
    """
    documents: list[tuple[date, str, str, dict[str, Any]]] = []
    with localcontext(prec=DIGITS):
        for listed in read_usage(usage, agreements=_agreements(terms)):
            for one in _statements(terms, listed, until=until):
                place = (one.month, one.organisation, listed.agreement.code)
                documents.append((*place, _document(one)))
    return {"invoices": [one for *_place, one in sorted(documents, key=lambda one: one[:3])]}


def _organisations_of(user: Any) -> set[str] | None:
    """The organisations whose contracts are the user's to see; None: all of them."""
    held = user.memberships.filter(role__in=CONTRACT_ROLES, site=None)
    codes = set(held.values_list("organisation__code", flat=True))
    return None if None in codes else codes


def _agreements(terms: Terms) -> list[Any]:
    call_offs = [one for one in _values(terms.world, "call_off") if one["state"] != CANCELLED]
    series = _values(terms.world, "index_series")
    return [
        agreement_of(framework, call_offs=call_offs, index_series=series)
        for framework in _values(terms.world, "framework")
    ]


def _statements(terms: Terms, listed: Listed, *, until: date | None) -> list[Statement]:
    agreement = listed.agreement
    if not (FIRST <= agreement.begins <= agreement.ends <= LAST):
        text = _("expected an agreement within %(first)s and %(last)s, found %(found)s")
        told = {"first": FIRST.year, "last": LAST.year, "found": agreement.code}
        raise UsageRefused([Fault("usage", text % told)])
    last = listed.last_day or agreement.begins
    if last > LAST:
        text = _("expected a day up to %(last)s, found %(found)s")
        raise UsageRefused([Fault("usage", text % {"last": LAST, "found": last})])
    end = contract_year_of(min(agreement.last_use, LAST), begins=agreement.begins).last
    year = contract_year_of(last, begins=agreement.begins)
    as_of = year.last if until is None else min(until, end)
    try:
        lines = rate(agreement, listed.usages, as_of=as_of)
    except (UnknownIndexError, NoPriceError, PriceTermsError) as fault:
        raise UsageRefused([Fault("usage", f"{agreement.code}: {fault}")]) from fault
    treatment = terms.world.value("framework", agreement.code)["vat"]

    def rate_of(organisation: str, month: date) -> Any:
        country = terms.world.value("organisation", organisation)["country"]
        on = (month.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        return vat.tax_on(terms.rates, treatment=treatment, country=country, on=on).rate

    try:
        return statements(lines, vat_rate=rate_of)
    except vat.UnknownVatRateError as fault:
        raise UsageRefused([Fault("vat_rates", str(fault))]) from fault


def _document(one: Statement) -> dict[str, Any]:
    return {
        "organisation": one.organisation,
        "month": f"{one.month:%Y-%m}",
        "type": one.type,
        "net": f"{one.net:.2f}",
        "vat": f"{one.vat:.2f}",
        "gross": f"{one.gross:.2f}",
        "lines": [
            {
                "algorithm": line.line.algorithm,
                "site": line.line.site,
                "description": description_of(line.kind, amount=line.amount),
                "quantity": line.quantity,
                "amount": f"{line.amount:.2f}",
            }
            for line in one.lines
        ],
    }


def _values(world: World, kind: str) -> list[dict[str, Any]]:
    return [item.value for item in world.of(kind).values()]
