"""Reads what was metered: one event for each result that a hospital pays for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """One examination that counts under a call-off; it names no patient."""

    site: str
    algorithm: str
    call_off: str
    units: int


def usage_events(environment: Mapping[str, str]) -> list[Usage]:
    """All usage events of the hub that has this environment, the oldest first."""
    os.environ.update(environment)
    os.environ["DJANGO_SETTINGS_MODULE"] = "hub.settings"
    import django

    django.setup()
    from contracts.models import UsageEvent

    rows = UsageEvent.objects.order_by("pk").values_list(
        "site__code", "algorithm__name", "call_off__code", "units"
    )
    return [Usage(*row) for row in rows]
