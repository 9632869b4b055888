"""SIGTERM in the middle: what was begun is finished, and nobody is told of what is not kept."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import hl7
import pydicom
import pytest
from hl7.client import MLLPClient
from pydicom.uid import generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage

from tests.fakes.modality import echoscu, program
from tests.fakes.obstinate import ObstinateRis
from tests.fakes.running_hub import RunningHub, running_hub
from tests.fakes.waiting import until
from tests.journeys.hospitals import Hospital, setup_of
from tests.journeys.region import Scan, make_scan

pytestmark = [pytest.mark.peer, pytest.mark.timeout(900)]
INSTANCES = 300
COUNT = """SELECT (SELECT count(*) FROM routing_instance i JOIN routing_study s
 ON s.id = i.study_id WHERE s.study_instance_uid = ?)
 + (SELECT count(*) FROM routing_arrived)"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    program("echoscu")
    ris = ObstinateRis()
    hospital = Hospital("drammen", "vestre-viken", ris.port, ris.port, ())
    setup = setup_of([hospital], tmp_path / "switches")
    try:
        with running_hub(
            tmp_path / "hub", setup, HUB_QUIET_SECONDS="120", HUB_DRAIN_SECONDS="45"
        ) as hub:
            yield hub
    finally:
        ris.close()


def kept(hub: RunningHub, scan: Scan) -> int:
    return int(hub.rows(COUNT, scan.uid)[0][0])


class SlowForm:
    """A request whose body still comes when the hub is told to stop."""

    def __init__(self, hub: RunningHub) -> None:
        self._wire = socket.create_connection(("127.0.0.1", hub.http_port), timeout=60)
        self._wire.sendall(
            b"POST /api/v1/usage HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: 12\r\n\r\n{"
        )

    def finish(self) -> bytes:
        """Send the rest; the first line of the answer."""
        self._wire.sendall(b'"one": "2"}\n')
        with self._wire, self._wire.makefile("rb") as answer:
            return answer.readline()


def orders_until_hung_up(hub: RunningHub, scan: Scan, accepted: list[str]) -> None:
    """Send orders over one connection, one after the other, until it is closed."""
    with MLLPClient("127.0.0.1", hub.hl7_port) as client:
        client.socket.settimeout(60)
        for number in range(100_000):
            name = f"D{number:06}"
            try:
                answer = client.send_message(scan.order(number=name).omi())
                if str(hl7.parse(answer.strip(b"\x0b\x1c\r").decode()).segment("MSA")[1]) == "AA":
                    accepted.append(name)
            except (OSError, hl7.HL7Exception, IndexError):
                return


def many_instances(folder: Path) -> Scan:
    """A study of many instances, all but alike."""
    scan = make_scan(folder, slices=1)
    dataset = pydicom.dcmread(scan.files[0])
    files = []
    for number in range(1, INSTANCES + 1):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.InstanceNumber = number
        files.append(scan.files[0].with_name(f"many-{number}.dcm"))
        dataset.save_as(files[-1])
    return replace(scan, files=tuple(files))


def send(hub: RunningHub, files: Sequence[Path]) -> list[int]:
    """Send over one association, as slowly as a scanner does; what each was answered."""
    datasets = [pydicom.dcmread(path) for path in files]
    ae = AE(ae_title="DRAMMENCT")
    ae.add_requested_context(CTImageStorage, datasets[0].file_meta.TransferSyntaxUID)
    association = ae.associate("127.0.0.1", hub.dicom_port, ae_title="HUB")
    answers = []
    for dataset in datasets:
        answers.append(association.send_c_store(dataset).get("Status", -1))
        time.sleep(0.01)
    association.release()
    return answers


def test_what_was_begun_is_finished_and_nothing_new_is_taken(hub: RunningHub) -> None:
    scan, other = many_instances(hub.folder), make_scan(hub.folder, slices=1)
    accepted: list[str] = []
    form = SlowForm(hub)
    with ThreadPoolExecutor(3) as peers:
        sending = peers.submit(send, hub, scan.files)
        ordering = peers.submit(orders_until_hung_up, hub, other, accepted)
        until(lambda: kept(hub, scan) > 5 and accepted, "study and orders come")
        before, stopping = kept(hub, scan), peers.submit(hub.stop)
        until(lambda: not echoscu(ae_title="DRAMMENCT", port=hub.dicom_port), "nobody new")
        line = form.finish()
        sent = sending.result(60)
        ordering.result(60)
        assert stopping.result(60) == 0
    assert before < INSTANCES
    assert sent == [0] * INSTANCES
    assert kept(hub, scan) == INSTANCES
    assert line.startswith(b"HTTP/1.1 4")
    # every order that was accepted has its row, whatever became of the last
    rows = hub.rows("SELECT count(*) FROM routing_order WHERE filler_order_number LIKE ?", "%D0%")
    assert rows[0][0] >= len(accepted) > 0


def test_an_association_over_which_nothing_comes_does_not_hold_up_the_end(hub: RunningHub) -> None:
    ae = AE(ae_title="DRAMMENCT")
    ae.add_requested_context(CTImageStorage)
    idle = ae.associate("127.0.0.1", hub.dicom_port, ae_title="HUB")
    assert idle.is_established
    started = time.monotonic()
    assert hub.stop() == 0
    assert time.monotonic() - started < 30
    until(lambda: idle.is_aborted, "the peer is told, not left")
