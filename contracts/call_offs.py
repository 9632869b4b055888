"""The life of a call-off: which state may follow which, who moved it there, and who approved it.

This is the only writer of a call-off's state. Two people approve what the hub itself orders; what a
set-up file brings in was agreed elsewhere, and is signed for by who applies the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from contracts import approving, offered, seen, utilisation
from contracts.models import CallOff, CallOffApproval, FrameworkAgreement
from contracts.utilisation import Utilisation
from hub import audit

State = CallOff.State

MOVES: dict[str, frozenset[str]] = {
    State.DRAFT: frozenset({State.APPROVED, State.CANCELLED}),
    State.APPROVED: frozenset({State.ORDERED, State.CANCELLED}),
    State.ORDERED: frozenset({State.ACTIVE, State.CANCELLED}),
    State.ACTIVE: frozenset({State.CLOSED}),
    State.CLOSED: frozenset(),
    State.CANCELLED: frozenset(),
}
PEOPLE = 2


class CallOffMoveError(Exception):
    """The call-off may not go from its present state to the one asked for."""


class MaximumValueReached(CallOffMoveError):
    """What the call-off commits would pass the maximum value; ``headroom`` is what is left."""

    def __init__(self, message: str, *, headroom: Decimal) -> None:
        super().__init__(message)
        self.headroom = headroom


@dataclass(frozen=True, slots=True)
class Approval:
    """What came of a person's approval: who approved so far, and what the agreement then binds."""

    approved_by: tuple[str, ...]
    is_approved: bool
    utilisation: Utilisation


@transaction.atomic
def approve(call_off: CallOff, *, by: Any, of: str = seen.ANY) -> Approval:
    """Note that ``by`` approves the draft; the second of two people makes it approved.

    ``of`` is what the person has seen: its fingerprint then, or its revision. Raises
    CallOffMoveError where it is no draft, lacks what an order needs, or was approved by the same
    person before; ChangedMeanwhile where it is no longer what was seen; MaximumValueReached where
    the agreement or its lot has no room for it.
    """
    framework = lock(call_off.framework)
    call_off.refresh_from_db()
    if call_off.state != State.DRAFT:
        raise CallOffMoveError(
            _("%(call_off)s is not a draft, so it cannot be approved.") % {"call_off": call_off}
        )
    seen.demand(call_off, of.split())
    fingerprint = approving.fingerprint(call_off)
    if problems := approving.problems_of(call_off, framework, on=approving.today()):
        raise CallOffMoveError(" ".join(problems))
    after = demand_room(call_off)
    given = call_off.approvals.filter(fingerprint=fingerprint).select_related("user")
    if given.filter(user=by).exists():
        raise CallOffMoveError(_("You have approved it already: a second person must."))
    CallOffApproval.objects.create(
        call_off=call_off, user=by, at=timezone.now(), fingerprint=fingerprint
    )
    audit.record("call_off_approved", actor=by, subject=call_off.code, **seen.of(call_off))
    names = tuple(one.user.username for one in given.order_by("pk"))
    if len(names) >= PEOPLE:
        offered.write_down(call_off)
        _advance(call_off, to=State.APPROVED, by=by, approved_by=list(names))
        _warn(framework, by=by, before=after.with_more(-call_off.committed_value), after=after)
    return Approval(names, len(names) >= PEOPLE, after)


@transaction.atomic
def move(call_off: CallOff, *, to: str, by: Any, of: str = seen.ANY) -> CallOff:
    """Bring a call-off to the state ``to``; from then on entitlement judges by it.

    Raises CallOffMoveError where the move is not allowed or somebody else moved it meanwhile,
    ChangedMeanwhile where it is no longer the revision ``of`` which this is asked; to be approved
    takes two people, and approve().
    """
    if to == State.APPROVED:
        raise CallOffMoveError(
            _("%(call_off)s becomes approved when two people approve it.") % {"call_off": call_off}
        )
    if of != seen.ANY:
        lock(call_off.framework)
        call_off.refresh_from_db()
        seen.demand(call_off, of.split())
    _demand_move(call_off, to)
    return _advance(call_off, to=to, by=by)


@transaction.atomic
def enter(call_off: CallOff, *, to: str, by: Any, is_return: bool = False) -> CallOff:
    """Take in a call-off that a set-up file says was agreed already, in the state it has there.

    ``by`` applied the file and signs for it. Raises MaximumValueReached, unless another hub
    exported it (``is_return``): what it invoiced beyond the maximum it may take along.
    """
    if to in utilisation.COMMITTED and not is_return:
        lock(call_off.framework)
        demand_room(call_off)
    return _advance(call_off, to=to, by=by, signed_for="set-up file")


