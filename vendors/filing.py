"""Keeps files of evidence byte for byte: what they are, who handed them in and when.

Nothing is changed or deleted: a newer file takes the place of an older one, which stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from hub import audit
from hub.configuration import identifiers
from hub.models import Site
from vendors.models import HandedIn, KeptFile, OnboardingFile, Vendor

# for one thing, as an item of a checklist; who needs more puts them into an archive file
MOST = 200
LONGEST_NAME = 200
Row = TypeVar("Row", bound=HandedIn)


class FileRefused(ValueError):
    """The file is not kept; ``field`` is the part that cannot be."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Brought:
    """A file as it came: the digest that it was told to have, and of which it takes the place.

    ``by`` and ``at`` are told where it was handed in elsewhere, before.
    """

    name: str
    content: bytes
    sha256: str = ""
    replaces: str = ""
    by: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Of what a file is evidence: ``owner`` is locked, ``of`` are the columns that say what."""

    owner: Model
    of: Mapping[str, Any]
    subject: str
    site: Site | None = None


def hand_in(vendor: Vendor, item: str, brought: Brought, *, by: Any) -> OnboardingFile:
    """Keep a file for an item of the checklist of a vendor. Raises FileRefused."""
    return keep(OnboardingFile, of_item(vendor, item), brought, by=by)


def of_item(vendor: Vendor, item: str) -> Place:
    """The place of files of an item."""
    return Place(vendor, {"vendor": vendor, "item": item}, f"{vendor.code} {item}")


@transaction.atomic
def keep(model: type[Row], place: Place, brought: Brought, *, by: Any) -> Row:
    """Keep a file; one that stands there already with the same bytes is kept once.

    Raises FileRefused.
    """
    _demand(brought)
    digest = hashlib.sha256(brought.content).hexdigest()
    if brought.sha256 and brought.sha256.lower() != digest:
        raise FileRefused("sha256", _("the file has the digest %(sha256)s") % {"sha256": digest})
    # one at a time: two that replace the same file, or bring the same, meet here
    type(place.owner)._base_manager.select_for_update(of=("self",)).get(pk=place.owner.pk)
    rows = model._base_manager.filter(**place.of)
    current = standing(rows)
    if found := next((one for one in current if one.file.sha256 == digest), None):
        return found
    if rows.count() >= MOST:
        raise FileRefused("file", _("expected at most %(most)s files") % {"most": MOST})
    made = model(
        file=_bytes(digest, brought.content), name=brought.name, at=brought.at or timezone.now(),
        by=brought.by or str(getattr(by, "username", by)),
        replaces=_replaced(current, brought.replaces), **place.of,
    )  # fmt: skip
    made.save()
    audit.record(
        "evidence.kept", actor=by, subject=place.subject, site=place.site, sha256=digest,
        file=brought.name, replaces=brought.replaces,
    )  # fmt: skip
    return made


def standing(rows: QuerySet[Row]) -> list[Row]:
    """Those whose place no newer one took, without their bytes."""
    return [one for one in whole(rows) if not one.is_replaced]


def whole(rows: QuerySet[Row]) -> QuerySet[Row]:
    """All of them as they were handed in, without their bytes."""
    found = rows.select_related("file", "replaces__file", "replaced_by")
    return found.defer("file__content", "replaces__file__content").order_by("pk")


def _bytes(digest: str, content: bytes) -> KeptFile:
    made, _is_new = KeptFile.objects.defer("content").get_or_create(
        sha256=digest, defaults={"size": len(content), "content": content}
    )
    return made


def _demand(brought: Brought) -> None:
    most: int = settings.HUB_DOCUMENT_BYTES
    if not brought.content:
        raise FileRefused("file", _("expected a file with something in it"))
    if len(brought.content) > most:
        raise FileRefused("file", _("expected at most %(most)s bytes") % {"most": most})
    if not brought.name or len(brought.name) > LONGEST_NAME:
        raise FileRefused(
            "file", _("expected a name of 1 to %(most)s characters") % {"most": LONGEST_NAME}
        )
    if identifiers.one_line(brought.name):
        raise FileRefused("file", _("expected a name that can be printed"))


def _replaced(current: Iterable[Row], sha256: str) -> Row | None:
    if not sha256:
        return None
    for one in current:
        if one.file.sha256 == sha256.lower():
            return one
    raise FileRefused("replaces", _("expected the digest of a file that stands there now"))
