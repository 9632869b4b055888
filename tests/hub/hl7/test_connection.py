"""The sender of messages: what it takes for an answer, and when it gives up."""

import socket
import time

import pytest

from hub.hl7.frames import frame
from hub.hl7.mllp import (
    Limits,
    MllpConnection,
    MllpServer,
    NoAnswer,
    Unreachable,
)
from tests.hub.hl7.peers import (
    echo,
    eventually,
    listener,
    receive,
)


def test_nobody_at_the_port_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(Unreachable, match=str(port)):
        MllpConnection("127.0.0.1", port, 1).send(b"x")


def test_a_peer_that_does_not_answer_is_given_up_in_time() -> None:
    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        for _ in range(30):
            time.sleep(0.05)
            try:
                connection.sendall(b"\x0bMSH"[:1])
            except OSError:
                return

    with listener(drip) as port:
        started = time.monotonic()
        with pytest.raises(NoAnswer, match=r"0\.3 seconds"):
            MllpConnection("127.0.0.1", port, 0.3).send(b"x")
        assert time.monotonic() - started < 1


def test_a_peer_that_hangs_up_gave_no_answer() -> None:
    with (
        listener(lambda connection: connection.recv(65536) and None) as port,
        pytest.raises(NoAnswer),
    ):
        MllpConnection("127.0.0.1", port, 2).send(b"x")


@pytest.mark.parametrize("pause", [0, 0.05])
def test_an_answer_that_nobody_waited_for_is_not_taken_for_the_next_one(pause: float) -> None:
    def talkative(connection: socket.socket) -> None:
        for message in receive(connection, 1):
            answers = [frame(b"to " + message), frame(b"stray")]
            connection.sendall(answers.pop(0) if pause else b"".join(answers))
            time.sleep(pause)
            connection.sendall(answers.pop() if pause else b"")
            receive(connection, 1)

    with listener(talkative) as port, MllpConnection("127.0.0.1", port, 2) as connection:
        assert connection.send(b"first") == b"to first"
        time.sleep(2 * pause)
        assert connection.send(b"second") == b"to second"


def test_an_answer_without_its_last_byte_is_taken() -> None:
    def careless(connection: socket.socket) -> None:
        if receive(connection, 1):
            connection.sendall(b"\x0bMSH|ack\x1c")
            time.sleep(0.1)

    with listener(careless) as port, MllpConnection("127.0.0.1", port, 5) as connection:
        assert connection.send(b"x") == b"MSH|ack"


def test_a_message_that_would_end_its_own_frame_is_not_sent() -> None:
    with pytest.raises(ValueError, match="0x1C"):
        MllpConnection("127.0.0.1", 1, 1).send(b"a\x1c\rb")


def test_a_connection_that_the_peer_closed_meanwhile_is_opened_again() -> None:
    with (
        MllpServer(echo, limits=Limits(idle_seconds=0.05)) as server,
        MllpConnection("127.0.0.1", server.port, 5) as connection,
    ):
        assert connection.send(b"one") == b"echo one"
        assert eventually(lambda: server.connection_count == 0)
        assert connection.send(b"two") == b"echo two"


@pytest.mark.parametrize("count", [1, 2])
def test_a_peer_that_hangs_up_as_a_message_comes_is_sent_it_once_more_and_no_oftener(
    count: int,
) -> None:
    """``count``: how many connections it ends so, of which the first had stood open."""
    messages: list[bytes] = []
    connections: list[int] = []

    def restarting(connection: socket.socket) -> None:
        connections.append(1)
        number = len(connections)
        while got := receive(connection, 1):
            messages.extend(got)
            if got == [b"second"] and number <= count:
                return
            connection.sendall(frame(b"to " + got[0]))

    with listener(restarting) as port, MllpConnection("127.0.0.1", port, 5) as connection:
        assert connection.send(b"first") == b"to first"
        if count == 1:
            assert connection.send(b"second") == b"to second"
        else:
            with pytest.raises(NoAnswer):
                connection.send(b"second")
    assert messages == [b"first", b"second", b"second"]


def test_a_new_connection_that_ends_is_not_tried_again() -> None:
    messages: list[bytes] = []
    with (
        listener(lambda connection: messages.extend(receive(connection, 1))) as port,
        pytest.raises(NoAnswer),
    ):
        MllpConnection("127.0.0.1", port, 5).send(b"x")
    assert messages == [b"x"]
