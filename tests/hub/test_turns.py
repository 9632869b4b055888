"""Threads that write on SQLite tell each other when they are done, and nobody waits for himself."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from hub.turns import turn_to_write

pytestmark = pytest.mark.django_db(transaction=True)


def begins(inside: threading.Event) -> threading.Thread:
    """Another thread that says when it has its turn."""

    def run() -> None:
        try:
            with turn_to_write():
                inside.set()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.sqlite  # the other database lets many write
def test_one_writes_and_the_next_goes_on_at_once() -> None:
    inside = threading.Event()
    with turn_to_write(), turn_to_write():
        thread = begins(inside)
        assert not inside.wait(0.1)
    assert inside.wait(5)
    thread.join()


@pytest.mark.sqlite
def test_a_turn_that_lasts_is_waited_for_no_longer_than_a_second() -> None:
    inside = threading.Event()
    with turn_to_write():
        thread = begins(inside)
        assert inside.wait(5)
    thread.join()
    inside = threading.Event()
    with turn_to_write():  # what the other did not take it has not given back
        thread = begins(inside)
        assert not inside.wait(0.1)
    thread.join()


def test_who_is_in_a_transaction_waits_for_no_turn() -> None:
    has_turn, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with turn_to_write():
                has_turn.set()
                may_end.wait(5)
        finally:
            connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert has_turn.wait(5)
    with transaction.atomic(), turn_to_write():
        assert not may_end.is_set()
    may_end.set()
    thread.join()


def test_a_fault_gives_the_turn_back() -> None:
    with pytest.raises(ZeroDivisionError), turn_to_write():
        raise ZeroDivisionError
    inside = threading.Event()
    begins(inside).join()
    assert inside.is_set()
