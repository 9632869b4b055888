"""Says in words what a charge is for, alike on invoices and in what a usage would cost."""

from __future__ import annotations

from decimal import Decimal

from django.utils.translation import gettext as _


def description_of(kind: str, *, amount: Decimal = Decimal(0)) -> str:
    """What a charge is for, in the language that is active; what lowers a price and is above 0 is
    taken back: a month that was rated anew has less of it.
    """
    taken_back = {
        "introduction": _("Introductory discount taken back"),
        "cap": _("What was above the agreed cap, taken back"),
        "service": _("Credit for the level of service taken back"),
    }
    if amount > 0 and kind in taken_back:
        return taken_back[kind]
    return {
        "usage": _("Examinations"),
        "rejected": _("Examinations rejected by the customer's fault"),
        "fee": _("Fixed fee"),
        "introduction": _("Introductory discount"),
        "minimum": _("Up to the agreed minimum"),
        "cap": _("Above the agreed cap"),
        "service": _("Credit for the level of service"),
        "outcome": _("Adjustment for the outcome"),
        "once": _("Fixed amount, once"),
        "yearly": _("Fixed amount of the year"),
    }.get(kind, kind)
