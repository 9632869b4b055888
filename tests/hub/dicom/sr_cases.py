"""What algorithms say in the SR tests, from one lesion on one slice to nothing at all."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from hub.dicom.sr import (
    AlgorithmContent,
    Code,
    DocumentContext,
    FindingContent,
    InstanceReference,
    Measurement,
    Region,
    StudyContent,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
HEAD_CT = Path(__file__).parents[4] / "shared/corpus/dicom/neurolabusc_dcm_qa_ct/In/GE"
SERIES = "1.2.826.0.1.3680043.8.498.5"
INSTANCES = [InstanceReference(CT, f"{SERIES}.{number}", SERIES) for number in range(1, 301)]

STUDY = StudyContent(
    study_instance_uid="1.2.826.0.1.3680043.8.498.4",
    patient_id="13116900216",
    issuer_of_patient_id="NO-FNR",
    patient_name="Ødegård^Åse Ærlig",
    patient_birth_date="19691113",
    patient_sex="F",
    study_date="20260401",
    study_time="081500",
    study_id="S1",
    study_description="CT Caput",
    accession_number="ACC-1",
    referring_physician_name="Grønås^Bjørn",
    requested_procedure_id="RP-1",
    requested_procedure_description="CT Caput uten kontrast",
    requested_procedure_code=Code("SAA0AD", "NCRP", "CT Caput"),
    placer_order_number="P-1",
    filler_order_number="F-1",
)
BARE_STUDY = StudyContent(study_instance_uid=STUDY.study_instance_uid, patient_name="REMOVED")
ALGORITHM = AlgorithmContent(
    name="ICH Triage",
    version="1.0.0",
    manufacturer="Example Medical AS",
    code="ich-triage",
    udi_di="09506000134352",
    parameters=("threshold=0.5",),
)
DOCUMENT = DocumentContext(
    workitem_uid="2.25.77",
    created_at=datetime(2026, 4, 1, 10, 20, 30, tzinfo=timezone(timedelta(hours=2))),
    institution_name="Drammen sykehus",
)
VOLUME = Measurement(Code("118565006", "SCT", "Volume"), 12.3, "mL")
BLEEDING = FindingContent(
    code=Code("1386000", "SCT", "Intracranial hemorrhage"),
    status="present",
    probability=0.97,
    urgency="stat",
    site=Code("12738006", "SCT", "Brain"),
    laterality="left",
    tracking_id="ICH-1",
    measurements=(VOLUME,),
)
SQUARE = ((210.0, 180.0), (250.0, 180.0), (250.0, 220.0), (210.0, 220.0))


def outlined(finding: FindingContent, *sop_instance_uids: str) -> FindingContent:
    return replace(finding, regions=tuple(Region(uid, 1, SQUARE) for uid in sop_instance_uids))


ON_A_SLICE = outlined(BLEEDING, INSTANCES[10].sop_instance_uid)
ABSENT = replace(BLEEDING, status="absent", probability=0.02, urgency=None, measurements=())
FRACTURE = FindingContent(Code("125605004", "SCT", "Fracture"), "indeterminate", 0.4, "medium")
MANY = [
    outlined(BLEEDING, *(instance.sop_instance_uid for instance in INSTANCES[10:13])),
    replace(ON_A_SLICE, tracking_id="ICH-2", laterality="right", probability=0.6),
    FRACTURE,
]


def ct_slices(count: int = 3) -> list[Dataset]:
    """Give whole, valid CT slices of 16 x 16 in the study and series above."""
    return [_ct_slice(instance, z) for z, instance in enumerate(INSTANCES[:count])]


def segmentation(tracking_id: str = "ICH-1", tracking_uid: str = "2.25.4711") -> Dataset:
    """Give a BINARY SEG on three slices, as an algorithm would return it."""
    identification = hd.AlgorithmIdentificationSequence(
        name="ICH Triage", version="1.0.0", family=codes.DCM.ArtificialIntelligence
    )
    segment = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="Bleeding",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=hd.sr.CodedConcept("50960005", "SCT", "Hemorrhage"),
        algorithm_type="AUTOMATIC",
        algorithm_identification=identification,
        tracking_uid=tracking_uid,
        tracking_id=tracking_id,
    )
    mask = np.zeros((3, 16, 16), dtype=np.uint8)
    mask[1, 4:9, 5:10] = 1
    return hd.seg.Segmentation(
        ct_slices(), mask, "BINARY", [segment],
        series_instance_uid="2.25.100", series_number=100, sop_instance_uid="2.25.101",
        instance_number=1, manufacturer="Example Medical AS", manufacturer_model_name="ICH",
        software_versions="1.0.0", device_serial_number="1", content_label="BLEEDING",
        specific_character_set="ISO_IR 192",
    )  # fmt: skip


def head_ct() -> tuple[StudyContent, list[InstanceReference]]:
    """Give the real GE head CT, which has no birth date, sex, study date or referring physician."""
    headers = [
        pydicom.dcmread(path, stop_before_pixels=True) for path in sorted(HEAD_CT.glob("*.dcm"))
    ]
    study = StudyContent(
        study_instance_uid=headers[0].StudyInstanceUID,
        patient_id=headers[0].PatientID,
        patient_name=str(headers[0].PatientName),
        study_description=headers[0].StudyDescription,
    )
    instances = [
        InstanceReference(header.SOPClassUID, header.SOPInstanceUID, header.SeriesInstanceUID)
        for header in headers
    ]
    return study, instances


def _ct_slice(instance: InstanceReference, z: int) -> Dataset:
    ct = Dataset()
    ct.file_meta = FileMetaDataset()
    ct.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ct.SpecificCharacterSet = "ISO_IR 192"
    ct.SOPClassUID, ct.SOPInstanceUID = CT, instance.sop_instance_uid
    ct.StudyInstanceUID, ct.SeriesInstanceUID = STUDY.study_instance_uid, SERIES
    ct.PatientID, ct.PatientName = STUDY.patient_id, STUDY.patient_name
    ct.PatientBirthDate, ct.PatientSex = STUDY.patient_birth_date, STUDY.patient_sex
    ct.StudyDate, ct.StudyTime, ct.StudyID = STUDY.study_date, STUDY.study_time, STUDY.study_id
    ct.AccessionNumber, ct.Modality = STUDY.accession_number, "CT"
    ct.InstanceNumber, ct.FrameOfReferenceUID = z + 1, f"{SERIES}.9"
    ct.PositionReferenceIndicator = ""
    ct.ImagePositionPatient, ct.ImageOrientationPatient = [0, 0, 4 * z], [1, 0, 0, 0, 1, 0]
    ct.PixelSpacing, ct.SliceThickness = [0.5, 0.5], 4
    ct.Rows = ct.Columns = 16
    ct.SamplesPerPixel, ct.PhotometricInterpretation = 1, "MONOCHROME2"
    ct.BitsAllocated, ct.BitsStored, ct.HighBit, ct.PixelRepresentation = 16, 16, 15, 1
    ct.PixelData = bytes(512)
    return ct
