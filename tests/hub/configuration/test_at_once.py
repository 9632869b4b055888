"""Two people who apply at the same moment do so one after the other."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection

from hub.configuration.applying import apply
from hub.models import Node
from tests.hub.configuration.setups import write

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE = 4


def at_once(*names: str) -> list[int]:
    """How many changes each made, all having begun at the same moment."""
    start = threading.Barrier(len(names))

    def one(name: str) -> int:
        start.wait()
        try:
            return len(apply([name], actor="tester").changes)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(names)) as people:
        return list(people.map(one, names))


def test_the_same_set_up_is_made_once(tmp_path: Path) -> None:
    name = write(tmp_path)
    assert sorted(at_once(*[name] * PEOPLE))[:-1] == [0] * (PEOPLE - 1)
    assert Node.objects.count() == 2
