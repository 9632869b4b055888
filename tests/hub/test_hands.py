"""Connections are held by processes of their own, and one in front answers them all."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.hands import Hand, Hands, Taking
from tests.fakes.handing import ASK_SECONDS, connect, say
from tests.fakes.scarcity import limit_of, none_more_for
from tests.fakes.waiting import until

ROOT = Path(__file__).parents[2]


@dataclass
class Front:
    """The one in front, its port and its hands."""

    process: subprocess.Popen[str]
    port: int
    hands: list[int]


@pytest.fixture
def front() -> Iterator[Front]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.handing", "2"], cwd=ROOT, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    port, *hands = map(int, process.stdout.readline().split())
    yield Front(process, port, hands)
    process.kill()
    process.wait()


def state_of(pid: int) -> str:
    """What the system says of a process in one letter; Z also where it is not there."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def is_gone(pid: int) -> bool:
    return state_of(pid) == "Z"


def test_each_connection_goes_to_the_hand_that_has_the_fewest(front: Front) -> None:
    held = [connect(front.port) for _ in range(6)]
    assert Counter(pid for _one, pid in held) == {front.hands[0]: 3, front.hands[1]: 3}
    ended = held.pop(0)
    ended[0].close()
    until(lambda: _next_is(front, ended[1]), "the place is given again")


def _next_is(front: Front, pid: int) -> bool:
    connection, has_it = connect(front.port)
    connection.close()
    return has_it == pid


def test_what_comes_together_is_written_together_and_answered_each_with_its_own(
    front: Front,
) -> None:
    held = [connect(front.port)[0] for _ in range(4)]
    answers: dict[int, str] = {}

    def write(number: int) -> None:
        answers[number] = say(held[number], f"write {number}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: answer.split()[0] for number, answer in answers.items()} == {
        number: str(number) for number in range(4)
    }
    # the first goes at once, and the others wait for it
    assert max(int(answer.split()[-1]) for answer in answers.values()) > 1


def test_who_gets_no_answer_is_told_so_and_may_go_on(front: Front) -> None:
    connection, _pid = connect(front.port)
    assert say(connection, "write fail") == "not answered: it could not"
    assert say(connection, "ask who") == "asked who"
    assert say(connection, "write this") == "this of 1"


def test_who_waits_for_no_answer_learns_by_a_closed_line_that_nothing_was_written(
    front: Front,
) -> None:
    """And those on other lines learn nothing of it."""
    (failing, _), (other, _) = connect(front.port), connect(front.port)
    assert say(failing, "tell this") == "told"
    assert say(failing, "tell fail") == "told"
    until(lambda: say(failing, "tell more") == "not answered: gone", "the line is closed")
    assert say(other, "write that") == "that of 1"


def test_of_whoever_is_gone_already_nothing_that_came_to_nothing_ends_the_others(
    front: Front,
) -> None:
    """A line may be over before what was said last on it is settled."""
    other, _pid = connect(front.port)
    for _ in range(5):
        failing, _pid = connect(front.port)
        failing.sendall(b"tell fail\n")
        failing.close()
        assert say(other, "ask who") == "asked who"
    time.sleep(0.2)
    assert say(other, "write this") == "this of 1"
    assert front.process.poll() is None


def test_a_hand_that_is_lost_ends_all_and_says_so(front: Front) -> None:
    held = [connect(front.port) for _ in range(2)]
    os.kill(front.hands[0], signal.SIGKILL)
    assert front.process.wait(20) == 1
    assert is_gone(front.hands[1])
    assert {say_or_nothing(one) for one, _pid in held} == {""}


def test_hands_end_when_the_one_in_front_is_killed(front: Front) -> None:
    connect(front.port)
    front.process.kill()
    front.process.wait()
    until(lambda: all(map(is_gone, front.hands)), "no hand is left")


def test_a_hand_that_stands_still_as_the_one_in_front_is_killed_ends_all_the_same(
    front: Front,
) -> None:
    connection, pid = connect(front.port)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: state_of(pid) == "T", "the hand stands still")
    front.process.kill()
    front.process.wait()
    until(lambda: all(map(is_gone, front.hands)), "no hand is left")
    assert say_or_nothing(connection) == ""


def test_a_hand_that_may_open_no_more_files_is_passed_over_and_drops_nobody(front: Front) -> None:
    with none_more_for(front.hands[0]):
        given = [connect(front.port) for _ in range(7)]
        # Told to come again, once: then the one in front knows.
        assert Counter(pid for _one, pid in given) == {0: 1, front.hands[1]: 6}
    until(lambda: connect(front.port)[1] == front.hands[0], "it is given some again")
    assert {say(one, "ask who") for one, pid in given if pid} == {"asked who"}


