"""Administrators see what will be deleted, and can keep a study from it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from hub.models import Site
from routing import retention
from routing.models import Study
from tests.builders import worklists
from tests.builders.ageing import age, the_study
from tests.builders.parties import FirstSite, first_site


@pytest.fixture
def places(db: None, settings: Any, tmp_path: Any) -> FirstSite:
    settings.HUB_STORAGE_URL = f"file://{tmp_path}/spool"
    return first_site()


def test_a_hold_for_a_study_that_is_not_there_or_not_the_only_one_is_refused(
    places: FirstSite,
) -> None:
    with pytest.raises(CommandError, match="there is no study"):
        call_command("hold", "1.2.3", why="case 12")
    for site in (places.site, places.other_site):
        Study.objects.filter(pk=worklists.study_at(site).pk).update(study_instance_uid="1.2.3")
    with pytest.raises(CommandError, match="say which with --site"):
        call_command("hold", "1.2.3", why="case 12")
    call_command("hold", "1.2.3", why="case 12", site=places.other_site.code)
    assert Study.objects.get(is_on_legal_hold=True).site == places.other_site


def test_administrators_are_told_what_will_go_and_when(places: FirstSite, client: Any) -> None:
    for days in (31, 25):
        the_study(places)
        age(days if days == 25 else 6)
    (now_and_soon,) = retention.prospects(Site.objects.all())
    assert (now_and_soon.now, now_and_soon.soon, now_and_soon.on_hold) == (1, 1, 0)
    client.force_login(places.administrator)
    shown = client.get("/operations/").content.decode()
    assert "What will be deleted" in shown
    assert "30 days" in shown


def test_the_command_tells_the_same(places: FirstSite, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("retention")
    assert "nothing is ever deleted" in capsys.readouterr().out
    the_study(places)
    age(31)
    call_command("retention")
    said = capsys.readouterr().out
    assert f"{places.site.code} studies: kept for 30 days; 1 go now, 0 within 7 days" in said
