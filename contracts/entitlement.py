"""Decides whether one algorithm version may be used on a study of a site now, and under what.

``decide()`` is the pure rule over facts; ``gather()`` reads the facts from the rows at that very
moment, so that a call-off closed at noon stops the next study at noon.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext_noop

from contracts import clauses
from contracts.agreements import AlgorithmHasNoPriceError, value_used
from contracts.clauses import (
    CallOffFacts,
    EntitlementFacts,
    FrameworkFacts,
    LineFacts,
    Refused,
)
from contracts.models import CallOff, CallOffLine, FrameworkAgreement
from contracts.naming import named
from contracts.pricing import PriceTermsError
from hub.models import Site
from marketplace import clearance, deployment
from marketplace.models import Algorithm, AlgorithmVersion, Deployment


@dataclass(frozen=True, slots=True)
class Granted:
    """May be used: under which line, for which purpose (shadow, validation, clinical)."""

    line_id: int
    call_off_code: str
    purpose: str
    write_back: str


Entitlement = Granted | Refused


def entitle(*, site: Site, version: AlgorithmVersion, at: datetime) -> Entitlement:
    """Whether ``version`` may be used on a study of ``site`` at the (aware) moment ``at``."""
    return decide(gather(site=site, version=version, at=at))


def decide(facts: EntitlementFacts) -> Entitlement:
    """Granted only if contract, CE mark and deployment all allow it; else the clause that does not.

    Of several call-offs the earliest that allows it is taken (``valid_from``, then code); where
    none does, the refusal is that of the call-off which came furthest through the gates.
    """
    covering = _covering_line(facts)
    if isinstance(covering, Refused):
        return covering
    call_off, line = covering
    if refusal := clearance.judge(facts.clearance, on=facts.on):
        return Refused(refusal.why, refusal.clause)
    purpose = _purpose(facts)
    if isinstance(purpose, Refused):
        return purpose
    return Granted(line.line_id, call_off.code, purpose, facts.write_back)


def gather(*, site: Site, version: AlgorithmVersion, at: datetime) -> EntitlementFacts:
    """The facts as the rows have them now; dates are judged at the local date of the site."""
    if at.tzinfo is None:
        raise ValueError("entitlement is judged at an aware moment, found a naive one")
    deployed = Deployment.objects.filter(site=site, version=version).first()
    return EntitlementFacts(
        on=at.astimezone(site.zone).date(),
        organisation=site.organisation.name,
        site=site.name,
        algorithm=version.algorithm.name,
        clearance=clearance.facts_of(version),
        call_offs=_call_offs(site, algorithm=version.algorithm, at=at),
        deployment_state=deployed.state if deployed else None,
        write_back=deployed.write_back if deployed else "",
    )


def _covering_line(facts: EntitlementFacts) -> tuple[CallOffFacts, LineFacts] | Refused:
    furthest = -1
    refusal = clauses.refused("call_off", gettext_noop("%(organisation)s has no call-off"), facts)
    for call_off in sorted(facts.call_offs, key=lambda each: (each.valid_from, each.code)):
        closed = _first_closed_gate(facts, call_off)
        if closed is None and call_off.line is not None:
            return call_off, call_off.line
        if closed is not None and closed[0] > furthest:
            furthest, refusal = closed
    return refusal


def _first_closed_gate(
    facts: EntitlementFacts, call_off: CallOffFacts
) -> tuple[int, Refused] | None:
    for depth, gate in enumerate(clauses.GATES):
        if refused := gate(facts, call_off):
            return depth, refused
    return None


def _purpose(facts: EntitlementFacts) -> str | Refused:
    what, state = facts.clearance.version, facts.deployment_state
    if state is None:
        return Refused(deployment.never_deployed(what, site=facts.site), "deployment")
    if state not in deployment.IN_USE:
        return Refused(deployment.out_of_use(what, site=facts.site, state=state), "deployment")
    return state


def _call_offs(site: Site, *, algorithm: Algorithm, at: datetime) -> tuple[CallOffFacts, ...]:
    rows = list(
        CallOff.objects.filter(organisation=site.organisation_id).select_related("framework")
    )
    lines = {
        line.call_off_id: LineFacts(line.pk, line.activated)
        for line in CallOffLine.objects.filter(call_off__in=rows, site=site, algorithm=algorithm)
    }
    frameworks = {row.framework_id: row.framework for row in rows}
    facts = {
        pk: _framework(framework, site=site, algorithm=algorithm, at=at)
        for pk, framework in frameworks.items()
    }
    return tuple(
        CallOffFacts(
            code=row.code,
            framework=facts[row.framework_id],
            state=row.state,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            line=lines.get(row.pk),
        )
        for row in rows
    )


def _framework(
    framework: FrameworkAgreement, *, site: Site, algorithm: Algorithm, at: datetime
) -> FrameworkFacts:
    price_error = ""
    try:
        value = value_used(framework, algorithm=algorithm, at=at)
    except AlgorithmHasNoPriceError:
        value = None
    except PriceTermsError as error:
        value, price_error = None, str(error)
    on = at.astimezone(site.zone).date()
    names = tuple(
        named(row, on=on)
        for row in framework.authorities.filter(organisation=site.organisation_id)
        .select_related("option").order_by("pk")
    )
    return FrameworkFacts(
        code=framework.code,
        valid_from=framework.valid_from,
        valid_to=framework.valid_to,
        maximum_value=framework.maximum_value,
        names_organisation=any(one.may_call_off(on) for one in names),
        named=names,
        currency=framework.currency,
        value_used=value.used if value else None,
        value_with_one_more=value.with_one_more if value else None,
        price_error=price_error,
    )
