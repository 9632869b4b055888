"""What waits for a closed network: it believes no single silence, and says what is still open."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from tests.fakes.ports import free_ports
from vendors.performers import wall


def waits(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program, as a pod starts it."""
    return subprocess.run(
        [sys.executable, "-I", "-S", wall.__file__, *words], capture_output=True, text=True,
        timeout=60, check=False, env={"PATH": os.environ["PATH"]} | environment,
    )  # fmt: skip


@pytest.fixture
def door():
    with socket.create_server(("127.0.0.1", 0), backlog=64) as made:
        yield made


def test_it_waits_until_nothing_answers_any_more(door: socket.socket) -> None:
    port = door.getsockname()[1]
    closing, began = threading.Timer(1.0, door.close), time.monotonic()
    closing.start()
    said = waits("--seconds", "20", "--address", f"127.0.0.1:{port}")
    closing.join()
    assert (said.returncode, said.stderr[:19]) == (0, "wall: closed after ")
    assert time.monotonic() - began > 1.0


def test_it_gives_up_and_names_what_is_still_reached(door: socket.socket) -> None:
    (closed,) = free_ports(1)
    port = door.getsockname()[1]
    said = waits("--seconds", "0.5", "--address", f"127.0.0.1:{closed}",
                 "--address", f"127.0.0.1:{port}")  # fmt: skip
    assert said.returncode == wall.OPEN
    assert said.stderr == f"wall: 127.0.0.1 port {port} is still reached after 0.5 s\n"


def test_a_door_that_is_shut_for_a_moment_is_no_wall(door: socket.socket) -> None:
    address, stop = door.getsockname(), threading.Event()

    def slam() -> None:
        nonlocal door
        while not stop.wait(0.3):
            door.close()
            time.sleep(0.1)
            door = socket.create_server(address, backlog=64)

    slamming = threading.Thread(target=slam)
    slamming.start()
    reached = wall.still_open([address], seconds=3.0)
    stop.set()
    slamming.join()
    door.close()
    assert reached == f"127.0.0.1 port {address[1]}"


def test_without_an_address_it_is_the_api_server_that_every_pod_is_told_of(
    door: socket.socket,
) -> None:
    told = {"KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(door.getsockname()[1])}  # fmt: skip
    assert waits("--seconds", "0.1", **told).returncode == wall.OPEN
    door.close()
    assert waits("--seconds", "0.1", **told).returncode == wall.DONE


@pytest.mark.parametrize("words", [(), ("--address", "api.example.org:443"), ("--address", "::1")])
def test_what_cannot_be_tried_is_not_taken_for_closed(words: tuple[str, ...]) -> None:
    said = waits("--seconds", "5", *words)
    assert said.returncode == wall.MISUSED
    assert "no address to try: expected IP:PORT" in said.stderr
