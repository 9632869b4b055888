"""The clauses of contract a study must pass: pure rules over facts, each with its sentence.

Which call-off is taken, and what else must hold, is decided in ``entitlement``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_noop

from contracts.models import CallOff, OptionState
from contracts.naming import Named
from hub.phrases import Phrase, phrase
from marketplace.clearance import ClearanceFacts


@dataclass(frozen=True, slots=True)
class FrameworkFacts:
    """The framework agreement of a call-off.

    ``value_used`` and ``value_with_one_more`` (examination) are in ``currency``; both are None
    where the price book has no price, and then ``price_error`` says so if it cannot be read.
    ``named`` is how it names the organisation, also where it may not call off.
    """

    code: str
    valid_from: date
    valid_to: date
    maximum_value: Decimal
    names_organisation: bool = True
    currency: str = "NOK"
    value_used: Decimal | None = Decimal(0)
    value_with_one_more: Decimal | None = Decimal(0)
    price_error: str = ""
    named: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class LineFacts:
    """The line of a call-off for this site and algorithm."""

    line_id: int
    activated: date


@dataclass(frozen=True, slots=True)
class CallOffFacts:
    """One call-off of the organisation that the site belongs to."""

    code: str
    framework: FrameworkFacts
    state: str
    valid_from: date
    valid_to: date | None = None
    line: LineFacts | None = None


@dataclass(frozen=True, slots=True)
class EntitlementFacts:
    """All that the decision hangs on; ``on`` is the local date at the site."""

    on: date
    organisation: str
    site: str
    algorithm: str
    clearance: ClearanceFacts
    call_offs: tuple[CallOffFacts, ...] = ()
    deployment_state: str | None = None
    write_back: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """May not be used: the sentence for people, and the code of the clause that decided."""

    why: Phrase
    clause: str


Gate = Callable[[EntitlementFacts, CallOffFacts], Refused | None]


def _has_line(facts: EntitlementFacts, call_off: CallOffFacts) -> Refused | None:
    if call_off.line is not None:
        return None
    return refused(
        "line",
        gettext_noop(
            "Call-off %(call_off)s of %(organisation)s has no line for %(algorithm)s at %(site)s"
        ),
        facts,
        call_off=call_off.code,
        algorithm=facts.algorithm,
        site=facts.site,
    )


NOT_NAMED = gettext_noop(
    "%(organisation)s is not named in framework agreement %(framework)s, "
    "so its call-off %(call_off)s does not count"
)
NAMED_AS_NO_BUYER = gettext_noop(
    "%(organisation)s is named in framework agreement %(framework)s as %(role)s, which buys "
    "nothing for itself, so its call-off %(call_off)s does not count"
)
NAMED_AT_ANOTHER_TIME = gettext_noop(
    "%(organisation)s is named in framework agreement %(framework)s, but not on %(day)s, "
    "so its call-off %(call_off)s does not count"
)
OPTION_NOT_TAKEN_UP = {
    OptionState.DECLARED: gettext_noop(
        "%(organisation)s has not exercised its option in framework agreement %(framework)s, "
        "so its call-off %(call_off)s does not count"
    ),
    OptionState.LAPSED: gettext_noop(
        "The option of %(organisation)s in framework agreement %(framework)s has lapsed, "
        "so its call-off %(call_off)s does not count"
    ),
    OptionState.DECLINED: gettext_noop(
        "%(organisation)s declined its option in framework agreement %(framework)s, "
        "so its call-off %(call_off)s does not count"
    ),
}
ROLES = {
    "purchasing_agent": phrase(gettext_noop("purchasing agent")),
    "contract_holder": phrase(gettext_noop("contract holder")),
    "data_controller": phrase(gettext_noop("data controller")),
}


def _is_named(facts: EntitlementFacts, call_off: CallOffFacts) -> Refused | None:
    """The reason is that of the naming which comes nearest to being a buyer's."""
    framework = call_off.framework
    if framework.names_organisation:
        return None
    about = {"call_off": call_off.code, "framework": framework.code}
    buyers = [one for one in framework.named if one.is_buyer]
    current = [one for one in buyers if one.holds(facts.on)]
    if current:
        text = OPTION_NOT_TAKEN_UP.get(OptionState(current[0].option), NOT_NAMED)
        return refused("option", text, facts, **about)
    if buyers:
        return refused("authority", NAMED_AT_ANOTHER_TIME, facts, day=facts.on, **about)
    for one in framework.named:
        role = ROLES.get(one.role, one.role)
        return refused("authority", NAMED_AS_NO_BUYER, facts, role=role, **about)
    return refused("authority", NOT_NAMED, facts, **about)


