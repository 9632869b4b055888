"""Many small writes, one commit: one bad item spoils no other, and nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest
from django.db import OperationalError, connection
from psycopg.errors import DeadlockDetected, QueryCanceled

from hub.group_commit import GroupCommit
from tests.fakes.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)


class Ledger:
    """Takes what is committed; ``faults`` are raised first, one for each commit."""

    def __init__(self) -> None:
        self.faults: list[Exception] = []
        self.kept: list[int] = []

    def commit(self, items: Sequence[int]) -> list[int]:
        if self.faults:
            fault = self.faults.pop(0)
            raise OperationalError from fault
        self.kept += items
        return [item * 10 for item in items]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def rows(ledger: Ledger) -> Iterator[GroupCommit[int, int]]:
    rows = GroupCommit(ledger.commit)
    yield rows
    rows.close()


def test_a_write_that_gave_way_to_another_is_made_again(
    ledger: Ledger, rows: GroupCommit[int, int]
) -> None:
    ledger.faults = [DeadlockDetected()]
    assert rows.submit(1) == 10
    assert ledger.kept == [1]


def test_a_write_that_gives_way_again_or_fails_otherwise_is_told(
    ledger: Ledger, rows: GroupCommit[int, int]
) -> None:
    for faults in ([DeadlockDetected(), DeadlockDetected()], [QueryCanceled()]):
        ledger.faults = list(faults)
        with pytest.raises(OperationalError):
            rows.submit(2)
    assert ledger.kept == []
    assert rows.submit(3) == 30


def test_who_comes_while_another_commits_is_committed_with_all_who_came_with_it() -> None:
    batches: list[list[int]] = []
    is_busy, may_end = threading.Event(), threading.Event()

    def commit(items: Sequence[int]) -> list[int]:
        batches.append(sorted(items))
        is_busy.set()
        assert may_end.wait(10)
        return [item * 10 for item in items]

    rows: GroupCommit[int, int] = GroupCommit(commit)
    answers: dict[int, int] = {}
    threads = [
        threading.Thread(target=lambda item=item: answers.update({item: rows.submit(item)}))
        for item in range(6)
    ]
    threads[0].start()
    assert is_busy.wait(10)
    for thread in threads[1:]:
        thread.start()
    until(lambda: len(rows._waiting) == 5, "the others wait")
    # nobody is answered before the commit
    assert answers == {}
    may_end.set()
    for thread in threads:
        thread.join(10)
    rows.close()
    assert batches == [[0], [1, 2, 3, 4, 5]]
    assert answers == {item: item * 10 for item in range(6)}


def test_where_no_connection_can_be_made_it_is_not_tried_for_each(
    ledger: Ledger, rows: GroupCommit[int, int]
) -> None:
    """Each attempt may take seconds, and all wait for all."""
    ledger.faults = [ConnectionError("of the batch"), ConnectionError("of the first")]
    outcomes = rows.submit_all([1, 2, 3])
    assert [type(outcome) for outcome in outcomes] == [OperationalError] * 3
    assert (ledger.kept, ledger.faults) == ([], [])
    assert rows.submit_all([1, 2, 3]) == [10, 20, 30]


def test_all_who_come_at_once_are_answered_each_with_its_own() -> None:
    def commit(items: Sequence[int]) -> list[int]:
        if 13 in items:
            raise ValueError("no")
        return [item * 10 for item in items]

    rows: GroupCommit[int, int] = GroupCommit(commit, largest_batch=3)
    answers: dict[int, int | str] = {}

    def one(item: int) -> None:
        try:
            answers[item] = rows.submit(item)
        except ValueError as fault:
            answers[item] = str(fault)

    for _ in range(20):
        threads = [threading.Thread(target=one, args=(item,)) for item in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert answers == {item: item * 10 for item in range(20)} | {13: "no"}
        answers.clear()
    rows.close()


def test_a_thread_that_is_ended_while_it_commits_leaves_nobody_waiting() -> None:
    is_first = True

    def commit(items: Sequence[int]) -> list[int]:
        nonlocal is_first
        if is_first:
            is_first = False
            raise SystemExit
        return [item * 10 for item in items]

    rows: GroupCommit[int, int] = GroupCommit(commit)
    with pytest.raises(SystemExit):
        rows.submit(1)
    assert rows.submit(2) == 20
    rows.close()


@pytest.mark.postgresql
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="a file breaks no connection")
def test_a_connection_that_broke_is_opened_anew_and_the_write_made_again(
    ledger: Ledger, rows: GroupCommit[int, int]
) -> None:
    """As when PostgreSQL is started again: no sender is told of it."""
    keep = ledger.commit

    def commit(items: Sequence[int]) -> list[int]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return keep(items)

    rows._commit = commit  # type: ignore[assignment]
    assert rows.submit(1) == 10
    own = rows._connection
    assert own is not None
    own.connection.close()
    assert rows.submit(2) == 20
    assert ledger.kept == [1, 2]
    # and the caller's own connection is not touched by any of it
    assert connection is not own
