"""A process with hands, as a test has it: `python -m tests.fakes.handing COUNT`.

It prints its port, then a line for each thing that it does. A hand tells a connection its process
id, and says what it reads to the one in front, whose answer it sends on: ``write x`` is answered
with ``x`` and how many were written together, ``fail`` not at all, and ``break`` breaks the one in
front; ``ask x`` is answered with ``asked x``, ``tell x`` is
written and not answered, and ``begin`` stops the hand amid a message.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence

from hub.desk import Desk
from hub.dicom.listener import Listener
from hub.doors import wait_for_stop
from hub.hands import Handed, Hands, Taking
from hub.lines import WRITE, Line, NotAnswered

GRACE = 3.0
ASK_SECONDS = 0.25


def work(taking: Taking) -> None:
    """What a hand does."""
    threads = []
    for handed in taking:
        threads.append(threading.Thread(target=serve, args=(handed,), daemon=True))
        threads[-1].start()
    deadline = time.monotonic() + taking.grace
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0))


def serve(handed: Handed) -> None:
    """Go on until the connection is over."""
    if handed.line is None:
        with handed.connection:
            handed.connection.sendall(b"0\n")
        return
    line = Line(handed.line)
    with handed.connection, handed.connection.makefile("rw") as wire:
        print(os.getpid(), file=wire, flush=True)
        for said in wire:
            kind, _, what = said.strip().partition(" ")
            try:
                if kind == "begin":
                    handed.line.sendall(b"\0\0\0\7!am")
                    os.kill(os.getpid(), signal.SIGSTOP)
                if kind == "ask":
                    answer = line.ask(what.encode())
                elif kind == "tell":
                    line.say(what.encode())
                    answer = b"told"
                else:
                    answer = line.ask(what.encode(), kind=WRITE)
            except NotAnswered as fault:
                answer = f"not answered: {fault}".encode()
            print(answer.decode(), file=wire, flush=True)
    line.close()


def write(said: Sequence[tuple[object, bytes]]) -> list[bytes]:
    """Written together, in a twentieth of a second."""
    time.sleep(0.05)
    if any(message == b"break" for _state, message in said):
        return []
    if any(message == b"fail" for _state, message in said):
        raise RuntimeError("no")
    return [message + b" of %d" % len(said) for _state, message in said]


def main(count: int) -> int:
    """Serve until SIGTERM, or until a hand is lost; the exit code."""
    lost: list[bool] = []

    def on_loss() -> None:
        lost.append(True)
        os.kill(os.getpid(), 15)

    hands = Hands(count, work)
    desk = Desk(
        hands, meet=object, write=write, answer=lambda _state, what: b"asked " + what,
        on_loss=on_loss, ask_seconds=ASK_SECONDS,
    )  # fmt: skip
    listener = Listener("127.0.0.1", 0, desk.give)

    def say_port() -> bool:
        print(listener.port, *(hand.pid for hand in hands.all), flush=True)
        return False

    # Once it has opened all that it will.
    wait_for_stop(unless=say_port)
    listener.close()
    desk.close(0 if lost else GRACE, patience=1)
    return 1 if lost else 0


def connect(port: int) -> tuple[socket.socket, int]:
    """A connection, and the process that has it; 0 where it is told to come again."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    return connection, int(read_line(connection))


def say(connection: socket.socket, what: str) -> str:
    """What comes back of something said."""
    connection.sendall(f"{what}\n".encode())
    return read_line(connection)


def read_line(connection: socket.socket) -> str:
    """The next line, empty where the connection is over."""
    with connection.makefile("r") as wire:
        return wire.readline().strip()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
