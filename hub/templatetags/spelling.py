"""Sentences on pages: amounts and days in them as people write them."""

from __future__ import annotations

from typing import Any

from django import template

from hub.spelling import spelt

register = template.Library()


@register.filter(name="spelt")
def spelt_filter(sentence: Any) -> str:
    """The sentence as a person reads it."""
    return spelt(str(sentence))
