"""How long a device certified under the old directive (MDD) may stand beside MDR certificates.

MDR Art. 120 as amended by Regulation (EU) 2023/607. Its dates are data (`vendors.legal`); they are
about placing on the market, so what a hospital already uses is never switched off by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext_noop

from hub.phrases import Phrase, phrase
from marketplace.models import Clearance
from vendors import legal

LEGACY = ("MDD", "MDD_LEGACY")


@dataclass(frozen=True, slots=True)
class LegacyFacts:
    """What is recorded of a device under the old directive."""

    mdr_class: str = ""
    issued: date | None = None
    expires: date | None = None
    application_lodged: date | None = None
    agreement_signed: date | None = None
    is_unchanged: bool = False


@dataclass(frozen=True, slots=True)
class Dates:
    """The dates of Art. 120; ``until`` is that of the device's class."""

    certificate_from: date
    valid_on: date
    application_by: date
    agreement_by: date
    until: date


@dataclass(frozen=True, slots=True)
class LegacyPeriod:
    """``lacking`` says what the certificate lacks to hold beyond its own last day, to ``until``."""

    until: date
    lacking: tuple[Phrase, ...]

    @property
    def is_extended(self) -> bool:
        """Whether the certificate holds beyond its own last day."""
        return not self.lacking


def judge(facts: LegacyFacts, *, dates: Dates) -> LegacyPeriod:
    """Hold one device against the conditions of Art. 120(2) and (3c)."""
    demands = (
        (facts.issued is not None and facts.issued >= dates.certificate_from,
         gettext_noop("its certificate was not issued on %(day)s or later"),
         dates.certificate_from),
        (facts.expires is not None and facts.expires >= dates.valid_on,
         gettext_noop("its certificate was not valid on %(day)s"), dates.valid_on),
        (_is_by(facts.application_lodged, dates.application_by),
         gettext_noop("no application under MDR is recorded by %(day)s"), dates.application_by),
        (_is_by(facts.agreement_signed, dates.agreement_by),
         gettext_noop("no agreement with a notified body is recorded by %(day)s"),
         dates.agreement_by),
        (facts.is_unchanged,
         gettext_noop("nobody recorded that design and purpose are unchanged"), None),
    )  # fmt: skip
    lacking = tuple(phrase(text, day=day) for holds, text, day in demands if not holds)
    return LegacyPeriod(dates.until, lacking)


def _is_by(day: date | None, limit: date) -> bool:
    return day is not None and day <= limit


def transition_of(clearance: Clearance, *, on: date) -> LegacyPeriod | None:
    """The transition of a legacy device; None for any other, or where the law is not recorded."""
    if clearance.regime not in LEGACY:
        return None
    mdr_class = clearance.mdr_class or clearance.risk_class
    try:
        dates = Dates(
            legal.day("mdr-legacy-certificate-from", on=on),
            legal.day("mdr-legacy-certificate-valid-on", on=on),
            legal.day("mdr-legacy-application-by", on=on),
            legal.day("mdr-legacy-agreement-by", on=on),
            legal.day(f"mdr-legacy-until-{mdr_class}", on=on),
        )
    except legal.FactUnknown:
        return None
    return judge(
        LegacyFacts(
            mdr_class, clearance.issued, clearance.expires, clearance.application_lodged,
            clearance.agreement_signed, clearance.is_unchanged,
        ),
        dates=dates,
    )  # fmt: skip
