"""Studies for tests: made with the demo's phantoms, handed to receive() as the SCP would."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian

from demo.phantoms import Patient, Shape, make_study
from hub.dicom.received import ReceivedInstance
from hub.models import Node
from routing.steps.receive import Receiver

PATIENT = Patient("13097248022", "Åsnes^Kjærsti", date(1972, 9, 13), "F")


def head_ct(*, slices: int = 12, size: int = 32, **changes: object) -> list[Dataset]:
    """A small head CT that fits the rule of the first site; ``changes`` set attributes on all."""
    made = make_study(
        "head_ct",
        patient=PATIENT,
        accession_number="A1",
        shape=Shape(is_abnormal=True, slices=slices, size=size),
    )
    for dataset in made:
        for keyword, value in changes.items():
            setattr(dataset, keyword, value)
    return made


def another_head_ct(number: int) -> list[Dataset]:
    """The same images under names of their own: another study of the patient for each number."""
    made = head_ct(AccessionNumber=f"N{number}")
    study = f"1.2.826.0.1.3680043.10.{7000 + number}"
    for place, dataset in enumerate(made, start=1):
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, f"{study}.1"
        dataset.SOPInstanceUID = f"{study}.1.{place}"
    return made


def received(dataset: Dataset, *, calling_ae_title: str = "DRAMMENPACS") -> ReceivedInstance:
    """The data set as C-STORE brings it, in Explicit VR Little Endian."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    bare = Dataset(dataset)
    write_dataset(buffer, bare)
    return ReceivedInstance(
        calling_ae_title=calling_ae_title,
        called_ae_title="HUB",
        address="127.0.0.1",
        sop_class_uid=str(dataset.SOPClassUID),
        sop_instance_uid=str(dataset.SOPInstanceUID),
        transfer_syntax_uid=str(ExplicitVRLittleEndian),
        dataset=buffer.getvalue(),
    )


def send(node: Node, datasets: Sequence[Dataset]) -> list[int]:
    """Hand instances to the receiving step, one by one; the statuses it answered."""
    receiver = Receiver()
    try:
        return [
            receiver.take(node, received(one, calling_ae_title=node.ae_title)) for one in datasets
        ]
    finally:
        receiver.close()