NOT_ACTIVE = {
    CallOff.State.DRAFT: gettext_noop(
        "Call-off %(call_off)s of %(organisation)s is a draft that nobody has approved yet"
    ),
    CallOff.State.APPROVED: gettext_noop(
        "Call-off %(call_off)s of %(organisation)s is approved but not yet ordered"
    ),
    CallOff.State.ORDERED: gettext_noop(
        "Call-off %(call_off)s of %(organisation)s is ordered but not yet active"
    ),
    CallOff.State.CLOSED: gettext_noop("Call-off %(call_off)s of %(organisation)s is closed"),
    CallOff.State.CANCELLED: gettext_noop("Call-off %(call_off)s of %(organisation)s is cancelled"),
}


def _is_active(facts: EntitlementFacts, call_off: CallOffFacts) -> Refused | None:
    if call_off.state == CallOff.State.ACTIVE:
        return None
    text = NOT_ACTIVE[CallOff.State(call_off.state)]
    return refused("call_off_state", text, facts, call_off=call_off.code)


def _is_current(facts: EntitlementFacts, call_off: CallOffFacts) -> Refused | None:
    if facts.on < call_off.valid_from:
        return refused(
            "call_off_dates",
            gettext_noop("Call-off %(call_off)s of %(organisation)s is valid from %(day)s only"),
            facts,
            call_off=call_off.code,
            day=call_off.valid_from,
        )
    if call_off.valid_to is not None and facts.on > call_off.valid_to:
        return refused(
            "call_off_dates",
            gettext_noop("Call-off %(call_off)s of %(organisation)s ended on %(day)s"),
            facts,
            call_off=call_off.code,
            day=call_off.valid_to,
        )
    return None


def _is_activated(facts: EntitlementFacts, call_off: CallOffFacts) -> Refused | None:
    line = call_off.line
    if line is None or line.activated <= facts.on:
        return None
    return refused(
        "line_activated",
        gettext_noop(
            "The line for %(algorithm)s at %(site)s of call-off %(call_off)s "
            "is activated on %(day)s only"
        ),
        facts,
        call_off=call_off.code,
        algorithm=facts.algorithm,
        site=facts.site,
        day=line.activated,
    )


def _framework_is_in_force(facts: EntitlementFacts, call_off: CallOffFacts) -> Refused | None:
    framework = call_off.framework
    if facts.on < framework.valid_from:
        return refused(
            "framework_dates",
            gettext_noop("Framework agreement %(framework)s is valid from %(day)s only"),
            facts,
            framework=framework.code,
            day=framework.valid_from,
        )
    # what was called off in time may be delivered for longer, where the call-off says until when
    if facts.on > max(framework.valid_to, call_off.valid_to or framework.valid_to):
        return refused(
            "framework_dates",
            gettext_noop("Framework agreement %(framework)s ended on %(day)s"),
            facts,
            framework=framework.code,
            day=framework.valid_to,
        )
    return None


def _is_priced(facts: EntitlementFacts, call_off: CallOffFacts) -> Refused | None:
    framework = call_off.framework
    if framework.value_used is not None:
        return None
    if framework.price_error:
        return refused(
            "price",
            gettext_noop(
                "The price book of framework agreement %(framework)s cannot be read: %(error)s"
            ),
            facts,
            framework=framework.code,
            error=framework.price_error,
        )
    return refused(
        "price",
        gettext_noop("Framework agreement %(framework)s has no price for %(algorithm)s"),
        facts,
        framework=framework.code,
        algorithm=facts.algorithm,
    )


def _has_headroom(facts: EntitlementFacts, call_off: CallOffFacts) -> Refused | None:
    framework = call_off.framework
    used, next_value = framework.value_used, framework.value_with_one_more
    if used is None or next_value is None:
        return None
    if used < framework.maximum_value and next_value <= framework.maximum_value:
        return None
    return refused(
        "maximum_value",
        gettext_noop(
            "The maximum value of framework agreement %(framework)s, %(maximum)s, leaves no room "
            "for one more examination: %(used)s is used"
        ),
        facts,
        framework=framework.code,
        maximum=_money(framework.maximum_value, framework.currency),
        used=_money(used, framework.currency),
    )


# The line comes first: a call-off about something else must never be the reason given while one
# about this very algorithm and site is closed or has run out.
GATES: tuple[Gate, ...] = (
    _has_line,
    _is_named,
    _is_active,
    _is_current,
    _is_activated,
    _framework_is_in_force,
    _is_priced,
    _has_headroom,
)


def refused(clause: str, text: str, facts: EntitlementFacts, **args: Any) -> Refused:
    """A refusal by ``clause``; the sentence may name the organisation besides ``args``."""
    if "%(organisation)s" in text:
        args["organisation"] = facts.organisation
    return Refused(phrase(text, **args), clause)


def _money(amount: Decimal, currency: str) -> str:
    """An amount for people, thousands apart by no-break spaces: 40 000 000.00 NOK."""
    return f"{amount:,.2f} {currency}".replace(",", "\N{NO-BREAK SPACE}")
