"""Step 2: decide that all of a study has come, by the best evidence at hand, and say by which."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Max, Min
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.phrases import Phrase, phrase
from routing import archive, merging, nudges, pathway, taking_in
from routing.models import Study


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a study while it arrives; times are aware."""

    received: int
    expected: int | None
    has_gap: bool
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Closing:
    """The rule that closed a study, and the sentence that says so."""

    rule: str
    why: Phrase


def complete(study: Study) -> None:
    """Close the study if the evidence says so; otherwise look again when it next can."""
    if study.state != Study.State.RECEIVING:
        return
    if taking_in.take_in(study.pk):
        study.refresh_from_db()
    now = timezone.now()
    evidence = evidence_of(study)
    if evidence.expected is None and now >= evidence.last_at + _short_quiet():
        evidence = replace(evidence, expected=archive.ask_expected(study))
    closing = decide(evidence, now)
    if isinstance(closing, Closing):
        with transaction.atomic():
            if _has_grown(study):
                nudges.complete(study.pk)
                return
            merging.follow(study)
            pathway.advance(
                study, Study.State.COMPLETE, why=closing.why,
                completed_by=closing.rule, due_at=now,
            )  # fmt: skip
            nudges.match(study.pk)
        return
    Study.objects.filter(pk=study.pk, state=Study.State.RECEIVING).update(due_at=closing)
    nudges.complete(study.pk, seconds=(closing - now).total_seconds())


def decide(evidence: Evidence, now: datetime) -> Closing | datetime:
    """The rule that closes a study now, or when to look again.

    1. the expected number of instances, where somebody told it and no more than that came;
    2. no gap in InstanceNumber, after a short quiet time (not while fewer than expected came);
    3. a quiet period;
    4. a hard ceiling.
    """
    quiet = now - evidence.last_at
    is_short = evidence.expected is not None and evidence.received < evidence.expected
    if evidence.received == evidence.expected:
        words = _("As many instances as expected are here: %(count)s")
        return Closing("expected", phrase(words, count=evidence.received))
    if not evidence.has_gap and not is_short and quiet >= _short_quiet():
        return Closing(
            "no_gap",
            phrase(
                _("no gap in the numbers of instances (%(count)s), and %(seconds)s s of quiet"),
                count=evidence.received,
                seconds=settings.HUB_SHORT_QUIET_SECONDS,
            ),
        )
    if quiet >= _quiet():
        return Closing("quiet", _quiet_words(evidence, is_short))
    if now - evidence.first_at >= _ceiling():
        words = _("Still arriving after %(seconds)s s: closed as it stands")
        return Closing("ceiling", phrase(words, seconds=settings.HUB_CEILING_SECONDS))
    # While they are still arriving a gap says nothing: few senders keep to the order of numbers.
    next_look = evidence.last_at + (_quiet() if quiet >= _short_quiet() else _short_quiet())
    return min(next_look, evidence.first_at + _ceiling())


def evidence_of(study: Study) -> Evidence:
    """Read the evidence from the rows."""
    numbers = (
        study.instances.filter(series__is_own=False, instance_number__isnull=False)
        .values("series")
        .annotate(
            low=Min("instance_number"),
            high=Max("instance_number"),
            distinct=Count("instance_number", distinct=True),
        )
    )
    # Where numbers are missing nobody can say that none is.
    has_gap = study.instances.filter(series__is_own=False, instance_number=None).exists()
    has_gap |= any(row["low"] > 1 or row["high"] - row["low"] + 1 > row["distinct"]
                   for row in numbers)  # fmt: skip
    told = study.series.filter(is_own=False, expected_instances__gt=0)
    short_series = told.filter(instance_count__lt=F("expected_instances")).exists()
    return Evidence(
        received=study.instance_count,
        expected=study.expected_instances,
        has_gap=has_gap or short_series,
        first_at=study.first_instance_at,
        last_at=study.last_instance_at,
    )


def _has_grown(study: Study) -> bool:
    """Whether an instance came since the evidence was read; locks the row against another."""
    locked = Study.objects.lock_to_close(study.pk)
    return locked.instance_count != study.instance_count or locked.arrived.exists()


def _quiet_words(evidence: Evidence, is_short: bool) -> Phrase:
    if is_short:
        return phrase(
            _("%(seconds)s s of quiet, though only %(count)s of %(expected)s instances came"),
            seconds=settings.HUB_QUIET_SECONDS,
            count=evidence.received,
            expected=evidence.expected,
        )
    return phrase(_("%(seconds)s s of quiet"), seconds=settings.HUB_QUIET_SECONDS)


def _quiet() -> timedelta:
    return timedelta(seconds=settings.HUB_QUIET_SECONDS)


def _short_quiet() -> timedelta:
    return timedelta(seconds=settings.HUB_SHORT_QUIET_SECONDS)


def _ceiling() -> timedelta:
    return timedelta(seconds=settings.HUB_CEILING_SECONDS)
