"""Takes in field safety notices: an open one suspends its versions at every site at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from hub import audit
from hub.models import User
from hub.phrases import phrase
from marketplace.deploying import suspend_everywhere
from marketplace.models import AlgorithmVersion, Deployment, NoticeVersion, SafetyNotice
from vendors.models import Vendor


class NoticeRefused(Exception):
    """A notice may not be recorded or lifted so; the text is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a manufacturer told, and whether it is to stop the versions that it is about."""

    code: str
    vendor: Vendor
    title: str
    action: str
    received: date
    description: str = ""
    is_suspending: bool = True


@transaction.atomic
def record(
    told: Told, *, versions: Iterable[AlgorithmVersion], by: User
) -> tuple[SafetyNotice, list[Deployment]]:
    """Keep the notice; the deployments that it suspended, at whatever site they are."""
    about = list(versions)
    if strangers := [one for one in about if one.algorithm.vendor_id != told.vendor.pk]:
        raise NoticeRefused(
            _("%(version)s is not by %(vendor)s")
            % {"version": strangers[0], "vendor": told.vendor}
        )
    notice = SafetyNotice.objects.create(
        code=told.code, vendor=told.vendor, title=told.title, action=told.action,
        received=told.received, description=told.description, is_suspending=told.is_suspending,
        decided_by=str(by), decided_at=timezone.now(),
    )  # fmt: skip
    NoticeVersion.objects.bulk_create(
        NoticeVersion(notice=notice, version=version) for version in about
    )
    audit.record(
        "safety_notice.recorded", actor=by, subject=told.code, title=told.title,
        versions=[str(one) for one in about], is_suspending=told.is_suspending,
    )  # fmt: skip
    return notice, enforce(notice, by=str(by))


def enforce(notice: SafetyNotice, *, by: str) -> list[Deployment]:
    """Suspend what an open notice is about and what is still in use; acting twice is harmless."""
    if not notice.is_open:
        return []
    versions = AlgorithmVersion.objects.filter(notices__notice=notice)
    why = phrase(
        gettext_noop("Field safety notice %(code)s: %(title)s"),
        code=notice.code, title=notice.title,
    )  # fmt: skip
    return suspend_everywhere(versions, why=why.stored(), by=by)


@transaction.atomic
def lift(notice: SafetyNotice, *, why: str, by: User) -> SafetyNotice:
    """End the notice; each site then signs again for what was suspended there."""
    row = SafetyNotice.objects.select_for_update().get(pk=notice.pk)
    if row.lifted_on is not None:
        raise NoticeRefused(
            _("%(code)s was lifted on %(day)s") % {"code": row.code, "day": row.lifted_on}
        )
    row.lifted_on, row.lifted_by, row.lifted_why = timezone.localdate(), str(by), why
    row.save()
    audit.record("safety_notice.lifted", actor=by, subject=row.code, why=why)
    return row
