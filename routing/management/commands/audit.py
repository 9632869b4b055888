"""`manage.py audit`: who saw, accepted, replayed or changed what, line by line."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from hub import audit
from hub.management import operator, usable_database
from hub.models import AuditEvent
from routing.models import Study


class Command(BaseCommand):
    """Print the audit trail, the oldest first; reading it is itself kept there."""

    help = "Print who saw, accepted, replayed or changed what, the oldest first."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """What to narrow it to; together they all must hold."""
        parser.add_argument("--user", help="user name, as it stands in the trail")
        parser.add_argument("--study", metavar="STUDY_UID", help="Study Instance UID")
        parser.add_argument("--site", help="code of the site")
        parser.add_argument("--action", help="such as study.viewed or result.accepted")
        parser.add_argument(
            "--since", type=_moment, metavar="TIME", help="2026-11-24, or 2026-11-24T08:00"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print every event that was asked for, and keep who asked."""
        names = ("user", "study", "site", "action", "since")
        asked = {name: str(options[name]) for name in names if options[name]}
        with usable_database():
            # first, so that whoever stops the printing half way is kept as well
            reading = audit.record("audit_read", actor=operator(), asked=asked)
            for event in events(options).exclude(pk=reading.pk).iterator():
                self.stdout.write(_line(event))


def events(asked: dict[str, Any]) -> QuerySet[AuditEvent]:
    """The events asked for; those of a study are also the searches that showed it."""
    found = AuditEvent.objects.select_related("site").order_by("at", "pk")
    if asked["user"]:
        found = found.filter(actor=asked["user"])
    if asked["site"]:
        found = found.filter(site__code=asked["site"])
    if asked["action"]:
        found = found.filter(action=asked["action"])
    if asked["since"]:
        found = found.filter(at__gte=asked["since"])
    if asked["study"]:
        clause = Q(pk__in=[])
        for study in Study.objects.filter(study_instance_uid=asked["study"]):
            clause |= Q(subject=str(study.uid)) | Q(
                action="worklist.searched", site=study.site, details__icontains=str(study.uid)
            )
        found = found.filter(clause)
    return found


def _line(event: AuditEvent) -> str:
    at = timezone.localtime(event.at).isoformat(sep=" ", timespec="seconds")
    site = event.site.code if event.site else "-"
    details = json.dumps(event.details, ensure_ascii=False, sort_keys=True)
    told = [at, event.actor, event.action, site, event.subject or "-"]
    return "  ".join([*told, details] if event.details else told)


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
        day = None if moment else parse_date(text)
    except ValueError:
        moment, day = None, None
    if moment is None and day is not None:
        moment = datetime(day.year, day.month, day.day)  # noqa: DTZ001  (made aware below)
    if moment is None:
        raise ArgumentTypeError(f"expected a time such as 2026-11-24T08:00, found {text}")
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
