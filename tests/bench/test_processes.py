"""What processes use is read from the system as it is."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench import processes

# Starts a child, holds 40 MB, burns some time of the processor, and waits to be ended.
_WORK = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
held = b"x" * 40_000_000
while time.process_time() < 0.3: pass
print("ready", flush=True)
input()
"""


@pytest.fixture
def worker() -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-c", _WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process.pid
    process.communicate(b"\n\n")


def test_a_process_is_asked_for_its_time_memory_and_children(worker: int) -> None:
    assert len(processes.family(worker)) == 2
    assert 0.25 <= processes.cpu_seconds([worker]) < 5
    assert processes.resident_bytes([worker]) > 40_000_000
    assert processes.resident_bytes([worker], highest=True) >= processes.resident_bytes([worker])
    assert 40_000_000 < processes.own_bytes([worker]) <= processes.resident_bytes([worker])


def test_only_who_listens_at_the_port_is_found(worker: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert processes.listeners(port, [os.getpid(), worker]) == [os.getpid()]
    assert processes.listeners(port, [os.getpid(), worker]) == []


def test_a_process_that_has_ended_uses_nothing() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert processes.cpu_seconds([ended.pid]) == 0
    assert processes.own_bytes([ended.pid]) == 0
