"""What an administrator is told on the command line, and the trace that it leaves."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from hub.models import AuditEvent
from routing.models import Delivery
from tests.builders import parties, worklists

ROOT = Path(__file__).parents[2]


def run(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_whoever_explains_a_study_has_seen_it() -> None:
    study = worklists.study_at(parties.first_site().site)
    assert study.study_instance_uid in run("explain", study.study_instance_uid)
    (event,) = AuditEvent.objects.filter(action="study.viewed")
    assert (event.subject, event.site) == (str(study.uid), study.site)
    assert event.actor.endswith("(command line)")


@pytest.mark.django_db
def test_a_replay_is_kept_with_the_account_that_asked_for_it() -> None:
    places = parties.first_site()
    item = worklists.workitem_on(worklists.study_at(places.site), places.version)
    letter = worklists.delivery_to(places.pacs, item, kind="dicom", state="dead")
    assert f"delivery {letter.pk}" in run("deadletters")
    assert run("replay", str(letter.pk)) == "1 replayed\n"
    letter.refresh_from_db()
    assert letter.state == Delivery.State.PENDING
    (event,) = AuditEvent.objects.filter(action="delivery.replayed")
    assert event.actor.endswith(" (command line)")
    assert letter.transitions.get().by == event.actor


def test_a_replay_of_nothing_is_no_success() -> None:
    with pytest.raises(CommandError, match="expected delivery numbers, Workitem uids, or --all"):
        run("replay")


@pytest.mark.parametrize("words", [["explain", "1.2.3"], ["deadletters"], ["replay", "--all"]])
def test_a_database_that_was_not_migrated_is_told_in_one_line(
    tmp_path: Path, words: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *words],
        env={"HUB_STATE_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("CommandError: the database cannot be used (migrated?)")
