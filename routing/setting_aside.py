"""Input that could not be taken: its bytes are kept, and it is reported, never dropped."""

from __future__ import annotations

from django.utils import timezone

from hub import audit
from hub.models import Node
from hub.phrases import Phrase
from routing.models import SetAside, Study


def set_aside(
    *,
    node: Node | None,
    sender: str,
    key: str,
    why: Phrase,
    field: str = "",
    study: Study | None = None,
    protocol: str = "dicom",
) -> SetAside:
    """Report input that could not be taken; its bytes lie in the spool under ``key``."""
    row = SetAside.objects.create(
        at=timezone.now(),
        site=node.site if node else None,
        node=node,
        study=study,
        protocol=node.protocol if node else protocol,
        sender=sender,
        reason=why.stored(),
        field=field,
        key=key,
    )
    audit.record(
        "input.set_aside",
        actor=sender,
        site=row.site,
        subject=f"set-aside {row.pk}",
        field=field,
        reason=str(why),
    )
    return row
