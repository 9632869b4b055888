"""What people are shown of agreements: only the rows that are theirs to see, fetched at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Prefetch, Q

from contracts import approving, supplying, utilisation
from contracts.amendments import Change, Step, steps
from contracts.call_offs import MOVES
from contracts.models import (
    Authority,
    CallOff,
    FrameworkAgreement,
    Procedure,
)
from contracts.models.agreements import FrameworkQuerySet
from contracts.models.call_offs import CallOffQuerySet
from contracts.models.options import Option
from hub.access import CONTRACT_ROLES, organisations_of
from hub.models import Organisation
from vendors import legal
from vendors.models import Vendor


def frameworks(user: Any) -> FrameworkQuerySet:
    """The agreements that name an organisation of the user, the newest first."""
    return (
        FrameworkAgreement.objects.visible_to(user)
        .select_related("holder", "supplier")
        .prefetch_related("call_offs")
        .order_by("-valid_from", "code")
    )


def whole_frameworks(user: Any) -> FrameworkQuerySet:
    """The same, with all that a page about one of them tells; of call-offs those of the user."""
    return frameworks(user).prefetch_related(
        "authorities__organisation",
        "authorities__option",
        "lots",
        "suppliers__vendor",
        "term_options",
        "amendments",
        "price_book__algorithm",
        Prefetch("call_offs", queryset=call_offs(user), to_attr="seen_call_offs"),
    )


def call_offs(user: Any) -> CallOffQuerySet:
    """The call-offs that the user may see, the newest first."""
    return (
        CallOff.objects.visible_to(user)
        .select_related(
            "framework__holder", "framework__supplier", "organisation", "supplier",
            "competed__competition",
        )
        .prefetch_related("lines__algorithm", "lines__site", "approvals__user")
        .order_by("-valid_from", "code")
    )


def following_from(competition: Procedure, user: Any) -> CallOffQuerySet:
    """The call-offs that followed from a mini-competition, of those that the user may see."""
    return call_offs(user).filter(competed__competition=competition)


def organisations(user: Any) -> Any:
    """The user's organisations, and those that are named in the same agreements."""
    rows = Organisation.objects.prefetch_related("roles").order_by("code")
    mine = organisations_of(user, roles=CONTRACT_ROLES)
    if mine is None:
        return rows
    seen = FrameworkAgreement.objects.visible_to(user)
    beside = seen.values("authorities__organisation"), seen.values("holder")
    return rows.filter(Q(pk__in=mine) | Q(pk__in=beside[0]) | Q(pk__in=beside[1]))


def approvals(call_off: CallOff) -> list[dict[str, Any]]:
    """Who approved the call-off and when; ``is_current`` tells whether as it is now."""
    now = approving.fingerprint(call_off)
    return [
        {"user": one.user.username, "at": one.at, "is_current": one.fingerprint == now}
        for one in sorted(call_off.approvals.all(), key=lambda one: one.pk)
    ]


def moves_of(call_off: CallOff) -> list[str]:
    """The states that people may bring it to by themselves; approval takes two."""
    return sorted(MOVES[call_off.state] - {CallOff.State.APPROVED})


def amendment_steps(framework: FrameworkAgreement) -> list[dict[str, Any]]:
    """Each amendment with its share of the original value, and that of all so far."""
    rows = sorted(framework.amendments.all(), key=lambda one: one.number)
    changes = [
        Change(one.number, one.agreed, one.reason, one.value_before, one.value_after)
        for one in rows
    ]
    found: Iterator[Step] = steps(changes, added=legal.recorded())
    return [{"amendment": row, "step": step} for row, step in zip(rows, found, strict=True)]


def may_see_plans(user: Any, authority: Authority) -> bool:
    """Whether what the organisation estimates for itself is the user's to see."""
    held = organisations_of(user, roles=CONTRACT_ROLES)
    return (
        held is None
        or authority.organisation_id in held
        or authority.framework.holder_id in held
    )


def option_state(option: Option | None) -> str:
    """The state of an option today, "" where there is none."""
    return option.state_on(approving.today()) if option is not None else ""


def lot_utilisations(framework: FrameworkAgreement) -> list[dict[str, Any]]:
    """Each lot with its suppliers and its utilisation, None where it has no maximum of its own."""
    return [
        {
            "lot": lot,
            "utilisation": utilisation.of_lot(lot),
            "suppliers": Vendor.objects.filter(
                pk__in=supplying.suppliers_of(framework, lot=lot.code)
            ).values_list("name", flat=True),
        }
        for lot in framework.lots.all()
    ]
