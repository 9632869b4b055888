"""mercure out of a checkout of its source: its receiver alone, or with its router and dispatcher.

``MERCURE`` names the checkout, in which app/bin has what mercure builds for itself: getdcmtags, and
from 0.4.0 on dcmtk, which the releases before take from the system. ``MERCURE_PYTHON`` is an
interpreter that has what it needs from Python's index, where that is not the one of a .venv in the
checkout. It syncs nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen

from bench import forwarding, peers
from bench.places import NotMeasured, free_ports, wait_until
from hub.doors import is_open

NAME = "mercure"
_FOLDERS = ("incoming", "studies", "outgoing", "success", "error", "discard", "processing", "jobs")
# The shortest it has: it looks once a second for series of which nothing came for so long.
_SCAN_SECONDS = 1


def is_given() -> bool:
    """Whether somebody named a checkout."""
    return bool(os.environ.get("MERCURE"))


def version() -> str:
    """What the checkout calls itself."""
    try:
        return (_app() / "VERSION").read_text().strip()
    except (OSError, NotMeasured):
        return "missing"


@contextmanager
def receiver(folder: Path) -> Iterator[peers.Receiver]:
    """Its receiver: a process for each association reads the tags of each file in one more."""
    with _receiving(folder, {}) as (port, process):
        yield peers.Receiver(NAME, "MERCURE", port, folder / "incoming", process, pattern="*.dcm")


@contextmanager
def router(folder: Path) -> Iterator[forwarding.Router]:
    """All that brings a series on its way: receiver, router and dispatcher, as each comes."""
    following = forwarding.Next()
    target = {
        "target_type": "dicom", "ip": "127.0.0.1", "port": str(following.port),
        "aet_target": "NEXT", "aet_source": "MERCURE",
    }  # fmt: skip
    rule = {"rule": "True", "target": "next", "action": "route", "action_trigger": "series"}
    try:
        with ExitStack() as stack:
            told = {"targets": {"next": target}, "rules": {"all": rule}}
            port, _process = stack.enter_context(_receiving(folder, told))
            for part in ("router", "dispatcher"):
                stack.enter_context(_part(part, folder))
            yield forwarding.Router(port, following.wait)
    finally:
        following.close()


@contextmanager
def _receiving(folder: Path, told: dict[str, object]) -> Iterator[tuple[int, Popen[bytes]]]:
    script = _app() / "receiver.sh"
    (port,) = free_ports(1)
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True)
    configuration = {
        **{f"{name}_folder": str(folder / name) for name in _FOLDERS},
        "appliance_name": NAME, "port": port, "accept_compressed_images": False,
        "bookkeeper": "", "bookkeeper_api_key": "", "persistence_folder": str(folder),
        "router_scan_interval": _SCAN_SECONDS, "dispatcher_scan_interval": _SCAN_SECONDS,
        "series_complete_trigger": forwarding.STABLE_SECONDS, "graphite_ip": "",
        "influxdb_host": "", "targets": {}, "rules": {}, "modules": {}, **told,
    }  # fmt: skip
    (folder / "mercure.json").write_text(json.dumps(configuration))
    with _running([peers.program("bash"), str(script)], folder, "receiver") as process:
        wait_until(lambda: process.poll() is not None or is_open("127.0.0.1", port), NAME)
        _demand_running(process, folder / "receiver")
        yield port, process


@contextmanager
def _part(name: str, folder: Path) -> Iterator[None]:
    own = _app().parent / ".venv/bin/python"
    python = os.environ.get("MERCURE_PYTHON") or str(own)
    # In the folder of its programs: the dispatcher calls them by relative names.
    command = ["env", "-C", str(_app()), python, f"{name}.py"]
    with _running(command, folder, name) as process:
        log = folder / name / "log"
        wait_until(lambda: process.poll() is not None or b"Instance  PID" in log.read_bytes(), name)
        _demand_running(process, folder / name)
        yield


@contextmanager
def _running(command: list[str], folder: Path, name: str) -> Iterator[Popen[bytes]]:
    """One of its processes, with a folder of its own for its log."""
    log = folder / name
    log.mkdir()
    # It calls dcmtk's programs by name, and packages of Python have programs of those names too.
    path = f"{Path(peers.program('storescu')).parent}:{os.environ.get('PATH', '')}"
    settings = [
        f"PATH={path}", f"MERCURE_CONFIG_FOLDER={folder}", f"MERCURE_BASEPATH={folder}",
    ]  # fmt: skip
    # Its receiver takes whatever this one says as a wish for TLS.
    words = ["env", "-u", "MERCURE_TLS_ENABLED", *settings, *command]
    with peers.started(words, log) as process:
        yield process


def _demand_running(process: Popen[bytes], folder: Path) -> None:
    if process.poll() is not None:
        said = (folder / "log").read_text(errors="replace").strip().splitlines()
        raise NotMeasured(f"{NAME} did not start: {' '.join(said[-2:])}")


def _app() -> Path:
    app = Path(os.environ.get("MERCURE", "")) / "app"
    if not is_given() or not (app / "receiver.sh").exists():
        raise NotMeasured("MERCURE does not name a checkout of mercure")
    return app.absolute()
