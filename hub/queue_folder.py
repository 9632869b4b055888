"""The embedded broker: a folder of messages, each put there and taken away in one move.

kombu's filesystem transport opens a message's file under its final name before it writes, so that
a worker that looks at that moment reads nothing and dies of it; here a file appears when whole.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
import uuid
from collections import deque
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem

from hub.bell import Bell

_WAITING = ".msg"
_TAKEN = ".taken"


class Channel(filesystem.Channel):
    """Messages named by the moment they were put, so that the oldest sorts first."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)  # type: ignore[no-untyped-call]
        self._seen: dict[str, deque[str]] = {}

    def _put(  # type: ignore[override]
        self, queue: str, payload: Any, **_options: Any
    ) -> None:
        folder = Path(self.data_folder_out)
        part = folder / f".{uuid.uuid4().hex}"
        part.write_text(json.dumps(payload))
        part.rename(folder / f"{time.time_ns():020}_{uuid.uuid4().hex}.{queue}{_WAITING}")
        Bell(folder).ring()

    def _get(self, queue: str, timeout: Any = None) -> Any:
        folder = Path(self.data_folder_in)
        while name := self._next(queue):
            taken = folder / (name + _TAKEN)
            try:
                (folder / name).rename(taken)
                payload = json.loads(taken.read_text())
                taken.unlink()
            except FileNotFoundError:
                continue  # another worker was quicker
            return payload
        raise Empty

    def _next(self, queue: str) -> str:
        """The name of the oldest message, "" where none waits.

        The folder is looked through only when all that was seen in it is gone: with hundreds that
        wait, to look for each would cost more than what they ask for.
        """
        seen = self._seen.setdefault(queue, deque())
        if not seen:
            ending = f".{queue}{_WAITING}"
            names = (entry.name for entry in os.scandir(self.data_folder_in))
            seen.extend(sorted(name for name in names if name.endswith(ending)))
        return seen.popleft() if seen else ""

    def _size(self, queue: str) -> int:
        ending = f".{queue}{_WAITING}"
        return sum(entry.name.endswith(ending) for entry in os.scandir(self.data_folder_in))

    def _purge(self, queue: str) -> int:
        count = 0
        for path in Path(self.data_folder_in).glob(f"*.{queue}{_WAITING}"):
            path.unlink(missing_ok=True)
            count += 1
        return count

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        file = self._exchange_file(exchange)  # type: ignore[no-untyped-call]
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            first = file.with_name(f".{uuid.uuid4().hex}")
            first.write_text("[]")
            with contextlib.suppress(FileExistsError):  # another process was quicker
                file.hardlink_to(first)
            first.unlink()
        super()._queue_bind(  # type: ignore[no-untyped-call]
            exchange, routing_key, pattern, queue
        )


class Transport(filesystem.Transport):
    """The transport of ``filesystem://`` URLs in this project."""

    Channel = Channel

    def __init__(self, client: Any, **options: Any) -> None:
        super().__init__(client, **options)  # type: ignore[no-untyped-call]
        self._bell = Bell(Path(client.transport_options["data_folder_in"]))

    def drain_events(  # type: ignore[override]
        self, connection: Any, timeout: float | None = None
    ) -> None:
        """Hand on one message; TimeoutError where none comes in so many seconds.

        As kombu's own, but that a message which is put while it waits is seen at once.
        """
        ends_at = math.inf if timeout is None else time.monotonic() + timeout
        cycle: Any = self.cycle
        while True:
            try:
                cycle.get(self._deliver, timeout=timeout)
            except Empty:
                left = ends_at - time.monotonic()
                if left <= 0:
                    raise TimeoutError from None
                self._bell.wait(min(self.polling_interval, left))
            else:
                return

    def close_connection(self, connection: Any) -> None:
        """Close all of it."""
        self._bell.close()
        super().close_connection(connection)  # type: ignore[no-untyped-call]


def register() -> None:
    """Make ``filesystem://`` mean this transport."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:{Transport.__name__}"