def test_where_no_hand_may_open_more_files_each_is_told_to_come_again(front: Front) -> None:
    with none_more_for(*front.hands):
        assert {connect(front.port)[1] for _ in range(30)} == {0}
    until(lambda: connect(front.port)[1] in front.hands, "a hand has files again")


def test_where_the_one_in_front_may_open_no_more_files_each_is_told_to_come_again(
    front: Front,
) -> None:
    """It has one to take the connection with, and none for a line."""
    before = limit_of(front.process.pid, 1)
    assert before is not None
    try:
        # The first may have what was given back before; who is told to come again goes at once.
        given = [connect(front.port) for _ in range(10)]
        assert {pid for _one, pid in given[-5:]} == {0}
    finally:
        resource.prlimit(front.process.pid, resource.RLIMIT_NOFILE, before)
    assert connect(front.port)[1] in front.hands


def test_who_is_told_to_stop_lets_hands_finish_what_they_have(front: Front) -> None:
    """Also where the system tells all of them, as systemd does."""
    connection, _pid = connect(front.port)
    for pid in (*front.hands, front.process.pid):
        os.kill(pid, signal.SIGTERM)
    assert say(connection, "write last") == "last of 1"
    connection.close()
    assert front.process.wait(20) == 0
    assert all(map(is_gone, front.hands))


def test_a_hand_that_stops_amid_a_message_holds_up_no_other(front: Front) -> None:
    """And when all is to end it is killed, in time."""
    (stopped, pid), (other, _pid) = connect(front.port), connect(front.port)
    stopped.sendall(b"begin\n")
    until(lambda: state_of(pid) == "T", "the hand stands still")
    assert say(other, "write this") == "this of 1"
    assert say(other, "ask who") == "asked who"
    other.close()
    began = time.monotonic()
    front.process.terminate()
    assert front.process.wait(30) == 0
    assert time.monotonic() - began < 20
    assert all(map(is_gone, front.hands))


def test_a_hand_that_stands_still_is_passed_over_and_ends_all_in_time(front: Front) -> None:
    """Who is at it would wait for ever; and whoever sends again finds all started anew."""
    (waiting, pid), (other, its) = connect(front.port), connect(front.port)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(5 * ASK_SECONDS)
    assert {connect(front.port)[1] for _ in range(3)} == {its}
    assert say(other, "write this") == "this of 1"
    assert front.process.wait(30) == 1
    assert say_or_nothing(waiting) == ""
    assert all(map(is_gone, front.hands))


def test_a_hand_that_was_asked_by_one_who_has_gone_since_ends_as_when_it_was_not() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    Hand(0, ours).ask()
    ours.close()
    with theirs:
        assert list(Taking(theirs)) == []


def test_hands_that_are_well_are_left_in_peace(front: Front) -> None:
    connection, _pid = connect(front.port)
    time.sleep(16 * ASK_SECONDS)
    assert say(connection, "write this") == "this of 1"


def test_a_desk_that_fails_ends_all_and_leaves_nobody_waiting(front: Front) -> None:
    asking, _pid = connect(front.port)
    assert say_or_nothing(asking, "write break") in ("", "not answered: gone")
    assert front.process.wait(30) == 1
    assert all(map(is_gone, front.hands))


def test_of_a_hand_that_takes_nothing_connections_go_to_the_next() -> None:
    hands = Hands(2, nothing)
    try:
        os.kill(hands.all[0].pid, signal.SIGSTOP)
        given = Counter(give(hands)[0].pid for _ in range(1500))
        assert given.total() == 1500
        assert given[hands.all[0].pid] < given[hands.all[1].pid]
    finally:
        hands.close(0)
    assert all(is_gone(hand.pid) for hand in hands.all)


def nothing(taking: Taking) -> None:
    """Take what is given, and close it."""
    for handed in taking:
        handed.connection.close()
        if handed.line is not None:
            handed.line.close()


def give(hands: Hands) -> tuple[Hand, socket.socket]:
    """Give a connection away of which nobody keeps the other end."""
    one, other = socket.socketpair()
    other.close()
    given = hands.give(one, "127.0.0.1")
    assert given is not None
    return given


def test_where_all_hands_have_much_to_take_whoever_connects_waits_and_is_not_lost() -> None:
    hands = Hands(2, nothing)
    try:
        for hand in hands.all:
            os.kill(hand.pid, signal.SIGSTOP)
        goes_on = hands.all[1].pid
        go_on = threading.Timer(0.3, os.kill, (goes_on, signal.SIGCONT))
        go_on.start()
        for _ in range(1500):
            give(hands)[1].close()
        go_on.join()
    finally:
        hands.close(0)


def say_or_nothing(connection: socket.socket, what: str = "ask anything") -> str:
    try:
        return say(connection, what)
    except OSError:
        return ""