@transaction.atomic
def add_invoiced(call_off: CallOff, *, net: Decimal, by: Any) -> Utilisation:
    """Count an invoice (or, below zero, a credit note) under the call-off; gives what is bound.

    What is invoiced is never refused here: it was used, and stops what would be approved next.
    """
    framework = lock(call_off.framework)
    before = utilisation.of_framework(framework)
    CallOff.objects.filter(pk=call_off.pk).update(invoiced_to_date=F("invoiced_to_date") + net)
    after = utilisation.of_framework(FrameworkAgreement.objects.get(pk=framework.pk))
    _warn(framework, by=by, before=before, after=after)
    return after


def lock(framework: FrameworkAgreement) -> FrameworkAgreement:
    """Let nobody else bind anything under the agreement until the transaction ends.

    Written, not selected for update: so it waits for who applies a set-up before it holds anything.
    """
    FrameworkAgreement.objects.filter(pk=framework.pk).update(title=F("title"))
    return FrameworkAgreement.objects.get(pk=framework.pk)


def demand_room(call_off: CallOff) -> Utilisation:
    """What the agreement binds with this call-off; raises MaximumValueReached where it is too much.

    The call-off's own row counts by what it commits, whatever its state; lock() first.
    """
    framework = call_off.framework
    new = max(call_off.committed_value, call_off.invoiced_to_date)
    others = CallOff.objects.filter(framework=framework).exclude(pk=call_off.pk)
    maximum = FrameworkAgreement.objects.values_list("maximum_value", flat=True).get(
        pk=framework.pk
    )
    whole = Utilisation(utilisation.total(map(utilisation.bound_by, others)), maximum)
    _demand(whole, new, framework=framework, where=framework.code)
    lot = framework.lots.filter(code=call_off.lot, maximum_value__isnull=False).first()
    if lot is not None and lot.maximum_value is not None:
        rows = others.filter(lot=lot.code)
        part = Utilisation(
            utilisation.total(map(utilisation.bound_by, rows)), lot.maximum_value
        )
        _demand(part, new, framework=framework, where=f"{framework.code}, {lot.code}")
    return whole.with_more(new)


def _demand(
    held: Utilisation, new: Decimal, *, framework: FrameworkAgreement, where: str
) -> None:
    if held.has_room_for(new) or not new:
        return
    text = _(
        "The maximum value of %(agreement)s is %(maximum)s %(currency)s, of which %(used)s are "
        "bound: %(headroom)s are left, and this call-off commits %(new)s."
    )
    left = max(held.headroom, utilisation.ZERO)
    told = {
        "agreement": where,
        "maximum": amount(held.maximum),
        "currency": framework.currency,
        "used": amount(held.used),
        "headroom": amount(left),
        "new": amount(new),
    }
    raise MaximumValueReached(text % told, headroom=left)


def amount(value: Decimal) -> str:
    """An amount for people, thousands apart by no-break spaces."""
    return f"{value:,.2f}".replace(",", "\N{NO-BREAK SPACE}")


def _demand_move(call_off: CallOff, to: str) -> None:
    if to not in MOVES[call_off.state]:
        raise CallOffMoveError(
            _("%(call_off)s cannot go from %(from)s to %(to)s")
            % {"call_off": call_off.code, "from": call_off.state, "to": to}
        )


def _advance(call_off: CallOff, *, to: str, by: Any, **details: Any) -> CallOff:
    was = call_off.state
    change: dict[str, Any] = {"state": to}
    if to == State.CLOSED and was == State.ACTIVE:
        change["closed_at"] = timezone.now()
    if not CallOff.objects.filter(pk=call_off.pk, state=was).update(**change):
        raise CallOffMoveError(
            _("%(call_off)s is no longer %(state)s") % {"call_off": call_off.code, "state": was}
        )
    audit.record(
        "call_off_moved", actor=by, subject=call_off.code, from_state=was, to_state=to, **details
    )
    for name, value in change.items():
        setattr(call_off, name, value)
    return call_off


def _warn(
    framework: FrameworkAgreement, *, by: Any, before: Utilisation, after: Utilisation
) -> None:
    """Leave on record that a threshold of the maximum value was passed."""
    if after.warning is not None and after.warning != before.warning:
        audit.record(
            "framework_utilisation", actor=by, subject=framework.code,
            threshold=after.warning, used=str(after.used), maximum=str(after.maximum),
        )  # fmt: skip
