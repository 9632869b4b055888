"""Many small writes, one commit: one bad item spoils no other, and nobody waits for ever."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from django.db import OperationalError
from psycopg.errors import DeadlockDetected, QueryCanceled

from hub.group_commit import GroupCommit

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
