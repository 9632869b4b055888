"""The only writer of the audit trail."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from hub.models import AuditEvent, Site


def record(
    action: str, *, actor: Any, subject: str = "", site: Site | None = None, **details: Any
) -> AuditEvent:
    """Add one event: ``actor`` (a user, or the name of a part of the hub) did ``action``."""
    return AuditEvent.objects.create(
        at=timezone.now(),
        actor=str(getattr(actor, "username", actor)),
        action=action,
        site=site,
        subject=subject,
        details=details,
    )
