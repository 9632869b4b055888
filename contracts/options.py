"""Options: an organisation joins an agreement, an agreement is extended; who declared it when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from contracts import approving, pricing, seen_agreements
from contracts.models import AuthorityOption, FrameworkAgreement, OptionState, TermOption
from hub import audit
from hub.configuration.entries import ANY

MOVES: dict[str, frozenset[str]] = {
    OptionState.DECLARED: frozenset(
        {OptionState.EXERCISED, OptionState.LAPSED, OptionState.DECLINED}
    ),
    OptionState.EXERCISED: frozenset({OptionState.ACTIVE, OptionState.LAPSED}),
    OptionState.ACTIVE: frozenset({OptionState.LAPSED}),
    OptionState.LAPSED: frozenset(),
    OptionState.DECLINED: frozenset(),
}


class OptionMoveError(Exception):
    """The option may not go from its present state to the one asked for."""


@transaction.atomic
def move(option: AuthorityOption | TermOption, *, to: str, by: Any, of: str = ANY) -> None:
    """Bring an option to the state ``to``; an extension that is exercised moves the last day.

    Raises OptionMoveError where the table has no such move, or it was to be exercised earlier, and
    EntryChanged where the agreement is none of the revisions ``of`` any more.
    """
    seen_agreements.lock(_agreement_of(option), of=of)
    option.refresh_from_db()
    day = approving.today()
    seen, now = option.state, option.state_on(day)
    if to not in MOVES[now]:
        raise OptionMoveError(
            _("%(option)s cannot go from %(from)s to %(to)s")
            % {"option": name_of(option), "from": _label(now), "to": _label(to)}
        )
    changes: dict[str, Any] = {"state": to}
    if to == OptionState.EXERCISED:
        changes |= {"exercised": day, "exercised_by": by.username}
    type(option)._default_manager.filter(pk=option.pk).update(**changes)
    audit.record(
        "option_moved", actor=by, subject=name_of(option)[:200], from_state=seen, to_state=to
    )
    option.refresh_from_db()
    if to == OptionState.EXERCISED and isinstance(option, TermOption):
        _extend(option, by=by)


def _label(state: str) -> str:
    return str(OptionState(state).label) if state in OptionState.values else state


def name_of(option: AuthorityOption | TermOption) -> str:
    """What the option is called: its agreement, and whose or which it is."""
    if isinstance(option, TermOption):
        return f"{option.framework.code}/{option.code}"
    return f"{option.authority.framework.code}/{option.authority.organisation.code}"


def _agreement_of(option: AuthorityOption | TermOption) -> FrameworkAgreement:
    return option.framework if isinstance(option, TermOption) else option.authority.framework


def _extend(option: TermOption, *, by: Any) -> None:
    if option.kind != TermOption.Kind.EXTENSION or not option.months:
        return
    framework = option.framework
    before = framework.valid_to
    first_day_after = pricing.months_after(before + timedelta(days=1), option.months)
    framework.valid_to = first_day_after - timedelta(days=1)
    framework.save(update_fields=["valid_to"])
    audit.record(
        "framework_extended", actor=by, subject=framework.code,
        before=before.isoformat(), after=framework.valid_to.isoformat(),
    )  # fmt: skip
