"""Which rate of value added tax an invoice has: dated reference data, by country and treatment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import resources

import yaml
from django.utils.translation import gettext as _

from contracts.models import VatRate
from hub.configuration.reader import Value

STANDARD = "standard"
TREATMENTS = (STANDARD, "reverse_charge", "exempt", "out_of_scope")

# country -> first day -> rate as a share of one
Rates = Mapping[str, Mapping[date, Decimal]]


class UnknownVatRateError(LookupError):
    """No rate is known for a country on a day; ``vat_rates`` of the set-up file can say it."""


@dataclass(frozen=True, slots=True)
class Tax:
    """How an invoice is taxed: the treatment of its agreement and the rate as a share of one."""

    treatment: str
    rate: Decimal


def tax_on(rates: Rates, *, treatment: str, country: str, on: date) -> Tax:
    """The tax of an invoice for a buyer in a country, with a tax point on a day.

    All but the standard treatment have no tax on the invoice. Raises UnknownVatRateError.
    """
    if treatment != STANDARD:
        return Tax(treatment, Decimal(0))
    since = [day for day in rates.get(country, {}) if day <= on]
    if not since:
        text = _("no rate of value added tax is known for %(country)s on %(day)s")
        raise UnknownVatRateError(text % {"country": country, "day": on})
    return Tax(treatment, rates[country][max(since)])


def rates_with(entries: Iterable[Value]) -> Rates:
    """The rates that come with the hub, and over them those of entries of a set-up file."""
    rates = {country: dict(dated) for country, dated in _published().items()}
    for entry in entries:
        share = Decimal(entry["rate"].removesuffix("%")) / 100
        rates.setdefault(entry["country"], {})[date.fromisoformat(entry["valid_from"])] = share
    return rates


def rates_held() -> Rates:
    """The rates that come with the hub, and over them those in its database."""
    rows = VatRate.objects.values("country", "valid_from", "rate")
    return rates_with({**row, "valid_from": row["valid_from"].isoformat()} for row in rows)


@cache
def _published() -> Rates:
    raw = resources.files("contracts").joinpath("vat_rates.yaml").read_text("utf-8")
    return {
        country: {day: Decimal(rate.removesuffix("%")) / 100 for day, rate in dated.items()}
        for country, dated in yaml.safe_load(raw).items()
    }
