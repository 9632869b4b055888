"""The forms on which index series and rates of value added tax are put on record."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from contracts.forms import base
from hub.configuration.reader import Value


class SeriesForm(base.Form):
    """A published series with its months."""

    code = base.words(_("Code"), most=80)
    title = base.words(_("Title"), needed=False)
    source = base.words(_("Source"), needed=False, says=_("Where the values are published."))
    values = base.text(
        _("Values"), needed=False, rows=14, most=100_000,
        says=_("A line for each month, such as 2026-01: 133.1. Months are added as they are "
               "published."),
    )  # fmt: skip
    revision = base.revision()

    def entry(self) -> dict[str, Any]:
        """What is said, as a set-up file has it; what is unfit in a line, its rules tell."""
        said = self.cleaned_data
        lines = [one.strip() for one in said["values"].splitlines() if one.strip()]
        pairs = [one.partition(":") for one in lines]
        return {
            "code": said["code"], "title": said["title"] or None, "source": said["source"] or None,
            "values": [
                {"month": month.strip(), "value": value.strip()} for month, _colon, value in pairs
            ],
        }  # fmt: skip

    @staticmethod
    def shown(entry: Value) -> dict[str, Any]:
        """An entry as the form shows it."""
        months = sorted(entry.get("values") or [], key=lambda one: one["month"])
        return entry | {"values": "\n".join(f"{one['month']}: {one['value']}" for one in months)}


class RateForm(base.Form):
    """A standard rate of value added tax from a day on."""

    country = base.words(_("Country"), most=2, says=_("Two letters: NO, DK."))
    valid_from = base.day(_("From"), needed=True)
    rate = base.words(_("Rate"), most=7, says=_("Such as 25%."))
    revision = base.revision()

    def entry(self) -> dict[str, Any]:
        """What is said, as a set-up file has it."""
        said = self.cleaned_data
        return {
            "country": said["country"].upper(), "valid_from": str(said["valid_from"]),
            "rate": said["rate"],
        }  # fmt: skip
