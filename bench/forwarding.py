"""Orthanc as a router: it sends each study on once no instance of it has come for a second."""

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
    """A peer that sends studies on: its DICOM port, and what waits until it has begun to.

    ``wait`` gives when that was, in seconds since 1970.
    """

    port: int
    wait: Callable[[], float]


class Next:
    """Who gets what is sent on; ``wait`` gives when its first association of a study began."""

    def __init__(self) -> None:
        self._asked_at: list[float] = []
        self._came = threading.Event()
        self._server = scp.serve(
            ae_title="NEXT", bind="127.0.0.1", port=0, policy=self._ask, on_store=lambda _one: 0
        )
        self.port = self._server.port

    def _ask(self, _ae_title: str, _address: str) -> None:
        self._asked_at.append(time.time())
        self._came.set()

    def wait(self) -> float:
        """Seconds since 1970. Raises NotMeasured after a minute without one."""
        if not self._came.wait(60):
            raise NotMeasured("nothing was sent on")
        self._came.clear()
        return self._asked_at[-1]

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
