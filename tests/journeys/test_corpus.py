"""Every file of the corpus through the real ports: taken, or set aside with a reason, not gone."""

from __future__ import annotations

import re
import socket
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from tests.fakes.modality import echoscu, storescu
from tests.fakes.raw_scu import bytes_of, send_bytes
from tests.fakes.running_hub import ROOT
from tests.journeys.region import Region

CORPUS = ROOT.parent / "shared/corpus"
SENDER = re.compile(rb"\A((?:\xef\xbb\xbf)?MSH(.)[^\r\n]{4,5}?\2)[^\r\n]*?\2[^\r\n]*?\2")
# MSH-15 and MSH-16 (HL7 2.5.1 2.9.3)
ASKS_FOR_NONE = re.compile(rb"[^M]*MSH(?:\|[^|\r]*){13}\|NE\|NE")


def files_below(folder: str) -> list[Path]:
    found = sorted(path for path in (CORPUS / folder).rglob("*") if path.is_file())
    if not found:
        pytest.skip("the corpus is not here")
    return found


def set_aside(region: Region) -> int:
    """How many inputs were set aside so far; each has its reason and its bytes."""
    rows = region.hub.rows("SELECT CAST(reason AS varchar), key FROM routing_setaside")
    assert all(reason not in ("", "{}") and key for reason, key in rows)
    return len(rows)


def is_held(region: Region, path: Path) -> bool:
    """Whether there is a row for the instance that a file holds, be it in the inbox."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        uid = pydicom.dcmread(path, force=True, specific_tags=["SOPInstanceUID"]).SOPInstanceUID
    question = " UNION ".join(
        f"SELECT 1 FROM {table} WHERE sop_instance_uid = ?"
        for table in ("routing_arrived", "routing_instance")
    )
    return bool(region.hub.rows(question, str(uid), str(uid)))


def store(region: Region, path: Path) -> bool:
    """Send one file with storescu, or as mere bytes where that refuses; whether it was taken."""
    sent = storescu([path], ae_title="KONGSBERGCT", port=region.hub.dicom_port)
    if sent.answers:
        return sent.is_success
    held = bytes_of(path)
    status = send_bytes(held, ae_title="KONGSBERGCT", port=region.hub.dicom_port)
    if status is None:
        # a class that is not for C-STORE, such as a DICOMDIR: said to be an image
        held = replace(held, sop_class_uid=SecondaryCaptureImageStorage)
        status = send_bytes(held, ae_title="KONGSBERGCT", port=region.hub.dicom_port)
    assert status is not None, f"{path}: no answer"
    return status == 0


def assert_still_serves(region: Region) -> None:
    """C-ECHO is answered, and a study with its order still goes the whole way."""
    assert echoscu(ae_title="DRAMMENCT", port=region.hub.dicom_port)
    scan = region.scan()
    region.order(scan.order())
    region.send(scan)
    region.settled(scan)
    assert len(region.told(scan, "OMI^O23")) == 1


def test_every_dicom_file_is_taken_or_set_aside(region: Region) -> None:
    taken = 0
    for path in files_below("dicom"):
        before = set_aside(region)
        if store(region, path):
            taken += 1
            assert is_held(region, path), f"{path}: Success, and no row"
        else:
            assert set_aside(region) == before + 1, f"{path}: not taken, and not set aside"
    assert taken > 200
    assert_still_serves(region)


def from_kongsberg(raw: bytes) -> bytes:
    """The message with the names of a known RIS; an order for radiology gets a study as well."""
    named = SENDER.sub(rb"\g<1>RIS\g<2>KONGSBERG\g<2>", raw, count=1)
    if b"|ORM^O01" not in named.split(b"\r")[0]:
        return named
    return named.rstrip(b"\r\n") + f"\rZDS|{generate_uid()}^^Application^DICOM\r".encode()


def answers(port: int, messages: list[bytes]) -> Iterator[bytes]:
    """All that is answered to each message, which may ask for two answers, or for none."""
    for message in messages:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
            wire.sendall(b"\x0b" + message + b"\x1c\r")
            wire.shutdown(socket.SHUT_WR)
            yield b"".join(iter(partial(wire.recv, 65536), b""))


@pytest.mark.parametrize("sender", ["as they are", "from a known RIS"])
def test_every_hl7_file_is_answered_and_stored_or_set_aside(region: Region, sender: str) -> None:
    raw = [path.read_bytes() for path in files_below("hl7")]
    is_known = sender == "from a known RIS"
    if is_known:
        raw = [from_kongsberg(one) for one in raw]
    aside = set_aside(region)
    accepted, before = 0, aside
    for message, answer in zip(raw, answers(region.hub.hl7_port, raw), strict=True):
        codes = re.findall(rb"\rMSA\|([AC][AER])\|", answer)
        if codes:
            accepted += codes[-1] in (b"AA", b"CA")
        else:
            assert ASKS_FOR_NONE.match(message), answer
            accepted += set_aside(region) == before
        before = set_aside(region)
    assert accepted + set_aside(region) - aside == len(raw)
    assert bool(accepted) == is_known
    assert_still_serves(region)
