"""Starting and stopping: a taken port is said plainly, and SIGTERM leaves nothing behind."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.database import own_broker, own_database
from tests.fakes.modality import echoscu, program
from tests.fakes.running_hub import PROCESSES, RunningHub
from tests.fakes.waiting import until

DOORS = {"HUB_HTTP_PORT": "http_port", "HUB_DICOM_PORT": "dicom_port", "HUB_HL7_PORT": "hl7_port"}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub that has nothing set up and does not run yet."""
    program("echoscu")
    folder = tmp_path_factory.mktemp("hub")
    with own_database(folder) as database:
        hub = RunningHub(folder, database, own_broker())
        yield hub
        if hub.process is not None and hub.process.poll() is None:
            hub.stop()


def processes_of(hub: RunningHub) -> list[str]:
    """Every process anywhere that was started with this hub's folder."""
    mark, found = f"HUB_STATE_DIR={hub.state}".encode(), []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def test_sigterm_stops_every_process_within_seconds(hub: RunningHub) -> None:
    hub.start()
    until(lambda: all(hub.child(name) for name in PROCESSES), "all processes run")
    assert not echoscu(ae_title="NOBODY", port=hub.dicom_port)
    # peers that connected and say nothing do not hold it up either
    with (
        socket.create_connection(("127.0.0.1", hub.dicom_port)),
        socket.create_connection(("127.0.0.1", hub.hl7_port)),
        socket.create_connection(("127.0.0.1", hub.http_port)),
    ):
        started = time.monotonic()
        assert hub.stop() == 0
    assert time.monotonic() - started < 15
    assert processes_of(hub) == []
    for port in (hub.http_port, hub.dicom_port, hub.hl7_port):
        socket.create_server(("127.0.0.1", port)).close()


def test_processes_are_forked_from_one_that_has_a_single_thread_and_no_socket(
    hub: RunningHub,
) -> None:
    hub.start()
    until(lambda: all(hub.child(name) for name in PROCESSES), "all processes run")
    assert hub.process is not None
    own = Path(f"/proc/{hub.process.pid}")
    assert len(list((own / "task").iterdir())) == 1
    opened = [str(file.readlink()) for file in (own / "fd").iterdir()]
    assert not [name for name in opened if "socket:" in name or "sqlite" in name]
    hub.kill("web")
    until(lambda: hub.child("web"), "web runs again")
    assert len(list((own / "task").iterdir())) == 1
    hub.stop()


def test_it_starts_again_on_the_same_ports(hub: RunningHub) -> None:
    hub.start()
    hub.stop()
    assert processes_of(hub) == []


@pytest.mark.parametrize("name", sorted(DOORS))
def test_a_taken_port_is_said_plainly(hub: RunningHub, name: str) -> None:
    port = getattr(hub, DOORS[name])
    with socket.create_server(("127.0.0.1", port)):
        said = hub.manage("hub", is_fine=False)
    assert f"{name}: port {port} is taken" in said
    assert "Traceback" not in said
    assert processes_of(hub) == []


def test_killing_the_hub_itself_leaves_no_process_behind(hub: RunningHub) -> None:
    hub.start()
    assert hub.process is not None
    hub.process.kill()
    hub.process.wait(10)
    until(lambda: not processes_of(hub), "the children ended with their parent")
