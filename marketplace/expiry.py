"""Warns before a certificate ends, at 180, 90 and 30 days, and suspends when it has ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from hub import audit
from hub.models import Site
from hub.phrases import Phrase, phrase
from marketplace.deploying import suspend_everywhere
from marketplace.deployment import IN_USE
from marketplace.models import AlgorithmVersion, Clearance, ExpiryWarning
from marketplace.transition import transition_of

WARNED_AT = (180, 90, 30)
_ACTOR = "certificate watch"


@dataclass(frozen=True, slots=True)
class Alarm:
    """The next end of a certificate; ``suspends`` is off where the law only asks to decide."""

    ends: date
    days: int
    suspends: bool
    why: Phrase

    @property
    def is_over(self) -> bool:
        """Whether its last day is behind."""
        return self.days < 0


def alarm_of(clearance: Clearance | None, *, on: date) -> Alarm | None:
    """What will end, and in how many days; None where nothing has a date."""
    if clearance is None or clearance.expires is None:
        return None
    transition = transition_of(clearance, on=on)
    if transition is not None and transition.is_extended:
        text = gettext_noop(
            "the period of MDR Art. 120 ends on %(day)s: decide what comes after it"
        )
        return Alarm(
            transition.until, (transition.until - on).days, False,
            phrase(text, day=transition.until),
        )  # fmt: skip
    return Alarm(
        clearance.expires,
        (clearance.expires - on).days,
        True,
        phrase(
            gettext_noop("the certificate %(number)s ends on %(day)s"),
            number=clearance.certificate_number or "-", day=clearance.expires,
        ),
    )  # fmt: skip


def threshold_of(days: int) -> int | None:
    """The narrowest of the marks that has been passed: 0 on and after the end, None before 180."""
    if days < 0:
        return 0
    passed = [mark for mark in WARNED_AT if days <= mark]
    return min(passed, default=None)


def watch(*, now: datetime | None = None) -> None:
    """Look at every version in use: warn once for each mark, suspend what has no certificate.

    A day ends first where it ends first: a certificate has ended once its last day is over at
    every site that has it in use, and each study is judged at its own site anyway.
    """
    moment = now or timezone.now()
    in_use = AlgorithmVersion.objects.filter(deployments__state__in=IN_USE).distinct()
    for version in in_use.select_related("algorithm", "clearance").order_by("pk"):
        clearance = getattr(version, "clearance", None)
        if alarm := alarm_of(clearance, on=_last_day(version, moment)):
            _tell(version, alarm, moment)


def _last_day(version: AlgorithmVersion, moment: datetime) -> date:
    """The earliest local date at the sites that have it in use."""
    sites = Site.objects.filter(
        deployments__version=version, deployments__state__in=IN_USE
    ).distinct()
    return min(moment.astimezone(site.zone).date() for site in sites)


@transaction.atomic
def _tell(version: AlgorithmVersion, alarm: Alarm, moment: datetime) -> None:
    mark = threshold_of(alarm.days)
    if mark is None:
        return
    _, is_new = ExpiryWarning.objects.get_or_create(
        version=version, ends=alarm.ends, days=mark, defaults={"at": moment}
    )
    if is_new:
        action = "certificate.ended" if alarm.is_over else "certificate.ends_soon"
        audit.record(
            action, actor=_ACTOR, subject=str(version), ends=str(alarm.ends), days=alarm.days,
            why=str(alarm.why), suspends=alarm.suspends,
        )  # fmt: skip
    if alarm.is_over and alarm.suspends:
        why = phrase(gettext_noop("The certificate ended on %(day)s"), day=alarm.ends)
        suspend_everywhere([version], why=why.stored(), by=_ACTOR)
