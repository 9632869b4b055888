"""Who may ask for which act on an agreement: finds the row, asks for the role, calls the verb."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext as _

from contracts import call_offs, options, reading
from contracts.models import AuthorityOption, CallOff, FrameworkAgreement, TermOption
from contracts.seen import ANY
from hub.access import holds_role, holds_role_for
from hub.models import Organisation

if TYPE_CHECKING:
    from hub.models import User

# An administrator of the software sees contracts, and makes none.
OFFICER = ("procurement_officer",)


def approve(user: User, pk: int, *, of: str = ANY) -> CallOff:
    """Approve a draft, on behalf of a procurement officer of who buys; ``of`` is what was seen."""
    call_off = _call_off(user, pk)
    _demand(user, call_off.organisation)
    call_offs.approve(call_off, by=user, of=of)
    return _call_off(user, pk)


def draft_to_change(user: Any, pk: int) -> CallOff:
    """The call-off, for a procurement officer of who buys; whether it is a draft, the verb says."""
    call_off = _call_off(user, pk)
    _demand(user, call_off.organisation)
    return call_off


def move(user: User, pk: int, *, to: str, of: str = ANY) -> CallOff:
    """Order, activate, close or cancel a call-off, on behalf of who buys."""
    call_off = _call_off(user, pk)
    _demand(user, call_off.organisation)
    call_offs.move(call_off, to=to, by=user, of=of)
    return _call_off(user, pk)


def move_option(
    user: User, pk: int, *, organisation: str, to: str, of: str = ANY
) -> FrameworkAgreement:
    """Exercise or decline the option of an organisation, on its behalf; ``of`` is what was seen."""
    framework = _framework(user, pk)
    option = AuthorityOption.objects.filter(
        authority__framework=framework, authority__organisation__code=organisation
    ).first()
    if option is None:
        raise Http404
    _demand(user, option.authority.organisation)
    options.move(option, to=to, by=user, of=of)
    return _framework(user, pk)


def move_term_option(
    user: User, pk: int, *, code: str, to: str, of: str = ANY
) -> FrameworkAgreement:
    """Exercise or decline an option of the agreement itself, on behalf of its holder."""
    framework = _framework(user, pk)
    option = TermOption.objects.filter(framework=framework, code=code).first()
    if option is None:
        raise Http404
    _demand(user, framework.holder)
    options.move(option, to=to, by=user, of=of)
    return _framework(user, pk)


def framework_to_change(user: Any, pk: int) -> FrameworkAgreement:
    """The agreement, for a procurement officer of its holder."""
    framework = _framework(user, pk)
    _demand(user, framework.holder)
    return framework


def demand_officer(user: Any) -> None:
    """Refuse who is procurement officer of nobody."""
    if not holds_role(user, roles=OFFICER):
        raise PermissionDenied(_("Only a procurement officer may do this."))


def may_act_for(user: Any, organisation: Organisation) -> bool:
    """Whether the user buys for the organisation."""
    return holds_role_for(user, organisation, roles=OFFICER)


def _framework(user: User, pk: int) -> FrameworkAgreement:
    if found := reading.frameworks(user).filter(pk=pk).first():
        return found
    raise Http404


def _call_off(user: User, pk: int) -> CallOff:
    if found := reading.call_offs(user).filter(pk=pk).first():
        return found
    raise Http404


def _demand(user: User, organisation: Organisation) -> None:
    if not may_act_for(user, organisation):
        raise PermissionDenied(
            _("Only a procurement officer of %(organisation)s may do this.")
            % {"organisation": organisation}
        )
