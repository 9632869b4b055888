"""Connections are lent to one at a time, kept for a moment, and closed when nobody comes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from hub.keeping import Keeper


@dataclass(eq=False)
class Connection:
    closed: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        self.closed.set()


def test_what_was_given_back_is_lent_again_under_its_key_alone() -> None:
    keeper: Keeper[Connection] = Keeper(idle_seconds=60)
    with keeper.lent("a", Connection) as first:
        pass
    with keeper.lent("b", Connection) as other, keeper.lent("a", Connection) as again:
        assert again is first
        assert other is not first
    keeper.close()
    assert first.closed.is_set()
    assert other.closed.is_set()


def test_two_at_once_have_one_each_and_one_of_them_is_kept() -> None:
    keeper: Keeper[Connection] = Keeper(idle_seconds=60)
    with keeper.lent("a", Connection) as first:
        with keeper.lent("a", Connection) as second:
            assert second is not first
        assert not second.closed.is_set()
    assert second.closed.is_set()
    with keeper.lent("a", Connection) as third:
        assert third is first
    keeper.close()


def test_one_given_back_in_the_midst_of_an_error_is_closed() -> None:
    keeper: Keeper[Connection] = Keeper(idle_seconds=60)
    with pytest.raises(OSError, match="broke"), keeper.lent("a", Connection) as broken:
        raise OSError("broke")
    assert broken.closed.is_set()
    with keeper.lent("a", Connection) as fresh:
        assert fresh is not broken
    keeper.close()


def test_what_nobody_asks_for_is_closed_also_after_all_were_closed_before() -> None:
    keeper: Keeper[Connection] = Keeper(idle_seconds=0.02)
    for _ in range(2):
        with keeper.lent("a", Connection) as kept:
            assert not kept.closed.is_set()
        assert kept.closed.wait(10)


def test_a_connection_is_never_in_two_hands_nor_closed_in_one() -> None:
    keeper: Keeper[Connection] = Keeper(idle_seconds=0.001)
    held: set[int] = set()
    faults: list[str] = []

    def borrow() -> None:
        for _ in range(300):
            with keeper.lent("a", Connection) as kept:
                if id(kept) in held or kept.closed.is_set():
                    faults.append("lent twice, or after it was closed")
                held.add(id(kept))
                held.discard(id(kept))

    threads = [threading.Thread(target=borrow) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
