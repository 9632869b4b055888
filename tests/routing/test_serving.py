"""A warm algorithm in the hub: one server for the studies of one organisation, looked after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from routing import serving, staging, tidying
from routing.models import Study, Workitem
from routing.places import warm_root
from routing.steps import dispatch as step
from tests.builders import parties, worklists
from tests.routing.conftest import Place
from tests.routing.test_dispatch import two_studies  # noqa: F401 (a fixture)
from vendors.performers import warm
from vendors.performers.base import PerformerRefused


@pytest.fixture
def kept_warm(
    place: Place, two_studies: tuple[Study, Study]  # noqa: F811
) -> Iterator[Place]:
    """Two studies wait for a warm algorithm."""
    place.algorithm_does(module="tests.fakes.warm_algorithm")
    place.rows.version.manifest["performer"] |= {"serving": "warm", "min": 1, "max": 1}
    place.rows.version.save()
    yield place
    performer = staging.performer_of(place.rows.version.declared)
    spec = place.rows.version.declared.performer
    for folder in warm_root().iterdir() if warm_root().exists() else ():
        for slot in performer._slots(folder.name, spec):  # type: ignore[attr-defined]
            performer._stop(slot, spec)  # type: ignore[attr-defined]


def servers() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in warm_root().rglob("server.json")]


def test_two_studies_are_analysed_by_one_server_and_nothing_of_them_stays_with_it(
    kept_warm: Place,
) -> None:
    step.dispatch(kept_warm.rows.version.pk)
    kept_warm.work()
    assert set(Workitem.objects.values_list("state", flat=True)) == {"written_back"}
    assert len(kept_warm.pacs.received) == 2
    [server] = servers()
    assert (server["generation"], server["served"], server["up"]) == (1, 2, True)
    assert list(warm_root().rglob("*.dcm")) == list(warm_root().rglob("study.json")) == []


def test_the_server_is_kept_while_it_is_used_and_stopped_once_nobody_did_for_a_day(
    kept_warm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    step.dispatch(kept_warm.rows.version.pk)
    kept_warm.work()
    monkeypatch.setattr(warm, "IDLE_SECONDS", -1.0)
    tidying.tidy()
    assert [server["up"] for server in servers()] == [True]
    Workitem.objects.update(finished_at=timezone.now() - timedelta(days=2))
    tidying.tidy()
    assert [server["up"] for server in servers()] == [False]


def test_studies_of_two_trusts_are_of_two_groups(db: None) -> None:
    rows = parties.first_site()
    items = [
        worklists.workitem_on(worklists.study_at(site), rows.version)
        for site in (rows.site, rows.site, rows.other_site)
    ]
    mine, same, theirs = map(serving.group_of, items)
    assert mine == same != theirs


def test_a_way_of_running_without_servers_says_so(db: None) -> None:
    version = parties.first_site().version
    version.manifest["performer"] |= {"kind": "http", "serving": "warm"}
    with pytest.raises(PerformerRefused, match="serving: warm is for process, container"):
        serving.kept_warm(object(), version.declared)  # type: ignore[arg-type]
