"""A trust with a plain tariff and usage by the thousand, for the tests of what is invoiced."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from contracts.billing.running import Outcome, run
from contracts.taking_usage import take
from hub.models import Organisation
from tests.builders import parties
from tests.builders.parties import FirstSite
from tests.contracts.usage_reports import adjusted, completed
from vendors.models import Vendor

TARIFF: dict[str, Any] = {
    "tiers": [
        {"up_to": 10000, "unit_price": "24.00"},
        {"up_to": 30000, "unit_price": "18.00"},
        {"up_to": 60000, "unit_price": "13.50"},
        {"unit_price": "9.75"},
    ]
}


@dataclass
class Buyer:
    """A trust that calls off, and what it reports; events are 9,000 units at most."""

    here: FirstSite
    sent: list[Any] = field(default_factory=list)

    def uses(self, units: int, *, on: str, **change: Any) -> None:
        """So many examinations on a day, in as many events as it takes."""
        while units > 0:
            number = f"{on}-{len(self.sent)}"
            event = completed(number, time=f"{on}T09:00:00Z", units=min(units, 9000), **change)
            self.report(event)
            units -= 9000

    def report(self, *events: Any) -> None:
        """Send events; all must be accepted."""
        self.sent += events
        answers = take(list(events), by=self.here.administrator)
        assert [one.status for one in answers] == ["accepted"] * len(events), answers

    def adjusts(self, units: int, *, of: Any) -> None:
        """Correct an event that was sent."""
        event = adjusted(len(self.sent), of=0, units=units, ref_id=of["id"])
        self.report(event)


def buyer(*, model: str = "graduated", terms: dict[str, Any] | None = None) -> Buyer:
    """Vestre Viken with the tariff, or other terms, from 2026-03-16 on."""
    here = parties.first_site()
    Organisation.objects.filter(pk=here.organisation.pk).update(organisation_number="894166762")
    Organisation.objects.filter(pk=here.other_organisation.pk).update(
        organisation_number="983971636"
    )
    here.framework.price_book.update(model=model, terms=TARIFF if terms is None else terms)
    Vendor.objects.update(organisation_number="987654325")
    here.line.refresh_from_db()
    return Buyer(here)


def billed(month: int, *, year: int = 2026, **options: Any) -> Outcome:
    """The run of a month, for real."""
    return run(date(year, month, 1), by="test", is_dry=options.pop("is_dry", False), **options)

