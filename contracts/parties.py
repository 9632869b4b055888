"""Puts the parties of contracts on record: who they are, by which numbers, as what and when.

Who buys for all does: what an organisation is decides what its people may do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _

from hub.access import CONTRACT_ROLES, holds_role_for_all
from hub.configuration import entries
from hub.configuration.entries import EntryRefused
from hub.models import Organisation
from vendors.belonging import own_vendor

KIND = "organisation"
# a word of the addresses of pages
TAKEN = "new"


def may_keep(user: Any) -> bool:
    """Whether the user keeps what all share."""
    return holds_role_for_all(user, roles=CONTRACT_ROLES) and own_vendor(user) is None


def demand_keeper(user: Any) -> None:
    """Refuse everybody else."""
    if not may_keep(user):
        raise PermissionDenied(_("Only who buys for all trusts may do this."))


def register(entry: Mapping[str, Any], *, by: Any) -> Organisation:
    """A new organisation, as a set-up file has it; raises EntryRefused."""
    if entry.get("code") == TAKEN:
        raise EntryRefused([("code", _("expected a code that is not taken"))])
    made: Organisation = entries.write(KIND, entry, is_new=True, by=by)
    return made


def change(organisation: Organisation, fields: Mapping[str, Any], *, by: Any) -> Organisation:
    """Let fields of its entry say something else, each as a whole; raises EntryRefused."""
    said = entry_of(organisation) | dict(fields)
    if said.get("code") != organisation.code:
        raise EntryRefused([("code", _("cannot be changed"))])
    changed: Organisation = entries.write(KIND, said, is_new=False, by=by)
    return changed


def entry_of(organisation: Organisation) -> dict[str, Any]:
    """The organisation as an export has it."""
    fresh = Organisation.objects.get(pk=organisation.pk)
    told: dict[str, Any] = entries.said(entries.value_of(KIND, fresh))
    return told
