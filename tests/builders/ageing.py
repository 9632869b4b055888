"""Rows and files that look as if all had happened some days ago, and how long a site keeps them."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from hub.models import Site
from routing import retention
from routing.models import Study, Transition
from routing.places import spool
from tests.builders import worklists
from tests.builders.parties import FirstSite


def keep(site: Site, **days: int) -> None:
    said = dict.fromkeys(retention.KINDS) | days
    Site.objects.filter(pk=site.pk).update(retention=said if days else {})


def ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def age(days: float) -> None:
    """Let everything that has happened to studies have happened so many days earlier."""
    for row in Study.objects.all():
        Study.objects.filter(pk=row.pk).update(
            changed_at=row.changed_at - timedelta(days=days),
            last_instance_at=row.last_instance_at - timedelta(days=days),
        )
    for move in Transition.objects.all():
        Transition.objects.filter(pk=move.pk).update(at=move.at - timedelta(days=days))
    then = time.time() - days * 86400
    for _key, path in spool().everything():
        os.utime(path, (then, then))


def the_study(places: FirstSite, **about: Any) -> Study:
    study = worklists.study_at(places.site, **({"is_read": True, "state": "matched"} | about))
    keep(places.site, studies=30)
    return study
