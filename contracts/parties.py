"""Puts the parties of contracts on record: who they are, by which numbers, as what and when.

Who buys for all does: what an organisation is decides what its people may do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.configuration import entries
from hub.models import Organisation

KIND = "organisation"


def register(entry: Mapping[str, Any], *, by: Any) -> Organisation:
    """A new organisation, as a set-up file has it; raises EntryRefused."""
    made: Organisation = entries.write(KIND, entry, is_new=True, by=by)
    return made


def change(
    organisation: Organisation, fields: Mapping[str, Any], *, by: Any, of: str = entries.ANY
) -> Organisation:
    """Let fields of its entry say something else, each as a whole.

    ``of`` is the revision that is changed. Raises EntryRefused, EntryChanged.
    """
    changed: Organisation = entries.change(KIND, organisation, fields, by=by, of=of)
    return changed


def entry_of(organisation: Organisation) -> dict[str, Any]:
    """The organisation as an export has it."""
    return entries.entry_of(KIND, organisation)
