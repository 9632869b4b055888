"""Orthanc as the PACS of a hospital: takes C-STORE, and its REST interface tells what it holds."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset

from hub.supervisor import die_with_parent
from tests.fakes.ports import free_ports
from tests.fakes.waiting import until
from tests.hub.dicom.peers import program


@dataclass(frozen=True, slots=True)
class Orthanc:
    """A running Orthanc."""

    dicom_port: int
    http_port: int

    def ask(self, route: str, post: Any = None) -> bytes:
        """The answer of its REST interface."""
        data = None if post is None else json.dumps(post).encode()
        address = f"http://127.0.0.1:{self.http_port}/{route}"
        with urllib.request.urlopen(address, data, timeout=10) as answer:
            return bytes(answer.read())

    def files_of(self, study_instance_uid: str) -> list[bytes]:
        """The Part 10 files that it holds of a study."""
        question = {
            "Level": "Instance", "Query": {"StudyInstanceUID": study_instance_uid}, "Expand": True,
        }  # fmt: skip
        found = json.loads(self.ask("tools/find", question))
        return [self.ask(f"instances/{one['ID']}/file") for one in found]

    def of_study(self, study_instance_uid: str) -> list[Dataset]:
        """What it holds of a study, read, the earliest written first."""
        found = [pydicom.dcmread(BytesIO(one)) for one in self.files_of(study_instance_uid)]
        return sorted(found, key=lambda one: (one.InstanceCreationDate, one.InstanceCreationTime))


@contextmanager
def running_orthanc(folder: Path, *, ae_title: str) -> Iterator[Orthanc]:
    """Run Orthanc on loopback, empty, until the block ends; skips the test where it is missing."""
    dicom, http = free_ports(2)
    configuration = {
        "StorageDirectory": str(folder / "store"), "IndexDirectory": str(folder / "store"),
        "DicomAet": ae_title, "DicomPort": dicom, "HttpPort": http, "Plugins": [],
        "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "HttpServerEnabled": True,
        "DicomAlwaysAllowEcho": True, "DicomAlwaysAllowStore": True, "DicomAlwaysAllowFind": True,
        "DicomCheckCalledAet": True, "UnknownSopClassAccepted": False,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "orthanc.json"
    path.write_text(json.dumps(configuration))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen(
            [program("Orthanc"), str(path)],
            stdout=log, stderr=log, env={**os.environ, "TCP_NODELAY": "1"},
            preexec_fn=die_with_parent,
        )  # fmt: skip
    pacs = Orthanc(dicom, http)
    try:
        until(lambda: process.poll() is not None or _answers(pacs), "Orthanc answers")
        assert process.poll() is None, (folder / "orthanc.log").read_text(errors="replace")
        yield pacs
    finally:
        # asked to end, it takes seconds, and nobody needs its store again
        process.kill()
        process.wait(20)


def _answers(pacs: Orthanc) -> bool:
    try:
        return bool(pacs.ask("system"))
    except OSError:
        return False
