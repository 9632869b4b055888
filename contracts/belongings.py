"""What of contracts belongs to one organisation when it leaves: agreements, approvals, usage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contracts import metering
from contracts.models import (
    CallOff,
    CallOffApproval,
    CallOffLine,
    FrameworkAgreement,
    UsageEvent,
)
from contracts.models.agreements import OVERSEEING
from hub.configuration import belongings, naturals, registry
from hub.configuration.belongings import Table
from hub.configuration.reader import Value
from hub.models import Organisation, Site, User
from marketplace.models import Algorithm, AlgorithmVersion

PRIVATE = ("own_estimate", "soft_cap", "joinder_document")


def _own_framework(value: Value, owner: registry.Owner) -> Value | None:
    """An agreement that names it; of the options of others only what the notice says."""
    named = {
        one["role"] for one in value["authorities"] or []
        if one["organisation"] == owner.organisation
    }  # fmt: skip
    if value["holder"] == owner.organisation or named & set(OVERSEEING):
        return value
    if not named:
        return None
    authorities = [
        one if one["organisation"] == owner.organisation or not one["option"]
        else {**one, "option": {**one["option"], **dict.fromkeys(PRIVATE)}}
        for one in value["authorities"]
    ]  # fmt: skip
    return {**value, "authorities": authorities}


def _own_call_off(value: Value, owner: registry.Owner) -> Value | None:
    return value if value["organisation"] == owner.organisation else None


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
        "version__algorithm", "site",
    )  # fmt: skip


registry.share("framework", _own_framework)
registry.share("call_off", _own_call_off)
registry.share("legal_limit", lambda value, owner: value)
belongings.subjects(_subjects)
naturals.call(User, "username")
naturals.call(Organisation, "code")
naturals.call(Site, "code")
naturals.call(Algorithm, "code")
naturals.call(AlgorithmVersion, "algorithm", "version")
naturals.call(FrameworkAgreement, "code")
naturals.call(CallOff, "code")
naturals.call(CallOffLine, "call_off", "algorithm", "site")
belongings.register(Table(
    "approvals", CallOffApproval, "who approved which call-off, and what it said then (SHA-256)",
    _approvals, ("call_off", "user", "fingerprint"),
))  # fmt: skip
belongings.register(Table(
    "usage", UsageEvent, "the usage events of its call-offs; a study is a keyed hash",
    _usage, ("source", "event_id"), metering.count_up,
))  # fmt: skip
