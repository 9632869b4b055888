"""What a mini-competition is about: the sites that it is for, and the algorithms offered in it.

It asks for the items of its priced scenario; each offer says with which algorithm of the agreement
it meets an item. An item that is itself the code of an algorithm is met with that one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from contracts import supplying
from contracts.models import FrameworkAgreement, Procedure, Submission
from hub.models import Site
from marketplace.models import Algorithm
from vendors.models import Vendor

KIND = Procedure.Kind.MINI_COMPETITION


def under(framework: FrameworkAgreement, *, for_any: frozenset[int] | None) -> list[Procedure]:
    """Those under the agreement in which one of the organisations takes part; None: all of them."""
    rows = Procedure.objects.filter(kind=KIND, framework=framework).order_by("-pk")
    found = list(rows.select_related("organisation", "framework", "winner__vendor"))
    return [one for one in found if for_any is None or organisations_of(one) & for_any]


def sites_of(competition: Procedure) -> QuerySet[Site]:
    """The sites that it is for: those that it names, or all of the organisation that holds it."""
    rows = Site.objects.select_related("organisation").order_by("name")
    if competition.sites:
        return rows.filter(code__in=competition.sites)
    return rows.filter(organisation=competition.organisation_id)


def organisations_of(competition: Procedure) -> frozenset[int]:
    """Keys of the organisations that take part as buyers: who holds it, or those of its sites."""
    if not competition.sites:
        return frozenset({competition.organisation_id})
    return frozenset(sites_of(competition).values_list("organisation", flat=True))


def offerable(framework: FrameworkAgreement, vendor: Vendor | int) -> QuerySet[Algorithm]:
    """The priced algorithms that a supplier may offer: any but those of another supplier."""
    key = vendor if isinstance(vendor, int) else vendor.pk
    others = supplying.suppliers_of(framework) - {key}
    priced = framework.price_book.values("algorithm")
    return Algorithm.objects.filter(pk__in=priced).exclude(vendor__in=others).order_by("code")


def won_with(competition: Procedure) -> frozenset[str] | None:
    """Codes of the algorithms that the winning offer names; None where it names none.

    Offers of earlier releases name none, and of a competition that was led elsewhere there is none.
    """
    won = winning_tender(competition)
    if won is None:
        return None
    lines = (won.offer or {}).get("lines") or []
    named = {met_with(line) for line in lines if isinstance(line, Mapping)}
    known = Algorithm.objects.filter(code__in=named).values_list("code", flat=True)
    return frozenset(known) or None


def winning_tender(competition: Procedure) -> Submission | None:
    """The tender that won; None where it was not handed in here."""
    if competition.winner_id is None:
        return None
    return Submission.objects.filter(
        participant=competition.winner_id, kind=Submission.Kind.FINAL,
        state=Submission.State.OPENED,
    ).last()  # fmt: skip


def met_with(line: Mapping[str, Any]) -> str:
    """The code of the algorithm that a line of an offer names, or that its item may be."""
    return str(line.get("algorithm") or line.get("item") or "")


def problems_of_offer(
    procedure: Procedure, vendor: Vendor, offer: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """Field and rule of each item that an offer in a mini-competition meets with nothing."""
    if procedure.kind != KIND or procedure.framework is None:
        return []
    known = set(offerable(procedure.framework, vendor).values_list("code", flat=True))
    rule = _("expected the algorithm that meets %(item)s, one of: %(known)s")
    return [
        (f"offer.lines[{n}].algorithm", rule % {
            "item": str(line["item"])[:100], "known": ", ".join(sorted(known)) or "–",
        })
        for n, line in enumerate(offer.get("lines") or [])
        if met_with(line) not in known
    ]  # fmt: skip
