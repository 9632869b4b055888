"""How a study is put into words on a page: names, times, states, chances."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_noop

from hub.translating import gettext as _
from routing.facts import patient_age_years
from routing.models import Delivery, Priority, Study, Transition, Workitem
from routing.serializers import worded

register = template.Library()

PRIORITIES = {
    Priority.STAT: gettext_noop("STAT"),
    Priority.HIGH: gettext_noop("High"),
    Priority.MEDIUM: gettext_noop("Medium"),
    Priority.ROUTINE: gettext_noop("Routine"),
    Priority.LOW: gettext_noop("Low"),
}
FINDING_STATES = {
    "present": gettext_noop("suspected"),
    "absent": gettext_noop("not found"),
    "indeterminate": gettext_noop("unclear"),
}
PURPOSES = {
    "shadow": gettext_noop("Shadow"),
    "validation": gettext_noop("Validation"),
    "clinical": gettext_noop("Clinical"),
}
AI_STATES = {
    "pending": gettext_noop("AI not yet"),
    "none": gettext_noop("No AI"),
    "running": gettext_noop("AI running"),
    "held": gettext_noop("To accept"),
    "done": gettext_noop("AI done"),
    "failed": gettext_noop("AI failed"),
}
SEXES = {"F": gettext_noop("F"), "M": gettext_noop("M")}

register.filter("worded", worded)


@register.filter
def priority(value: int) -> str:
    """The priority in a reader's words."""
    return _(PRIORITIES[Priority(value)])


@register.filter
def priority_code(value: int) -> str:
    """The priority as its DICOM name in small letters, for style sheets."""
    return Priority(value).name.lower()


@register.filter
def finding_status(value: str) -> str:
    """What the algorithm says of the finding."""
    return _(FINDING_STATES[value]) if value in FINDING_STATES else value


@register.filter
def purpose(value: str) -> str:
    """How the version was in use when it ran."""
    return _(PURPOSES[value]) if value in PURPOSES else value


@register.filter
def ai(value: str) -> str:
    """What AI has done, in the few words that a column has room for."""
    return _(AI_STATES[value]) if value in AI_STATES else value


@register.filter
def percent(value: float | None) -> str:
    """A probability from 0 to 1 as whole percent; never 0 or 100, which nobody can promise."""
    if value is None:
        return ""
    number = min(max(round(value * 100), 1), 99) if 0 < value < 1 else round(value * 100)
    return f"{number}\N{NO-BREAK SPACE}%"


@register.filter
def person(value: str) -> str:
    """A Person Name (PS3.5 6.2.1) as people write it: "Hansen, Kari", then other scripts."""
    groups = [_name_of(group) for group in value.split("=") if group.strip("^ ")]
    return " · ".join(dict.fromkeys(groups)) or _("no name")


def _name_of(group: str) -> str:
    parts = [part.strip() for part in group.split("^")]
    family, given = parts[0], " ".join(part for part in parts[1:3] if part)
    return ", ".join(part for part in (family, given) if part)


@register.filter
def sex_and_age(study: Study) -> str:
    """What is known of the patient's sex and age: "F 67"."""
    header = study.header if isinstance(study.header, dict) else {}
    sex = str(header.get("patient_sex") or "")
    known = [_(SEXES[sex]) if sex in SEXES else sex, _age(header)]
    return " ".join(part for part in known if part)


def _age(header: dict[str, Any]) -> str:
    years = patient_age_years(header)
    return "" if years is None else str(years)


@register.filter
def birth_date(study: Study) -> str:
    """The patient's birth date (0010,0030) as an ISO date."""
    raw = str(study.header.get("patient_birth_date") or "")
    return f"{raw[:4]}-{raw[4:6]}-{raw[6:8]}" if len(raw) == 8 and raw.isdigit() else raw


@register.filter
def modalities(value: str) -> list[str]:
    """The modalities of a study, one by one."""
    for sign in "\\,/;":
        value = value.replace(sign, " ")
    return value.split()


@register.filter
def waited(since: datetime | None) -> str:
    """How long ago that was, as short as a glance needs."""
    return "" if since is None else lasted(timezone.now() - since)


@register.filter
def lasted(span: timedelta | None) -> str:
    """A duration: "40 s", "12 min", "3 h 20 min", "2 d 4 h"."""
    if span is None:
        return ""
    seconds = max(int(span.total_seconds()), 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 60:
        return _("%(seconds)s s") % {"seconds": seconds}
    if hours < 1:
        return _("%(minutes)s min") % {"minutes": minutes}
    if days < 1:
        return _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": minutes % 60}
    return _("%(days)s d %(hours)s h") % {"days": days, "hours": hours % 24}


@register.filter
def until(end: datetime | None, start: datetime | None) -> timedelta | None:
    """The time from ``start`` to ``end``; nothing while one of them is open."""
    return end - start if end and start else None


@register.filter
def step_after(span: timedelta | None) -> str:
    """The time between two steps, to the millisecond where it is short."""
    if span is None:
        return ""
    seconds = max(span.total_seconds(), 0)
    if seconds < 1:
        return f"+{seconds * 1000:.0f} ms"
    return f"+{seconds:.1f} s" if seconds < 60 else f"+{lasted(span)}"


@register.filter
def overdue(study: Study) -> timedelta | None:
    """How long past the time by which it should be read; STAT has no such time but now."""
    late = timezone.now() - study.read_by
    return late if study.reading_band > 1 and late > timedelta(minutes=1) else None


@register.filter
def state_before(move: Transition) -> str:
    """The state that a move left, for people."""
    return _label(move, move.from_state)


@register.filter
def state_after(move: Transition) -> str:
    """The state that a move reached, for people."""
    return _label(move, move.to_state)


def _label(move: Transition, state: str) -> str:
    states: type[models.TextChoices] = Study.State
    if move.delivery_id is not None:
        states = Delivery.State
    elif move.workitem_id is not None:
        states = Workitem.State
    return str(states(state).label) if state in states.values else state
