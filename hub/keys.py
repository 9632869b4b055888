"""Which of the hub's keys is for what, also after HUB_SECRET_KEY was replaced.

The newest signs, and all that are known are believed. What is named by a key must keep its name: a
patient another pseudonym, or a study another uid, would be another patient and another study.
"""

from __future__ import annotations

from django.conf import settings

Key = str | bytes


def identity() -> Key:
    """The key that pseudonyms, uids and the references of usage are made with: never replaced.

    HUB_IDENTITY_KEY, or else the oldest that is known.
    """
    return settings.HUB_IDENTITY_KEY or [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS][-1]


def known() -> tuple[Key, ...]:
    """Every key that something may have been signed, sealed or counted with; the newest first."""
    return tuple(
        dict.fromkeys((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS, identity()))
    )
