"""Puts framework agreements and their price books on record, by the rules of the set-up file.

Its holder's procurement officers do. What has a button of its own stays what it is here: options
are moved by who has them, and an amendment that was noted stays as it was noted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from contracts.acting import OFFICER
from contracts.models import FrameworkAgreement, OptionState, PriceBookEntry
from hub.access import holds_role_for
from hub.configuration import entries, planning
from hub.configuration.entries import ANY, EntryRefused
from hub.models import Organisation

KIND = "framework"


def begin(entry: Mapping[str, Any], *, by: Any) -> FrameworkAgreement:
    """A new agreement, as a set-up file has it; raises EntryRefused."""
    _demand_holder(entry.get("holder"), by)
    _demand_options(entry, {})
    made: FrameworkAgreement = entries.write(KIND, entry, is_new=True, by=by)
    return made


@transaction.atomic
def change(
    framework: FrameworkAgreement, fields: Mapping[str, Any], *, by: Any, of: str = ANY
) -> FrameworkAgreement:
    """Let fields of the entry say something else, each as a whole; the others stay.

    ``of`` is the revision that is changed. Raises EntryRefused, and EntryChanged where it is
    another by now.
    """
    planning.lock()
    held = entry_of(framework)
    entries.demand(held, of, called=framework.code)
    said = held | dict(fields)
    if said.get("code") != held["code"]:
        raise EntryRefused([("code", _("cannot be changed"))])
    if said.get("holder") != held["holder"]:
        _demand_holder(said.get("holder"), by)
    if said.get("amendments") != held.get("amendments"):
        raise EntryRefused([("amendments", _("cannot be changed: note a further one"))])
    _demand_options(said, held)
    changed: FrameworkAgreement = entries.write(KIND, said, is_new=False, by=by)
    return changed


def set_price(
    framework: FrameworkAgreement, price: Mapping[str, Any], *, by: Any,
    instead_of: PriceBookEntry | None = None, of: str = ANY,
) -> FrameworkAgreement:  # fmt: skip
    """Add a price, or say one anew; what was counted at a price keeps it (amending)."""
    gone = entries.value_of_part(KIND, "price_book", instead_of) if instead_of else None
    book = [one for one in entry_of(framework).get("price_book") or [] if one != gone]
    return change(framework, {"price_book": [*book, dict(price)]}, by=by, of=of)


def remove_price(
    framework: FrameworkAgreement, price: PriceBookEntry, *, by: Any, of: str = ANY
) -> None:
    """Take a price away that nothing was counted at."""
    gone = entries.value_of_part(KIND, "price_book", price)
    book = [one for one in entry_of(framework).get("price_book") or [] if one != gone]
    change(framework, {"price_book": book}, by=by, of=of)


def set_term_option(
    framework: FrameworkAgreement, option: Mapping[str, Any] | None, *, by: Any,
    instead_of: str = "", of: str = ANY,
) -> FrameworkAgreement:  # fmt: skip
    """Add an option of the agreement, say the one of a code anew, or (None) take that away.

    Where it stands is moved by its own button; one that was moved stays as it is.
    """
    held = entry_of(framework).get("term_options") or []
    old = next((one for one in held if one["code"] == instead_of), None)
    if old and old.get("state") not in (None, OptionState.DECLARED.value):
        raise EntryRefused([("code", _("cannot be changed: it was exercised or declined"))])
    kept = [one for one in held if one is not old]
    said = [dict(option)] if option is not None else []
    return change(framework, {"term_options": [*kept, *said]}, by=by, of=of)


def entry_of(framework: FrameworkAgreement) -> dict[str, Any]:
    """The agreement as an export has it, without what it does not say."""
    return entries.entry_of(KIND, framework)


def _demand_holder(code: Any, by: Any) -> None:
    found = Organisation.objects.filter(code=code).first() if isinstance(code, str) else None
    if found is None or not holds_role_for(by, found, roles=OFFICER):
        what = _("expected an organisation for which you are procurement officer")
        raise EntryRefused([("holder", what)])


def _demand_options(entry: Mapping[str, Any], held: Mapping[str, Any]) -> None:
    """An option begins as declared, and is moved by its own button."""
    known = {path: state for path, _index, state in _options(held)}
    for path, where, state in _options(entry):
        wanted = known.get(path, OptionState.DECLARED.value)
        if state not in (None, wanted):
            text = _("expected %(state)s: an option is moved by who has it") % {"state": wanted}
            raise EntryRefused([(f"{where}.state", text)])


def _options(entry: Mapping[str, Any]) -> list[tuple[tuple[Any, ...], str, Any]]:
    """What names each option, where it stands, and its state; what is unfit is judged later."""
    found: list[tuple[tuple[Any, ...], str, Any]] = []
    for index, one in enumerate(_mappings(entry.get("authorities"))):
        option = one.get("option")
        if isinstance(option, Mapping):
            name = (str(one.get("organisation")), str(one.get("role")))
            found.append((name, f"authorities[{index}].option", option.get("state")))
    for index, one in enumerate(_mappings(entry.get("term_options"))):
        found.append(((str(one.get("code")),), f"term_options[{index}]", one.get("state")))
    return found


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
