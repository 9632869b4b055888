"""Objects as algorithms return them, one of each class that may come back."""

from io import BytesIO
from pathlib import Path

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian

from hub.dicom.sr import build_reports
from tests.hub.dicom.sr_cases import (
    ALGORITHM,
    DOCUMENT,
    INSTANCES,
    ON_A_SLICE,
    STUDY,
    ct_slices,
    segmentation,
)

SC = "1.2.840.10008.5.1.4.1.1.7"
PDF = (
    b"%PDF-1.4\n1 0 obj <</Type /Catalog /Pages 2 0 R>> endobj\n"
    b"2 0 obj <</Type /Pages /Kids [] /Count 0>> endobj\ntrailer <</Root 1 0 R>>\n%%EOF\n"
)


def plain(sop_class_uid: str, modality: str) -> Dataset:
    """Give a new object of the study with nothing in it but whose it is."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class_uid, "2.25.900"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY.study_instance_uid, "2.25.901"
    dataset.PatientID, dataset.PatientName = STUDY.patient_id, STUDY.patient_name
    dataset.SpecificCharacterSet, dataset.Modality = "ISO_IR 192", modality
    return dataset


def secondary_capture() -> Dataset:
    dataset = plain(SC, "OT")
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
    dataset.Rows, dataset.Columns, dataset.BitsAllocated = 4, 6, 8
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 7, 0
    dataset.PlanarConfiguration, dataset.PixelData = 0, bytes(72)
    return dataset


def encapsulated_pdf(document: bytes = PDF) -> Dataset:
    dataset = plain("1.2.840.10008.5.1.4.1.1.104.1", "DOC")
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    return dataset


def structure_set() -> Dataset:
    dataset = plain("1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT")
    image = Dataset()
    image.ReferencedSOPClassUID = INSTANCES[0].sop_class_uid
    image.ReferencedSOPInstanceUID = INSTANCES[0].sop_instance_uid
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID, series.ContourImageSequence = "1.2", [image]
    study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    study.ReferencedSOPInstanceUID = STUDY.study_instance_uid
    study.RTReferencedSeriesSequence = [series]
    frame.RTReferencedStudySequence = [study]
    dataset.ReferencedFrameOfReferenceSequence = [frame]
    dataset.ApprovalStatus = "UNAPPROVED"
    return dataset


def presentation_state() -> Dataset:
    graphic = hd.pr.GraphicObject("POINT", np.array([[4.0, 5.0]]), "PIXEL")
    layer = hd.pr.GraphicLayer("AI", 1)
    annotation = hd.pr.GraphicAnnotation(ct_slices(1), layer, graphic_objects=[graphic])
    return hd.pr.GrayscaleSoftcopyPresentationState(
        ct_slices(), "2.25.901", 5, "2.25.900", 1, "Example", "ICH", "1", "1", "AI",
        graphic_layers=[layer], specific_character_set="ISO_IR 192", concept_name=None,
        graphic_annotations=[annotation],
    )  # fmt: skip


def key_objects() -> Dataset:
    content = hd.ko.KeyObjectSelection(
        document_title=codes.DCM.OfInterest, referenced_objects=ct_slices(1)
    )
    return hd.ko.KeyObjectSelectionDocument(
        ct_slices(1), content, "2.25.901", 5, "2.25.900", 1, specific_character_set="ISO_IR 192"
    )


def report() -> bytes:
    return build_reports(
        STUDY, instances=INSTANCES, findings=[ON_A_SLICE], algorithm=ALGORITHM,
        document=DOCUMENT, referenced_objects=[segmentation()],
    )[0].dataset_bytes  # fmt: skip


RETURNED = {
    "SEG": segmentation,
    "SC": secondary_capture,
    "PDF": encapsulated_pdf,
    "RTSTRUCT": structure_set,
    "GSPS": presentation_state,
    "KOS": key_objects,
}


def write(dataset: Dataset, path: Path) -> Path:
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    path.write_bytes(buffer.getvalue())
    return path
