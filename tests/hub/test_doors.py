"""What keeps a port from being opened is said plainly; and how a process waits to be stopped."""

from __future__ import annotations

import errno
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hub.doors import obstacle, told
from tests.fakes.ports import free_ports

ROOT = Path(__file__).parents[2]
# The system hands a signal to any thread that takes it; Python's handlers run in the main one.
SIGNALLED_IN_ANOTHER_THREAD = """
import signal, sys, threading, time
from hub.doors import wait_for_stop

def signal_myself():
    time.sleep(0.2)
    signal.pthread_kill(threading.get_ident(), int(sys.argv[1]))
    time.sleep(60)

threading.Thread(target=signal_myself, daemon=True).start()
wait_for_stop()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait_whichever_thread_it_reached(number: signal.Signals) -> None:
    command = [sys.executable, "-c", SIGNALLED_IN_ANOTHER_THREAD, str(int(number))]
    assert subprocess.run(command, cwd=ROOT, timeout=10, check=False).returncode == 0


def test_a_free_port_has_no_obstacle() -> None:
    assert obstacle("HUB_DICOM_PORT", "127.0.0.1", 0) == ""


def test_a_taken_port_is_told_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        why = obstacle("HUB_DICOM_PORT", "127.0.0.1", port)
    assert why.startswith(f"HUB_DICOM_PORT: port {port} is taken by another program; ")


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", ".."])
def test_an_address_of_another_machine_is_not_called_a_taken_port(host: str) -> None:
    why = obstacle("HUB_DICOM_PORT", host, 11112)
    assert why == f"HUB_BIND: expected an address of this machine, found {host}"


def test_a_port_that_the_system_keeps_is_not_called_a_taken_port() -> None:
    why = told("HUB_DICOM_PORT", "127.0.0.1", 104, PermissionError(errno.EACCES, "denied"))
    assert "HUB_DICOM_PORT: the system forbids this account to open port 104" in why


def a_command(name: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), name],
        env={"HUB_STATE_DIR": str(folder), "PATH": "/usr/bin:/bin"} | settings,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def free_doors() -> dict[str, str]:
    names = ("HUB_HTTP_PORT", "HUB_DICOM_PORT", "HUB_HL7_PORT")
    return {name: str(port) for name, port in zip(names, free_ports(3), strict=True)}


@pytest.mark.parametrize("name", ["hub", "web", "listen_dicom", "listen_hl7"])
def test_each_process_tells_an_address_of_another_machine(tmp_path: Path, name: str) -> None:
    done = a_command(name, tmp_path, HUB_BIND="192.0.2.1")
    assert done.returncode == 2
    assert "HUB_BIND: expected an address of this machine, found 192.0.2.1" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_doors_at_one_port_are_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    done = a_command("hub", tmp_path, HUB_HTTP_PORT=port, HUB_DICOM_PORT=port)
    assert done.returncode == 2
    said = f"HUB_DICOM_PORT: expected a port of its own, found {port} as in HUB_HTTP_PORT"
    assert said in done.stderr
    assert "hub is open" not in done.stdout


def test_a_database_that_is_away_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"postgres://hub:hidden@127.0.0.1:{port}/hub"
    done = a_command("hub", tmp_path, HUB_DATABASE_URL=url, HUB_SECRET_KEY="k" * 60, **free_doors())
    assert done.returncode != 0
    assert "CommandError: the database cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hidden" not in done.stderr
