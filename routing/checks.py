"""What `manage.py migrate` and `check --database default` find amiss beside the settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, register
from django.core.checks import Warning as Concern
from django.db import DatabaseError


@register("database")
def identity_key(databases: Sequence[str] | None = None, **_options: Any) -> list[CheckMessage]:
    """Whether studies would be named anew, as after a key was replaced and the old one dropped."""
    from routing.naming import is_of_another_key

    try:
        if not databases or not is_of_another_key():
            return []
    except DatabaseError:
        return []  # not migrated yet
    return [
        Concern(
            "The newest study was named by another key than this one.",
            hint="Set HUB_IDENTITY_KEY to what HUB_SECRET_KEY was when the hub was set up, or keep "
            "that last in HUB_SECRET_KEY_FALLBACKS. Otherwise patients get other pseudonyms, and "
            "studies that were billed are billed anew when they run again.",
            id="routing.W001",
        )
    ]
