"""Keeps a study, whatever the retention of its site, until somebody says that it need not be."""

from __future__ import annotations

from django.db import transaction

from hub import audit
from routing.models import Study


@transaction.atomic
def hold(study: Study, *, is_held: bool, why: str, by: str) -> bool:
    """Set or lift the legal hold of a study; whether that changed anything."""
    held = Study.objects.select_related("site").lock(study.pk)
    if held.is_on_legal_hold == is_held:
        return False
    # Not changed_at: its days go on meanwhile.
    Study.objects.filter(pk=held.pk).update(is_on_legal_hold=is_held)
    action = "study.held" if is_held else "study.hold_lifted"
    audit.record(action, actor=by, site=held.site, subject=str(held.uid), why=why)
    return True
