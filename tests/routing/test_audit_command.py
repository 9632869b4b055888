"""`manage.py audit`: the trail can be read, narrowed, and keeps who read it."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from hub import audit
from hub.models import AuditEvent
from tests.builders import parties, worklists

pytestmark = pytest.mark.django_db


def told(*asked: str) -> str:
    out = StringIO()
    call_command("audit", *asked, stdout=out)
    return out.getvalue()


def test_who_saw_a_study_is_told_whether_they_opened_it_or_searched_for_it() -> None:
    places = parties.first_site()
    study, other = worklists.study_at(places.site), worklists.study_at(places.site)
    audit.record("study.viewed", actor="kari", site=study.site, subject=str(study.uid))
    audit.record("worklist.searched", actor="ola", site=study.site, studies=[str(study.uid)])
    audit.record("study.viewed", actor="per", site=study.site, subject=str(other.uid))
    shown = told("--study", study.study_instance_uid)
    assert "kari  study.viewed  drammen" in shown
    assert "ola  worklist.searched" in shown
    assert "per" not in shown
    assert "per" not in told("--study", "1.2.3")


def test_the_trail_is_narrowed_by_user_action_site_and_time() -> None:
    places = parties.first_site()
    audit.record("study.viewed", actor="kari", site=places.site)
    audit.record("study.viewed", actor="kari", site=places.other_site)
    audit.record("signed_in", actor="kari")
    audit.record("signed_in", actor="ola")
    assert len(told("--user", "kari").splitlines()) == 3
    assert len(told("--user", "kari", "--site", "drammen").splitlines()) == 1
    assert len(told("--action", "signed_in").splitlines()) == 2
    later = (timezone.localdate() + timedelta(days=1)).isoformat()
    assert told("--since", later) == ""


def test_reading_the_trail_is_kept_in_the_trail() -> None:
    told("--user", "kari")
    event = AuditEvent.objects.get()
    assert (event.action, event.details) == ("audit_read", {"asked": {"user": "kari"}})


def test_a_time_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(CommandError, match="--since.*expected a time such as"):
        told("--since", "2026-99-01")
