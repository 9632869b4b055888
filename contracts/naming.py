"""Who may call off under an agreement on a day: pure rules over how it is named there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from contracts.models import Authority, AuthorityOption, OptionState

# A purchasing agent or contract holder is named in the framework too, but does not buy under it.
MAY_CALL_OFF = ("contracting_authority", "option_authority")
TAKEN_UP = (OptionState.EXERCISED, OptionState.ACTIVE)


@dataclass(frozen=True, slots=True)
class Named:
    """One naming of an organisation: as what, from when to when, and the state of its option.

    ``option`` is "" where the agreement names it without one.
    """

    role: str
    valid_from: date | None = None
    valid_to: date | None = None
    option: str = ""

    def holds(self, day: date) -> bool:
        """Whether the naming is in force on the day."""
        return not (
            (self.valid_from is not None and day < self.valid_from)
            or (self.valid_to is not None and day > self.valid_to)
        )

    @property
    def is_buyer(self) -> bool:
        """Whether it names an organisation that buys for itself."""
        return self.role in MAY_CALL_OFF

    def may_call_off(self, day: date) -> bool:
        """Whether it lets the organisation call off on the day."""
        is_taken_up = not self.option or self.option in TAKEN_UP
        return self.is_buyer and is_taken_up and self.holds(day)


def named(authority: Authority, *, on: date) -> Named:
    """A naming as its row has it; the option as it stands on the day."""
    option: AuthorityOption | None = getattr(authority, "option", None)
    return Named(
        authority.role,
        authority.valid_from,
        authority.valid_to,
        option.state_on(on) if option else "",
    )


def could_call_off(authority: Authority, *, on: date) -> bool:
    """Whether it let its organisation call off on a day that is over.

    An option that was exercised and has lapsed since tells of no day: it counts for what was.
    """
    one, option = named(authority, on=on), getattr(authority, "option", None)
    was_taken_up = option is not None and option.exercised is not None
    return one.may_call_off(on) or (one.is_buyer and one.holds(on) and was_taken_up)
