"""Writes made a moment after their callers went on: in order, all of them, whatever fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest
from django.db import OperationalError

from hub.commit_behind import CommitBehind, TooFarBehind
from tests.fakes.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


class Ledger:
    """Takes what is committed, unless it is away; one item is never taken."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.is_away = threading.Event()
        self.asked = 0

    @property
    def kept(self) -> list[int]:
        return [item for batch in self.batches for item in batch]

    def commit(self, items: Sequence[int]) -> None:
        self.asked += 1
        if self.is_away.is_set():
            raise OperationalError("away")
        if 13 in items:
            raise ValueError("13")
        self.batches.append(list(items))


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def rows(ledger: Ledger) -> Iterator[CommitBehind[int]]:
    rows = CommitBehind(
        ledger.commit, gather_seconds=0.5, pause_seconds=0.5, most_waiting=60, patience_seconds=0.1
    )
    yield rows
    ledger.is_away.clear()
    rows.close()


def test_what_comes_close_together_is_committed_together_and_in_order(
    ledger: Ledger, rows: CommitBehind[int]
) -> None:
    for item in range(20, 60):
        rows.submit(item)
    assert ledger.kept == [], "nobody waited"
    until(lambda: len(ledger.kept) == 40, "all are committed")
    assert ledger.batches == [list(range(20, 60))]
    rows.submit(60)
    until(lambda: ledger.batches[1:] == [[60]], "one that comes alone is committed too")


def test_one_bad_item_spoils_no_other(ledger: Ledger, rows: CommitBehind[int]) -> None:
    for item in (12, 13, 14):
        rows.submit(item)
    until(lambda: ledger.kept == [12, 14], "the others are committed")


def test_what_the_database_does_not_take_is_kept_until_it_does(
    ledger: Ledger, rows: CommitBehind[int]
) -> None:
    ledger.is_away.set()
    rows.submit(1)
    until(lambda: ledger.asked > 1, "it was tried again")
    rows.submit(2)
    assert ledger.kept == []
    ledger.is_away.clear()
    until(lambda: ledger.kept == [1, 2], "both are committed, in order")


def test_nothing_is_taken_that_there_is_no_room_for(
    ledger: Ledger, rows: CommitBehind[int]
) -> None:
    ledger.is_away.set()
    rows.submit(99)
    until(lambda: ledger.asked, "the first is under way")
    for item in range(100, 160):
        rows.submit(item)
    with pytest.raises(TooFarBehind, match="60 writes wait"):
        rows.submit(160)
    ledger.is_away.clear()
    until(lambda: ledger.kept == list(range(99, 160)), "what was taken is committed")


def test_closing_commits_what_waits(ledger: Ledger) -> None:
    rows = CommitBehind(ledger.commit, gather_seconds=60, pause_seconds=60)
    for item in range(3):
        rows.submit(item)
    rows.close()
    assert ledger.kept == [0, 1, 2]
