"""The embedded broker under several writers and readers at once."""

from __future__ import annotations

import multiprocessing
import threading
import time
from pathlib import Path

from kombu import Connection

from hub import queue_folder


def _connection(folder: str) -> Connection:
    queue_folder.register()
    options = {
        "data_folder_in": folder,
        "data_folder_out": folder,
        "control_folder": f"{folder}-control",
        "polling_interval": 0.005,
    }
    return Connection("filesystem://localhost", transport_options=options)


def _write(folder: str, writer: int, count: int, name: str = "many") -> None:
    with _connection(folder) as connection:
        queue = connection.SimpleQueue(name)
        for number in range(count):
            queue.put({"writer": writer, "number": number})


def test_no_message_is_lost_doubled_or_read_half_written(tmp_path: Path) -> None:
    folder = tmp_path / "queue"
    folder.mkdir()
    writers = [
        multiprocessing.get_context("spawn").Process(target=_write, args=(str(folder), n, 200))
        for n in range(2)
    ]
    found: list[tuple[int, int]] = []
    stop = threading.Event()

    def read() -> None:
        with _connection(str(folder)) as connection:
            queue = connection.SimpleQueue("many")
            while not stop.is_set():
                try:
                    message = queue.get_nowait()
                except queue.Empty:
                    time.sleep(0.001)
                    continue
                found.append((message.payload["writer"], message.payload["number"]))
                message.ack()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for one in [*writers, *readers]:
        one.start()
    for one in writers:
        one.join()
    deadline = time.monotonic() + 10
    while len(found) < 400 and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    for reader in readers:
        reader.join()
    assert sorted(found) == [(writer, number) for writer in range(2) for number in range(200)]
    assert list(folder.iterdir()) == []


def test_the_oldest_message_comes_first(tmp_path: Path) -> None:
    folder = tmp_path / "queue"
    folder.mkdir()
    # kombu remembers bindings by queue for the whole process, whatever the folder
    _write(str(folder), 1, 20, name="ordered")
    with _connection(str(folder)) as connection:
        queue = connection.SimpleQueue("ordered")
        numbers = []
        for _ in range(20):
            message = queue.get_nowait()
            numbers.append(message.payload["number"])
            message.ack()
    assert numbers == list(range(20))
