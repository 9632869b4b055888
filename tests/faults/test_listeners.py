"""A listener with its hands that has no more files, or hundreds of peers that say nothing."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hub.dicom import negotiation
from hub.dicom.negotiation import Context
from tests.fakes.modality import program, storescu
from tests.fakes.running_hub import RunningHub, running_hub
from tests.fakes.scarcity import none_more_for
from tests.fakes.waiting import until
from tests.faults.trusts import meanwhile
from tests.journeys.hospitals import Hospital, setup_of
from tests.journeys.region import make_scan

pytestmark = pytest.mark.once

_SILENT = 200
# PS3.8 9.1.5, as hub/dicom/upper_layer.py has it, and a moment
_ARTIM, _MOMENT = 30.0, 5.0
_TURNS = 3


@dataclass
class Door:
    """The listener alone, at its port."""

    hub: RunningHub
    port: int
    folder: Path

    @property
    def hands(self) -> list[int]:
        """The processes that hold associations."""
        return [pid for pid in self.hub.descendants() if _name(pid).startswith("hand")]

    def seconds_for(self, *, slices: int = 150, at_once: int = 2) -> float:
        """How long some scanners at once take for a study each, all of which is taken."""
        scans = [make_scan(self.folder, slices=slices) for _ in range(at_once)]
        began = time.monotonic()

        def store(files: list[Path]) -> bool:
            return storescu(files, ae_title="DRAMMENCT", port=self.port).is_success

        with ThreadPoolExecutor(at_once) as scanners:
            assert all(scanners.map(store, [list(scan.files) for scan in scans]))
        return time.monotonic() - began


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    program("storescu")
    folder = tmp_path_factory.mktemp("door")
    setup = setup_of([Hospital("drammen", "vestre-viken", 1, 1)], folder / "switches")
    with running_hub(folder / "hub", setup, is_started=False, HUB_LISTENERS="2") as hub:
        hub.process = hub.run("listen_dicom")
        found = Door(hub, hub.dicom_port, folder)
        until(lambda: len(found.hands) == 2 and _is_answered(found.port), "it listens")
        yield found


def _request() -> bytes:
    """What a scanner of the hospital begins with."""
    contexts = {1: Context("1.2.840.10008.1.1", "1.2.840.10008.1.2")}
    return negotiation.request(
        calling_ae_title="DRAMMENCT", called_ae_title="HUB", contexts=contexts,
        maximum_pdu_length=16384,
    )  # fmt: skip


def asked(port: int) -> tuple[socket.socket, tuple[int, ...] | None]:
    """Ask for an association; what it is asked over, and result, source and reason of a rejection.

    None where it is accepted.
    """
    scanner = socket.create_connection(("127.0.0.1", port), timeout=20)
    scanner.sendall(_request())
    answer = scanner.recv(10)
    assert answer[:1] in (b"\2", b"\3"), answer
    return scanner, None if answer[:1] == b"\2" else tuple(answer[7:])


def rejection(port: int) -> tuple[int, ...] | None:
    """As asked(), by one that hangs up then."""
    scanner, answer = asked(port)
    scanner.close()
    return answer


def _is_answered(port: int) -> bool:
    try:
        return rejection(port) is None
    except OSError:
        return False


def test_who_finds_no_file_left_is_told_to_come_again_and_is_then_served(door: Door) -> None:
    """A transient rejection is tried again; of a connection that breaks off nobody knows why."""
    with none_more_for(*door.hands), ExitStack() as stack:
        answers = []
        for _ in range(30):
            scanner, answer = asked(door.port)
            stack.callback(scanner.close)
            if answer is not None:
                scanner.close()
            answers.append(answer)
        # The first may have had what others had given back.
        assert set(answers[-10:]) == {(2, 3, 1)}
        assert set(answers) <= {None, (2, 3, 1)}
    until(lambda: rejection(door.port) is None, "it is served", seconds=20)
    assert door.seconds_for(slices=5) > 0


# -- who says nothing ------------------------------------------------------------------------------
@dataclass
class Crowd:
    """Connections that ask for no association, whatever else they do, and when each was ended."""

    port: int
    all: list[socket.socket] = field(default_factory=list)
    opened_at: dict[socket.socket, float] = field(default_factory=dict)
    lasted: list[float] = field(default_factory=list)
    # What they have yet to say, a byte each second: a request, for after what is none of it
    # ARTIM begins anew (PS3.8 9.2.3, AA-1)
    rest: bytes = b""

    def open(self, number: int, *, first: bytes) -> None:
        """One more, each from another address of this host or all from one."""
        one = socket.create_connection(
            ("127.0.0.1", self.port), timeout=10, source_address=(f"127.0.0.{number}", 0)
        )
        one.sendall(first)
        one.setblocking(False)
        self.all.append(one)
        self.opened_at[one] = time.monotonic()

    def drip(self) -> float:
        """Let each of them say a byte more, and see which were ended."""
        said, self.rest = self.rest[:1], self.rest[1:]
        for one in [one for one in self.all if one in self.opened_at]:
            try:
                if said:
                    one.send(said)
                is_over = one.recv(1) == b""
            except BlockingIOError:
                is_over = False
            except OSError:
                is_over = True
            if is_over:
                self.lasted.append(time.monotonic() - self.opened_at.pop(one))
        return 1.0


@contextmanager
def crowd(door: Door, how: str, *, addresses: int) -> Iterator[Crowd]:
    """Two hundred of them."""
    request = _request()
    said = {"nothing": 0, "a byte each second": 1, "half of a request": 50}[how]
    found = Crowd(door.port, rest=request[1:] if said == 1 else b"")
    with ExitStack() as stack:
        for number in range(_SILENT):
            found.open(2 + number % addresses, first=request[:said])
            stack.callback(found.all[-1].close)
        with meanwhile(found.drip):
            yield found


@pytest.mark.long
@pytest.mark.parametrize(
    ("how", "addresses"),
    [
        ("nothing", 1),
        ("nothing", _SILENT),
        ("a byte each second", _SILENT),
        ("half of a request", 1),
    ],
)
def test_two_hundred_who_ask_for_nothing_slow_no_scanner_and_are_ended(
    door: Door, how: str, addresses: int
) -> None:
    door.seconds_for(slices=20)
    alone = min(door.seconds_for() for _ in range(_TURNS))
    with crowd(door, how, addresses=addresses) as silent:
        beside = min(door.seconds_for() for _ in range(_TURNS))
        held = len(silent.opened_at)
        print(f"{how}, {addresses} addresses: {alone:.2f} s alone, {beside:.2f} s beside {held}")
        until(lambda: len(silent.lasted) == _SILENT, "all are ended", seconds=_ARTIM + _MOMENT)
    # Beside all of them, or it would say nothing.
    assert held == _SILENT
    assert beside < 1.5 * alone
    assert max(silent.lasted) < _ARTIM + _MOMENT
    assert len(door.hands) == 2
