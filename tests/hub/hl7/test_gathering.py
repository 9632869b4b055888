"""Messages of several connections are handed over together, and each is answered for itself."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from hub.hl7.gathering import Gathering
from hub.hl7.mllp import MllpConnection, MllpServer, NoAnswer


class Office:
    """Answers what is handed over, after the first batch has waited for the others to come."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.may_go_on = threading.Event()

    def handle(self, arrived: Sequence[tuple[bytes, str]]) -> list[bytes | None]:
        """The answer names the message and its peer."""
        self.batches.append(len(arrived))
        self.may_go_on.wait(10)
        if any(raw == b"bad" for raw, _ in arrived):
            raise RuntimeError
        return [raw + b" of " + peer.encode() for raw, peer in arrived]


def send(port: int, message: bytes) -> bytes:
    with MllpConnection("127.0.0.1", port, 10) as connection:
        return connection.send(message)


def test_what_comes_while_a_batch_is_handled_is_the_next_batch() -> None:
    office = Office()
    gathering = Gathering(office.handle)
    with MllpServer(gathering.take) as server, ThreadPoolExecutor(5) as senders:
        messages = [f"m{number}".encode() for number in range(5)]
        first = senders.submit(send, server.port, messages[0])
        while not office.batches:
            pass
        others = [senders.submit(send, server.port, one) for one in messages[1:]]
        while len(gathering._waiting) < 4:
            pass
        office.may_go_on.set()
        answers = [one.result() for one in (first, *others)]
    gathering.close()
    assert answers == [one + b" of 127.0.0.1" for one in messages]
    assert office.batches == [1, 4]


def test_a_batch_that_fails_is_not_answered_and_the_next_one_is() -> None:
    office = Office()
    office.may_go_on.set()
    gathering = Gathering(office.handle)
    with MllpServer(gathering.take) as server:
        try:
            answer: bytes | None = send(server.port, b"bad")
        except NoAnswer:
            answer = None
        assert answer is None
        assert send(server.port, b"good") == b"good of 127.0.0.1"
    gathering.close()


def test_peers_that_were_answered_together_are_waited_for() -> None:
    office = Office()
    gathering = Gathering(office.handle, moment_seconds=60)
    with (
        MllpServer(gathering.take) as server,
        ThreadPoolExecutor(2) as senders,
        MllpConnection("127.0.0.1", server.port, 10) as one,
        MllpConnection("127.0.0.1", server.port, 10) as other,
    ):
        first = senders.submit(one.send, b"m1")
        while not office.batches:
            pass
        second = senders.submit(other.send, b"m2")
        while not gathering._waiting:
            pass
        office.may_go_on.set()
        assert first.result() == b"m1 of 127.0.0.1"
        assert one.send(b"m3") == b"m3 of 127.0.0.1"
        assert second.result() == b"m2 of 127.0.0.1"
    gathering.close()
    assert office.batches == [1, 2]


def test_a_message_that_comes_alone_does_not_wait_for_others() -> None:
    office = Office()
    office.may_go_on.set()
    gathering = Gathering(office.handle, moment_seconds=60)
    with (
        MllpServer(gathering.take) as server,
        MllpConnection("127.0.0.1", server.port, 10) as one,
    ):
        for message in (b"m1", b"m2"):
            assert one.send(message) == message + b" of 127.0.0.1"
    gathering.close()
    assert office.batches == [1, 1]
