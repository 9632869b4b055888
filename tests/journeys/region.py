"""What the journeys speak of: hospitals with the hub between them, and studies they send."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import hl7
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from demo.phantoms import Patient, Shape, make_study, write_study
from tests.fakes.modality import Order, Sent, send_hl7, storescu
from tests.fakes.obstinate import Door, ObstinateRis
from tests.fakes.orthanc import Orthanc
from tests.fakes.running_hub import Json, RunningHub
from tests.fakes.waiting import until

ENDED = {"withheld", "held", "written_back", "failed", "refused", "rejected", "superseded"}
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Scan:
    """One study on disk; ``files`` are its instances in order."""

    uid: str
    patient_id: str
    accession_number: str
    files: tuple[Path, ...]

    def order(self, facility: str = "DRAMMEN", **changes: Any) -> Order:
        """The order that belongs to it."""
        said = {
            "facility": facility,
            "study_instance_uid": self.uid,
            "accession_number": self.accession_number,
            "patient_id": self.patient_id,
            "number": self.accession_number,
        }
        return Order(**(said | changes))


def make_scan(
    folder: Path, *, does: str = "finds", slices: int = 10, size: int = 32, **attributes: Any
) -> Scan:
    """Write a CT for the algorithm that ``does`` this; ``attributes`` change all instances."""
    number = next(_numbers)
    patient = Patient(f"{13097248022 + number}", "Åsnes^Kjærsti", date(1972, 9, 13), "F")
    kind = "head_ct" if does.startswith("head") else "abdomen_ct"
    made = make_study(
        kind,
        patient=patient,
        accession_number=f"A{number:05}",
        study_instance_uid=generate_uid(),
        shape=Shape(is_abnormal=does != "head, healthy", slices=slices, size=size),
    )
    changes = {"StudyDescription": does, "PatientID": patient.patient_id} | attributes
    for dataset in made:
        for keyword, value in changes.items():
            setattr(dataset, keyword, value)
    files = write_study(folder / f"scan-{number}", made)
    first = made[0]
    return Scan(
        str(first.StudyInstanceUID), str(first.PatientID), str(first.AccessionNumber), tuple(files)
    )


@dataclass
class Region:
    """Hospitals of two trusts, the hub, and what stands beside each hospital."""

    hub: RunningHub
    pacs: Orthanc
    doors: dict[str, Door]
    rises: dict[str, ObstinateRis]
    folder: Path

    def scan(self, does: str = "finds", *, slices: int = 10, **changes: Any) -> Scan:
        """A new study on disk, which says how many instances it has: a busy machine may be
        longer between two of them than the quiet time that would close it."""
        said = {"NumberOfStudyRelatedInstances": slices} | changes
        return make_scan(self.folder, does=does, slices=slices, **said)

    def switch(self, algorithm: str, behaviour: str) -> None:
        """Make an algorithm do something else from now on."""
        (self.folder / "switches" / algorithm).write_text(behaviour)

    def store(self, files: Any, *, ae_title: str = "DRAMMENCT") -> Sent:
        """Send files to the hub with storescu, whatever it answers."""
        return storescu(list(files), ae_title=ae_title, port=self.hub.dicom_port)

    def send(self, scan: Scan, *, site: str = "drammen") -> None:
        """Send a study as the scanner of a hospital does; all of it must be taken."""
        sent = self.store(scan.files, ae_title=f"{site.upper()}CT")
        assert sent.is_success, sent.text

    def order(self, order: Order | bytes) -> None:
        """Send an order, or a message, as a RIS does; it must be accepted."""
        message = order if isinstance(order, bytes) else order.omi()
        answer = send_hl7(message, port=self.hub.hl7_port)
        assert field(answer, "MSA", 1) == "AA", str(answer)

    def study(self, scan: Scan, *, site: str = "drammen") -> Json:
        """The study as the radiologist of a hospital sees it now."""
        found = self.hub.study(scan.uid, user=f"radiologist.{site}")
        assert found is not None, f"{site} does not see the study"
        return found

    def settled(
        self, scan: Scan, *, site: str = "drammen", revision: int = 1, seconds: float = 60
    ) -> Json:
        """The study once everything that the hub does by itself on it is over."""

        def look() -> Json | None:
            found = self.hub.study(scan.uid, user=f"radiologist.{site}")
            return found if found and _is_over(found, revision) else None

        try:
            return until(look, f"study {scan.uid} is settled", seconds=seconds)
        except AssertionError as error:
            error.add_note(self.hub.manage("explain", scan.uid, is_fine=False))
            raise

    def told(self, scan: Scan, message_type: str, *, site: str = "drammen") -> list[hl7.Message]:
        """What the RIS of a hospital got about a study, of one type; twice counts twice."""
        came = self.rises[site].about(scan.uid)
        messages = [hl7.parse(one.decode()) for one in came]
        return [one for one in messages if field(one, "MSH", 9).startswith(message_type)]

    def received(self, scan: Scan, *, site: str) -> list[Dataset]:
        """What the PACS of a hospital got of a study."""
        if site == "drammen":
            return self.pacs.of_study(scan.uid)
        pacs = self.doors[site].pacs
        return pacs.of_study(scan.uid) if pacs else []

    def usage(self, scan: Scan) -> int:
        """How many usage events there are for any Workitem of a study, at any site."""
        found = self.hub.rows(
            "SELECT count(*) FROM contracts_usageevent u WHERE replace(u.event_id, '-', '') IN ("
            "SELECT replace(CAST(w.uid AS varchar), '-', '') FROM routing_workitem w"
            " JOIN routing_study s ON s.id = w.study_id WHERE s.study_instance_uid = ?)",
            scan.uid,
        )
        return int(found[0][0])

    def assert_nothing_left(self, scan: Scan, *, site: str = "drammen") -> None:
        """Neither PACS nor RIS of any hospital got anything of a study, and nobody pays for it."""
        assert self.study(scan, site=site)["deliveries"] == []
        for code, ris in self.rises.items():
            assert ris.about(scan.uid) == []
            assert self.received(scan, site=code) == []
        assert self.usage(scan) == 0


def field(message: hl7.Message, segment: str, number: int) -> str:
    """One whole field of the first segment of a name, as it was sent."""
    return str(message.segment(segment)[number])


def _is_over(study: Json, revision: int) -> bool:
    return (
        study["revision"] == revision
        and study["state"] == "matched"
        and all(item["state"] in ENDED for item in study["workitems"])
        and all(one["state"] != "pending" for one in study["deliveries"])
        # The answer is made of several questions, and the first may be older than the last.
        and study["ai_state"] != "running"
    )
