"""What changes when a draft of a call-off is changed, in words that an audit record can keep."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from contracts import approving, offered
from contracts.models import CallOff
from contracts.price_book import terms_of


@dataclass(frozen=True, slots=True)
class Redrafted:
    """What came of it: the names of what changed, and whose approvals are void by it."""

    call_off: CallOff
    changed: tuple[str, ...] = ()
    voided: tuple[str, ...] = ()


def told(call_off: CallOff) -> dict[str, Any]:
    """All that a draft says and may say otherwise, as text; a line by algorithm and site."""
    lines = call_off.lines.select_related("algorithm", "site")
    competition = call_off.competition
    return {
        "mode": call_off.mode,
        "competition": competition.code if competition else "",
        "lot": call_off.lot,
        "supplier": call_off.supplier.code if call_off.supplier else "",
        "valid_from": str(call_off.valid_from),
        "valid_to": str(call_off.valid_to or ""),
        "estimated_value": str(call_off.estimated_value or ""),
        "committed_value": str(call_off.committed_value),
        "cost_centre": call_off.cost_centre,
        "buyer_reference": call_off.buyer_reference,
        "lines": sorted(
            f"{one.algorithm.code} {one.site.code} {one.activated} {one.volume_estimate}"
            for one in lines
        ),
        "prices": _prices(call_off),
    }


def _prices(call_off: CallOff) -> list[str]:
    """Its own prices, or those that it will have by its competition, in words of the set-up file.
    """
    said = offered.said_of(call_off)
    return [
        *(f"{one['algorithm']} {one['valid_from'] or ''}: {one['model']} "
          f"{json.dumps(terms_of(one), sort_keys=True)}" for one in said.get("price_book", ())),
        *(f"{one['name']}: {one['amount']} {one['per']}" for one in said.get("fixed", ())),
    ]  # fmt: skip


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What differs, each by its name with what it was and what it is."""
    return {
        name: {"was": was, "is": after[name]}
        for name, was in before.items()
        if was != after[name]
    }


def approved_by(call_off: CallOff) -> tuple[str, ...]:
    """Who approved the call-off as it is now."""
    given = call_off.approvals.filter(fingerprint=approving.fingerprint(call_off))
    return tuple(given.order_by("pk").values_list("user__username", flat=True))
