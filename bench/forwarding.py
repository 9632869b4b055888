"""Orthanc as a router: it sends each study on once no instance of it has come for a second.

It sends on what came as it came: to de-identify it would only take longer.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import peers
from bench.places import NotMeasured, free_ports, wait_until
from hub.dicom import scp
from hub.doors import is_open

STABLE_SECONDS = 1
# What its users write to forward by rule; in Lua, because Debian's has it built in.
_SCRIPT = "function OnStableStudy(study) RestApiPost('/modalities/next/store', study) end"


@dataclass(frozen=True, slots=True)
class Router:
    """A peer that sends studies on: its DICOM port, and what waits until one is sent on.

    ``wait`` gives when it began to and when all of so many instances had come, in seconds since
    1970.
    """

    port: int
    wait: Callable[[int], tuple[float, float]]


class Next:
    """Who gets what is sent on, and does nothing with it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._asked_at: list[float] = []
        self._stored_at: list[float] = []
        self._server = scp.serve(
            ae_title="NEXT", bind="127.0.0.1", port=0, policy=self._ask, on_store=self._store
        )
        self.port = self._server.port

    def _ask(self, _ae_title: str, _address: str) -> None:
        with self._changed:
            self._asked_at.append(time.time())

    def _store(self, _one: object) -> int:
        with self._changed:
            self._stored_at.append(time.time())
            self._changed.notify_all()
        return 0

    def wait(self, count: int) -> tuple[float, float]:
        """When the first association began, and when so many instances had come.

        Seconds since 1970. Raises NotMeasured after a minute without them.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._stored_at) >= count, 60):
                raise NotMeasured(f"{len(self._stored_at)} of {count} instances were sent on")
            times = self._asked_at[0], self._stored_at[-1]
            self._asked_at.clear()
            self._stored_at.clear()
            return times

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown(grace=1)


@contextmanager
def orthanc(folder: Path) -> Iterator[Router]:
    """Orthanc as Debian ships it, with one script."""
    following = Next()
    dicom, http = free_ports(2)
    folder.mkdir(parents=True)
    (folder / "forward.lua").write_text(_SCRIPT)
    configuration = {
        "StorageDirectory": str(folder / "store"), "IndexDirectory": str(folder / "store"),
        "DicomPort": dicom, "HttpPort": http, "Plugins": [], "AuthenticationEnabled": False,
        "RemoteAccessAllowed": False, "DicomAlwaysAllowStore": True, "DicomAet": "ORTHANC",
        "StableAge": STABLE_SECONDS, "LuaScripts": [str(folder / "forward.lua")],
        "DicomModalities": {"next": ["NEXT", "127.0.0.1", following.port]},
    }  # fmt: skip
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    command = [peers.program("Orthanc"), str(folder / "orthanc.json")]
    try:
        with peers.started(command, folder):
            wait_until(lambda: is_open("127.0.0.1", dicom), "Orthanc listens")
            yield Router(dicom, following.wait)
    finally:
        following.close()
