"""What the forms of the procurement side have besides those of all: amounts, and moments."""

from __future__ import annotations

from typing import Any

from django import forms

from hub.forms import (
    WHY,
    Form,
    choice,
    code,
    day,
    flag,
    revision,
    row,
    rows,
    set_choices,
    set_rows,
    text,
    told,
    whole,
    words,
)
from hub.typed_numbers import plain_number

__all__ = [
    "WHY", "Form", "choice", "code", "day", "flag", "moment", "money", "revision", "row", "rows",
    "set_choices", "set_rows", "text", "told", "whole", "words",
]  # fmt: skip


class _Amount(forms.DecimalField):
    """Takes thousands apart too, as amounts are shown."""

    def to_python(self, value: Any) -> Any:
        """The amount; refused is what is none."""
        return super().to_python(plain_number(value) if isinstance(value, str) else value)


def money(label: Any, *, needed: bool = False, says: Any = "") -> forms.DecimalField:
    """An amount without VAT, written as people of the language write it."""
    return _Amount(
        label=label, max_digits=14, decimal_places=2, min_value=0, required=needed, localize=True,
        help_text=says, widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )  # fmt: skip


def moment(label: Any, *, says: Any = "") -> forms.DateTimeField:
    """A day and a time, in the zone of contracts."""
    widget = forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"})
    return forms.DateTimeField(label=label, required=False, widget=widget, help_text=says)
