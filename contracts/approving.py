"""What a call-off must have before people may approve it, and what exactly they approve."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from contracts import competing, naming, offered
from contracts.agreements import CONTRACT_ZONE
from contracts.models import CallOff, FrameworkAgreement


def today() -> date:
    """The day in the zone of contracts."""
    return timezone.now().astimezone(CONTRACT_ZONE).date()


def problems_of(call_off: CallOff, framework: FrameworkAgreement, *, on: date) -> list[str]:
    """What keeps the call-off from being approved on the day, each a sentence with its field."""
    found = []
    if not call_off.committed_value:
        found.append(_("committed_value: expected more than 0, as the maximum is held by it."))
    lines = list(call_off.lines.select_related("algorithm"))
    if not lines:
        found.append(_("lines: expected at least one."))
    priced = set(framework.price_book.values_list("algorithm", flat=True))
    found += [
        _("lines: %(algorithm)s has no price in %(framework)s.")
        % {"algorithm": line.algorithm.code, "framework": framework.code}
        for line in lines
        if line.algorithm_id not in priced
    ]
    if not framework.valid_from <= on <= framework.valid_to:
        found.append(
            _("framework: %(framework)s is in force from %(from)s to %(to)s.")
            % {"framework": framework.code, "from": framework.valid_from, "to": framework.valid_to}
        )
    if not _may_call_off(call_off, framework, on=on):
        found.append(
            _("organisation: %(organisation)s may not call off under %(framework)s now.")
            % {"organisation": call_off.organisation, "framework": framework.code}
        )
    return found + competing.problems_of(call_off) + list(offered.faults_of(call_off))


def _may_call_off(call_off: CallOff, framework: FrameworkAgreement, *, on: date) -> bool:
    rows = framework.authorities.filter(organisation=call_off.organisation_id)
    return any(
        naming.named(row, on=on).may_call_off(on) for row in rows.select_related("option")
    )


def fingerprint(call_off: CallOff) -> str:
    """SHA-256 of what is approved: agreement, buyer, supplier, value, time, and what is bought.

    The day of activation and the estimate of a line may change without a new approval. A call-off
    that names no competition, or has no prices of its own, has the fingerprint that it had before
    any could.
    """
    lines = sorted((line.algorithm.code, line.site.code) for line in call_off.lines.all())
    said: list[Any] = [
        call_off.framework.code,
        call_off.organisation.code,
        call_off.mode,
        call_off.lot,
        call_off.supplier.code if call_off.supplier else "",
        _text(call_off.committed_value),
        call_off.valid_from.isoformat(),
        call_off.valid_to.isoformat() if call_off.valid_to else "",
        lines,
    ]
    if call_off.competition:
        said.append(call_off.competition.code)
    if own := offered.said_of(call_off):
        said.append(own)
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _text(value: Decimal) -> str:
    return f"{value:.2f}"
