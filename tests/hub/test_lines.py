"""What goes over a line comes whole, and no answer is taken for that of another question."""

from __future__ import annotations

import socket
import struct
from itertools import pairwise

import pytest

from hub.lines import ASK, WRITE, Answering, Line, NotAnswered

Ends = tuple[Line, Answering, socket.socket, socket.socket]


@pytest.fixture
def ends() -> Ends:
    theirs, ours = socket.socketpair()
    theirs.settimeout(20)
    return Line(theirs), Answering(ours), theirs, ours


def framed(text: bytes) -> bytes:
    return struct.pack("!I", len(text)) + text


def test_messages_come_whole_however_they_are_cut(ends: Ends) -> None:
    _line, answering, theirs, _ours = ends
    texts = [b"!one", b"?", b".three" * 50_000]
    sent, heard = b"".join(map(framed, texts)), []
    cuts = [0, 3, 9, 20, *range(70_000, len(sent), 70_000), len(sent)]
    for begin, end in pairwise(cuts):
        theirs.sendall(sent[begin:end])
        heard += answering.hear() or []
    while more := answering.hear():
        heard += more
    assert heard == texts
    theirs.close()
    assert answering.hear() is None


def test_where_nothing_has_come_nobody_waits(ends: Ends) -> None:
    assert ends[1].hear() == []


def test_an_answer_is_that_of_the_question(ends: Ends) -> None:
    line, answering, *_ = ends
    answering.reply(b"yes")
    assert line.ask(b"may I", kind=WRITE) == b"yes"
    answering.reply(b"no")
    assert line.ask(b"and now") == b"no"
    assert answering.hear() == [WRITE + b"may I", ASK + b"and now"]


def test_nothing_is_asked_on_a_line_that_answered_more_than_was_asked(ends: Ends) -> None:
    """Else the rest would be taken for the answer to what is asked next."""
    line, answering, *_ = ends
    answering.reply(b"yes")
    answering.reply(b"late")
    for question in (b"one", b"two"):
        with pytest.raises(NotAnswered, match="gone"):
            line.ask(question)


def test_nothing_is_asked_on_a_line_where_an_answer_may_be_late(ends: Ends) -> None:
    line, answering, theirs, _ours = ends
    theirs.settimeout(0.05)
    with pytest.raises(NotAnswered, match="gone"):
        line.ask(b"one")
    answering.reply(b"of one")
    with pytest.raises(NotAnswered, match="gone"):
        line.ask(b"two")


def test_no_answer_goes_out_on_a_line_that_is_over(ends: Ends) -> None:
    """Its number is that of the next socket that is opened."""
    _line, answering, _theirs, ours = ends
    number = ours.fileno()
    answering.close()
    other, _its_end = socket.socketpair()
    assert other.fileno() == number
    answering.reply(b"of another")
    _its_end.settimeout(0.05)
    with pytest.raises(TimeoutError):
        _its_end.recv(10)


def test_empty_means_that_it_could_not(ends: Ends) -> None:
    line, answering, *_ = ends
    answering.reply(b"")
    with pytest.raises(NotAnswered, match="could not"):
        line.ask(b"one")
    answering.reply(b"now")
    assert line.ask(b"again") == b"now"
