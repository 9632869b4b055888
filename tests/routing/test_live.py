"""Live rows: a page is told of what changed at its own sites, and costs nothing when it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import AsyncClient

from hub import draining
from hub.models import Membership, User
from hub.phrases import phrase
from routing import live, pathway
from routing.models import Study
from tests.builders import parties, worklists
from tests.builders.parties import FirstSite

pytestmark = pytest.mark.django_db(transaction=True)

STREAM = "/live/worklist/"
SOON = 3.0


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> FirstSite:
    monkeypatch.setattr(live, "POLL_SECONDS", 0.05)
    return parties.first_site()


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(scenario, 20))


async def opened(user: User, path: str = STREAM) -> AsyncIterator[bytes]:
    """The lines of a stream that is open and being watched."""
    client = AsyncClient()
    await client.aforce_login(user)
    response = await client.get(path)
    assert response.status_code == 200
    assert response["Content-Type"] == "text/event-stream"
    lines = aiter(response)
    assert b"open" in await anext(lines)
    await asyncio.sleep(0.3)  # the watch has had its first look
    return lines


async def next_of(lines: AsyncIterator[bytes], seconds: float = SOON) -> bytes | None:
    """The next event; or None when nothing comes, and then the client goes away."""
    waiting = asyncio.ensure_future(anext(lines))
    done, _ = await asyncio.wait([waiting], timeout=seconds)
    if done:
        return waiting.result()
    waiting.cancel()
    await asyncio.wait([waiting])
    return None


async def change(study: Study) -> None:
    def save() -> None:
        study.save()

    await live.in_thread(save)


def test_a_change_reaches_the_pages_of_its_own_trust_alone(places: FirstSite) -> None:
    study = worklists.study_at(places.site)

    async def scenario() -> tuple[bytes | None, bytes | None]:
        ours = await opened(places.radiologist)
        theirs = await opened(places.other_radiologist)
        await change(study)
        return await next_of(ours), await next_of(theirs, seconds=0.5)

    told, not_told = run(scenario())
    assert told == b"".join([live.event("worklist"), live.event(f"study-{study.uid}")])
    assert not_told is None


def test_the_first_change_after_a_quiet_time_is_told(
    places: FirstSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "OVERLAP", timedelta(seconds=0.5))
    study = worklists.study_at(places.site)

    async def scenario() -> bytes | None:
        lines = await opened(places.radiologist)
        await asyncio.sleep(0.8)  # now no look finds anything
        await change(study)
        return await next_of(lines)

    assert live.event("worklist") in (run(scenario()) or b"")


def test_a_move_of_a_delivery_reaches_the_open_study(places: FirstSite) -> None:
    study = worklists.study_at(places.site)
    letter = worklists.dead_letter(worklists.workitem_on(study, places.version), node=places.ris)

    def replay() -> None:
        pathway.advance(letter, "pending", why=phrase("again"))

    async def scenario() -> bytes | None:
        await asyncio.sleep(0.1)
        lines = await opened(places.radiologist)
        await live.in_thread(replay)
        return await next_of(lines)

    assert live.event(f"study-{study.uid}") in (run(scenario()) or b"")


def test_what_changed_before_the_stream_opened_is_told_at_once(places: FirstSite) -> None:
    study = worklists.study_at(places.site)
    study.refresh_from_db()
    made_at = study.changed_at.isoformat().replace("+", "%2B")

    async def scenario(path: str) -> bytes | None:
        return await next_of(await opened(places.radiologist, path), seconds=0.4)

    assert run(scenario(f"{STREAM}?since={made_at}")) is None
    Study.objects.get(pk=study.pk).save()
    assert run(scenario(f"{STREAM}?since={made_at}")) == live.event("worklist")
    assert run(scenario(f"{STREAM}?since=2026-99-99T99:99:99Z")) is None


def test_a_role_that_was_taken_away_ends_the_stream(places: FirstSite) -> None:
    study = worklists.study_at(places.site)

    async def scenario() -> None:
        lines = await opened(places.radiologist)
        await live.in_thread(Membership.objects.filter(user=places.radiologist).delete)
        await change(study)
        with pytest.raises(StopAsyncIteration):
            await anext(lines)

    run(scenario())


def test_who_may_see_no_patient_gets_no_stream(places: FirstSite) -> None:
    async def status_for(user: User | None) -> int:
        client = AsyncClient()
        if user:
            await client.aforce_login(user)
        return (await client.get(STREAM)).status_code

    assert run(status_for(None)) == 401
    assert run(status_for(places.officer)) == 403


def test_a_silent_stream_says_that_it_is_there(
    places: FirstSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.1)

    async def scenario() -> bytes | None:
        return await next_of(await opened(places.radiologist))

    assert run(scenario()) == b": on\n\n"


def test_a_stream_says_that_it_is_there_however_busy_other_trusts_are(
    places: FirstSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 1.0)
    theirs = worklists.study_at(places.other_site)

    async def keep_changing() -> None:
        while True:
            await change(theirs)
            await asyncio.sleep(0.1)

    async def scenario() -> bytes | None:
        lines = await opened(places.radiologist)
        busy = asyncio.create_task(keep_changing())
        try:
            return await next_of(lines)
        finally:
            busy.cancel()

    assert run(scenario()) == b": on\n\n"


def test_the_last_page_that_leaves_ends_the_looking(places: FirstSite) -> None:
    async def scenario() -> None:
        first, second = [await opened(places.radiologist) for _ in range(2)]
        watch = live.watch()
        looking = watch._looking
        assert looking is not None
        assert await next_of(first, seconds=0.1) is None
        assert not looking.done()
        assert await next_of(second, seconds=0.1) is None
        await asyncio.wait([looking], timeout=SOON)
        assert looking.cancelled()

    run(scenario())


def test_the_watch_outlives_a_database_that_is_away(
    places: FirstSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = worklists.study_at(places.site)

    async def scenario() -> bytes | None:
        lines = await opened(places.radiologist)
        whole = live.Study
        monkeypatch.setattr(live, "Study", None)
        await asyncio.sleep(0.2)
        monkeypatch.setattr(live, "Study", whole)
        await change(study)
        return await next_of(lines)

    assert live.event("worklist") in (run(scenario()) or b"")


def test_no_connection_is_kept_between_two_looks(places: FirstSite) -> None:
    def ask() -> tuple[Any, bool]:
        wire = connections["default"]
        wire.ensure_connection()
        return wire, wire.connection is not None

    async def scenario() -> tuple[Any, bool]:
        return await live.in_thread(ask)

    wire, was_open = run(scenario())
    assert was_open
    assert wire.connection is None


def test_streams_end_when_the_process_is_told_to_stop(
    places: FirstSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> list[bytes]:
        lines = await opened(places.radiologist)
        monkeypatch.setattr(draining._Process, "is_ending", True)
        return [line async for line in lines]

    assert run(scenario()) == []
