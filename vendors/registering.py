"""Puts companies on record: a new one, and what is known of one that is there."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from hub.configuration import entries, planning
from vendors.models import Vendor

FIELDS = ("name", "country", "organisation_number", "srn", "signing_key")


def register(*, by: Any, code: str, **fields: str) -> Vendor:
    """A new company, by the rules of the set-up file; raises EntryRefused."""
    return _written(code, fields, is_new=True, by=by)


@transaction.atomic
def change(vendor: Vendor, *, by: Any, of: str = entries.ANY, **fields: str) -> Vendor:
    """What is known of a company; its checklist, its people and its papers stay as they are.

    ``of`` is the revision() that is changed. Raises EntryRefused, and EntryChanged where it is
    another by now.
    """
    planning.lock()
    vendor.refresh_from_db()
    entries.demand(_known(vendor), of, called=vendor.code)
    held = {name: getattr(vendor, name) for name in FIELDS}
    return _written(vendor.code, held | fields, is_new=False, by=by)


def revision(vendor: Vendor) -> str:
    """SHA-256 of what is known of a company."""
    return entries.revision(_known(vendor))


def _known(vendor: Vendor) -> dict[str, str]:
    return {"code": vendor.code} | {name: getattr(vendor, name) for name in FIELDS}


def _written(code: str, fields: dict[str, str], *, is_new: bool, by: Any) -> Vendor:
    said = {name: value.strip() or None for name, value in fields.items()}
    vendor: Vendor = entries.write("vendor", {"code": code} | said, is_new=is_new, by=by)
    return vendor
