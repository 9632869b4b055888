"""An algorithm that returns a bomb, two gigabytes, or a script: bounded, and shown as words."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from hub.models import User
from hub.phrases import render
from routing.models import Workitem
from tests.builders.orders import order_message
from tests.builders.studies import head_ct
from tests.routing.conftest import Place, place  # noqa: F401 (a fixture)

ODD = "tests.fakes.odd_algorithm"
EVIL = "<script>alert"


@pytest.fixture
def run(place: Place) -> Any:  # noqa: F811
    def run(*behaviour: str) -> Workitem:
        place.algorithm_does(*behaviour, module=ODD)
        place.order(order_message())
        place.send(head_ct())
        place.work()
        return place.workitem

    return run


def resident() -> int:
    """Bytes of memory that this process has to itself now."""
    text = Path("/proc/self/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if "Private" in line) << 10


@contextmanager
def watched_memory() -> Iterator[list[int]]:
    """The most memory, in bytes, that this process took in the block beyond what it had."""
    most, is_over, before = [0], threading.Event(), resident()

    def look() -> None:
        while not is_over.wait(0.05):
            most[0] = max(most[0], resident() - before)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        is_over.set()
        thread.join()


def test_a_bomb_is_refused_before_it_is_inflated(place: Place, run: Any) -> None:  # noqa: F811
    with watched_memory() as most:
        item = run("bomb", "700")
    assert item.state == "failed"
    assert "deflated from more bytes" in render(item.why)
    assert place.nothing_was_sent()
    assert most[0] < 200 << 20, f"{most[0] >> 20} MiB"


def shown(user: User, item: Workitem) -> str:
    """Every page on which the result may stand, as the browser of a user gets them."""
    client = Client()
    client.force_login(user)
    paths = ("/", "/?state=all", f"/studies/{item.study.uid}/", "/operations/")
    pages = [client.get(path) for path in paths]
    return "".join(str(one.content, "utf-8") for one in pages if one.status_code == 200)


def test_a_script_in_a_result_is_words_on_every_page_and_in_every_message(
    place: Place, run: Any  # noqa: F811
) -> None:
    item = run("script")
    assert item.state == "written_back", render(item.why)
    for user in (place.rows.radiologist, place.rows.administrator):
        text = shown(user, item)
        assert "&lt;script&gt;alert(1)" in text
        assert EVIL not in text
    assert place.results() == ["P"]
    assert any(b"<script>alert(1)</script>" in raw for raw in place.ris.received)


def test_a_reason_cannot_open_a_segment_or_a_tag_of_its_own(
    place: Place, run: Any  # noqa: F811
) -> None:
    item = run("not_analysed_script")
    assert item.state == "failed"
    assert EVIL in render(item.why)
    text = shown(place.rows.radiologist, item) + shown(place.rows.administrator, item)
    assert "&lt;script&gt;alert(1)" in text
    assert EVIL not in text
    assert place.nothing_was_sent()
