"""Judges whether the CE mark of an algorithm version allows clinical use on a given day.

The class is judged as certified, never derived: what MDR rule 11 left open, the notified body
decided.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_noop

from hub.phrases import Phrase, phrase
from marketplace.models import AlgorithmVersion, Clearance
from marketplace.transition import LEGACY, transition_of

# Regimes under which a notified body certifies a device. Research use, in-house devices (MDR
# Art. 5(5)) and self-declared class I carry no certificate and are not for this gate to pass.
REGIMES = ("MDR", "MDD", "MDD_LEGACY")
CLASSES = ("IIa", "IIb", "III")
NOTIFIED_BODY = re.compile(r"[0-9]{4}")


@dataclass(frozen=True, slots=True)
class ClearanceFacts:
    """The clearance of one version as recorded; ``version`` is its name for people."""

    version: str
    regime: str = ""
    risk_class: str = ""
    certificate_number: str = ""
    notified_body: str = ""
    issued: date | None = None
    expires: date | None = None
    is_recorded: bool = True
    # a certificate of the old directive that holds beyond its own last day (MDR Art. 120)
    is_extended: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not: a clause code that stays the same for ever, and the sentence for people."""

    clause: str
    why: Phrase


def facts_of(version: AlgorithmVersion) -> ClearanceFacts:
    """What is recorded about the clearance of ``version``, which may be nothing."""
    row = Clearance.objects.filter(version=version).first()
    if row is None:
        return ClearanceFacts(version=str(version), is_recorded=False)
    return facts_in(row, version=str(version))


def facts_in(row: Clearance, *, version: str) -> ClearanceFacts:
    """What a clearance says, on record or not yet; ``version`` is the name of its version."""
    return ClearanceFacts(
        version=version,
        regime=row.regime,
        risk_class=row.risk_class,
        certificate_number=row.certificate_number,
        notified_body=row.notified_body,
        issued=row.issued,
        expires=row.expires,
        is_extended=_is_extended(row),
    )


def _is_extended(row: Clearance) -> bool:
    if row.regime not in LEGACY:
        return False
    transition = transition_of(row, on=timezone.localdate())
    return transition is not None and transition.is_extended


def judge(clearance: ClearanceFacts, *, on: date) -> Refusal | None:
    """None when fit for clinical use on the day ``on`` (both ends of the certificate inclusive)."""
    if not clearance.is_recorded:
        return _refused(
            "clearance_missing", gettext_noop("%(version)s has no CE mark on record"), clearance
        )
    return _judge_class(clearance) or _judge_certificate(clearance, on=on)


def _judge_class(clearance: ClearanceFacts) -> Refusal | None:
    if not clearance.regime:
        return _refused(
            "clearance_regime",
            gettext_noop("%(version)s has no regulatory regime on record"),
            clearance,
        )
    if clearance.regime not in REGIMES:
        return _refused(
            "clearance_regime",
            gettext_noop(
                "%(version)s is recorded under %(regime)s, "
                "under which no notified body certifies it for clinical use"
            ),
            clearance,
            regime=clearance.regime,
        )
    if clearance.risk_class not in CLASSES:
        return _refused(
            "clearance_class",
            gettext_noop(
                "%(version)s is of risk class %(risk_class)s; clinical use needs IIa or higher"
            ),
            clearance,
            risk_class=clearance.risk_class or "-",
        )
    return None


def _judge_certificate(clearance: ClearanceFacts, *, on: date) -> Refusal | None:
    number = clearance.certificate_number.strip()
    if not number:
        return _refused(
            "certificate_missing",
            gettext_noop("%(version)s has no certificate number on record"),
            clearance,
        )
    if not clearance.notified_body:
        return _refused(
            "notified_body",
            gettext_noop("The certificate %(number)s of %(version)s names no notified body"),
            clearance,
            number=number,
        )
    if not NOTIFIED_BODY.fullmatch(clearance.notified_body):
        return _refused(
            "notified_body",
            gettext_noop(
                "The certificate %(number)s of %(version)s names the notified body "
                '"%(notified_body)s", which is not a number of four digits'
            ),
            clearance,
            number=number,
            notified_body=clearance.notified_body,
        )
    return _judge_dates(clearance, number=number, on=on)


def _judge_dates(clearance: ClearanceFacts, *, number: str, on: date) -> Refusal | None:
    if clearance.issued is None or clearance.expires is None:
        return _refused(
            "certificate_dates",
            gettext_noop(
                "The certificate %(number)s of %(version)s lacks its date of issue or of expiry"
            ),
            clearance,
            number=number,
        )
    if on < clearance.issued:
        return _refused(
            "certificate_not_yet_issued",
            gettext_noop("The certificate %(number)s of %(version)s is valid from %(issued)s only"),
            clearance,
            number=number,
            issued=clearance.issued,
        )
    if on > clearance.expires and not clearance.is_extended:
        return _refused(
            "certificate_expired",
            gettext_noop("The certificate %(number)s of %(version)s expired on %(expires)s"),
            clearance,
            number=number,
            expires=clearance.expires,
        )
    return None


def _refused(clause: str, text: str, clearance: ClearanceFacts, **args: Any) -> Refusal:
    return Refusal(clause, phrase(text, version=clearance.version, **args))
