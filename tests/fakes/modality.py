"""What stands before the hub: a scanner that sends with storescu, and a RIS that sends orders."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import hl7
from hl7.client import MLLPClient

from tests.hub.dicom.peers import program

_ANSWER = re.compile(r"Received Store Response \((.*)\)")


@dataclass(frozen=True, slots=True)
class Sent:
    """What storescu told: the answer to each instance in words, and all that it printed."""

    answers: tuple[str, ...]
    text: str
    code: int

    @property
    def is_success(self) -> bool:
        """Whether every instance was answered with Success."""
        return self.code == 0 and bool(self.answers) and set(self.answers) == {"Success"}


def storescu(
    files: Sequence[Path], *, ae_title: str, port: int, called: str = "HUB"
) -> Sent:
    """Send files in one association, to the end, whatever is answered."""
    words = [
        program("storescu"), "-v", "-R", "-nh", "-aet", ae_title, "-aec", called,
        "127.0.0.1", str(port), *map(str, files),
    ]  # fmt: skip
    environment = {**os.environ, "TCP_NODELAY": "1"}
    done = subprocess.run(
        words, env=environment, capture_output=True, text=True, errors="replace", timeout=120,
        check=False,
    )  # fmt: skip
    text = done.stdout + done.stderr
    return Sent(tuple(_ANSWER.findall(text)), text, done.returncode)


def echoscu(*, ae_title: str, port: int) -> bool:
    """Whether the hub answers C-ECHO."""
    words = [program("echoscu"), "-aet", ae_title, "-aec", "HUB", "127.0.0.1", str(port)]
    return subprocess.run(words, capture_output=True, timeout=30, check=False).returncode == 0


@dataclass(frozen=True, slots=True)
class Order:
    """An order as a RIS has it; ``facility`` is its MSH-4, ``priority`` its TQ1-9 (table 0485)."""

    facility: str
    study_instance_uid: str
    accession_number: str
    patient_id: str
    number: str
    priority: str = "R"
    control: str = "NW"
    control_id: str = ""

    def omi(self) -> bytes:
        """OMI^O23 in 2.5.1 (IHE RAD-4 and RAD-13)."""
        name = self.control_id or f"{self.number}.{self.control}.{self.priority}"
        return "\r".join([
            f"MSH|^~\\&|RIS|{self.facility}|AVROP|HUB|20261122081500+0100||OMI^O23^OMI_O23|{name}"
            "|P|2.5.1||||||UNICODE UTF-8",
            f"PID|1||{self.patient_id}^^^FNR||Åsnes^Kjærsti||19720913|F",
            "PV1|1|I",
            f"ORC|{self.control}|P{self.number}^HIS|F{self.number}^RIS||SC",
            f"TQ1|1||||||20261122080000+0100||{self.priority}^^HL70485",
            f"OBR|1|P{self.number}^HIS|F{self.number}^RIS|RCT01^CT caput^99RIS",
            f"IPC|{self.accession_number}|RP{self.number}|{self.study_instance_uid}"
            f"|SPS{self.number}|CT|RPID1^Caput^99RIS",
            "",
        ]).encode()  # fmt: skip

    def orm(self) -> bytes:
        """ORM^O01 in 2.3.1 without ZDS, so without the Study Instance UID, as many a RIS has it."""
        return "\r".join([
            f"MSH|^~\\&|RIS|{self.facility}|AVROP|HUB|20261122081500||ORM^O01|{self.number}.ORM"
            "|P|2.3.1||||||8859/1",
            f"PID|1||{self.patient_id}^^^FNR||Åsnes^Kjærsti||19720913|F",
            "PV1|1|I",
            f"ORC|{self.control}|P{self.number}^HIS|F{self.number}^RIS||SC"
            f"||1^once^^20261122080000^^{self.priority}",
            f"OBR|1|P{self.number}^HIS|F{self.number}^RIS|RCT01^CT caput^99RIS||||||||||||||"
            f"{self.accession_number}|RP{self.number}|SPS{self.number}||||CT",
            "",
        ]).encode("latin-1")  # fmt: skip


def send_hl7(message: bytes, *, port: int) -> hl7.Message:
    """Send one message with python-hl7's client; the answer, read."""
    with MLLPClient("127.0.0.1", port) as client:
        client.socket.settimeout(30)
        answer = client.send_message(message)
    return hl7.parse(answer.strip(b"\x0b\x1c\r").decode())
