"""In charge of the SR document around a content tree: whose it is, what it rests on, its bytes."""

from collections.abc import Sequence
from io import BytesIO

import highdicom.sr as hd
from highdicom import ContributingEquipment
from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.tag import BaseTag
from pydicom.uid import UID, Comprehensive3DSRStorage
from pydicom.valuerep import DT

from hub.dicom.sr import (
    AlgorithmContent,
    Code,
    ContentNotExpressible,
    DocumentContext,
    FindingContent,
    InstanceReference,
    Report,
    StudyContent,
)
from hub.dicom.sr_content import (
    PLANAR,
    VOLUMETRIC,
    WHOLE_STUDY,
    Group,
    GroupBuilder,
    coded,
    segments_by_tracking_id,
)
from hub.dicom.sr_evidence import evidence_element
from hub.dicom.uids import uid_for

_WRITER = "Avrop"
_CHARACTER_SET = "ISO_IR 192"
# Far above what a modality counts to, so that a viewer sorts the hub's series last.
_SERIES_NUMBER = 9001
_TITLES = {PLANAR: "regions", VOLUMETRIC: "segments", WHOLE_STUDY: "whole study"}
_LANGUAGES = {
    "en-US": Code("en-US", "RFC5646", "English (United States)"),
    "nb-NO": Code("nb-NO", "RFC5646", "Norwegian (Bokmål) (Norway)"),
    "da-DK": Code("da-DK", "RFC5646", "Danish (Denmark)"),
}
# CID 100 knows four modalities; a code from anywhere else is an error to validators, so local
# procedure codes go into the request and not here.
_IMAGING_PROCEDURE = Code("363679005", "SCT", "Imaging procedure")
_PROCEDURES = {
    "CT ": Code("25045-6", "LN", "CT unspecified body region"),
    "MR ": Code("25056-3", "LN", "MRI unspecified body region"),
    "Nuc": Code("49118-3", "LN", "NM unspecified body region"),
    "PET": Code("44136-0", "LN", "PET unspecified body region"),
}
_STUDY_KEYWORDS = {
    "PatientID": "patient_id",
    "IssuerOfPatientID": "issuer_of_patient_id",
    "PatientName": "patient_name",
    "PatientBirthDate": "patient_birth_date",
    "PatientSex": "patient_sex",
    "StudyDate": "study_date",
    "StudyTime": "study_time",
    "StudyID": "study_id",
    "StudyDescription": "study_description",
    "AccessionNumber": "accession_number",
    "ReferringPhysicianName": "referring_physician_name",
}
_OPTIONAL_WHEN_EMPTY = {"IssuerOfPatientID", "StudyDescription"}
_UNSAID: dict[BaseTag, DataElement | RawDataElement] = {
    element.tag: element
    for element in (DataElement(name, dictionary_VR(name), "") for name in _STUDY_KEYWORDS)
}


class _Document(hd.Comprehensive3DSR):
    """A Comprehensive 3D SR that takes patient and study from StudyContent alone."""

    def copy_patient_and_study_information(self, dataset: Dataset) -> None:
        """Copy nothing: the evidence is bare, and its SOP Class may be one highdicom lacks."""

    def _add_contributing_equipment(
        self,
        contributing_equipment: Sequence[ContributingEquipment] | None = None,
        source_image: Dataset | None = None,
    ) -> None:
        # Bare evidence names no equipment; to find that out takes a tenth of the time of a report.
        super()._add_contributing_equipment(contributing_equipment)


def write_reports(
    study: StudyContent,
    *,
    instances: Sequence[InstanceReference],
    findings: Sequence[FindingContent],
    algorithm: AlgorithmContent,
    document: DocumentContext,
    referenced_objects: Sequence[Dataset],
) -> list[Report]:
    """Write one SR for each template that the findings need; see `hub.dicom.sr.build_reports`."""
    if not instances:
        raise ContentNotExpressible("a report needs at least one analysed instance to rest on")
    if document.created_at.tzinfo is None:
        raise ValueError("created_at must be aware: the report's clock is that of the site")
    builder = GroupBuilder(
        algorithm=algorithm,
        instances=instances,
        segments=segments_by_tracking_id(referenced_objects),
        workitem_uid=document.workitem_uid,
        language=document.language,
    )
    groups = builder.groups(findings)
    returned = [_reference_to(dataset) for dataset in referenced_objects]
    writer = _Writer(
        study,
        [*instances, *returned],
        algorithm=algorithm,
        context=document,
    )
    return [
        writer.report(template, groups[template], number=number)
        for number, template in enumerate(groups, start=1)
    ]


class _Writer:
    """Holds what all reports of one result share."""

    def __init__(
        self,
        study: StudyContent,
        evidence: Sequence[InstanceReference],
        *,
        algorithm: AlgorithmContent,
        context: DocumentContext,
    ) -> None:
        self._study = study
        self._algorithm = algorithm
        self._context = context
        self._procedure = _procedure_reported(evidence[0])
        self._evidence = evidence_element(study.study_instance_uid, evidence)
        self._first = _reference_item(study, evidence[0])
        self._predecessors = [_reference_item(study, earlier) for earlier in context.predecessors]
        self._series_instance_uid = self._uid("series")
        self._description = f"AI: {algorithm.name} {algorithm.version}"[:64]

    def report(self, template: str, groups: Sequence[Group], *, number: int) -> Report:
        """Write the groups of one template as one Part 10 file."""
        content = self._content(groups)
        document = self._document(content, template, number)
        document.ContentSequence = content[0].ContentSequence
        document[self._evidence.tag] = self._evidence
        self._describe(document)
        _let_be(document)
        buffer = BytesIO()
        document.save_as(buffer, enforce_file_format=True)
        return Report(
            sop_instance_uid=str(document.SOPInstanceUID),
            sop_class_uid=str(Comprehensive3DSRStorage),
            series_instance_uid=self._series_instance_uid,
            dataset_bytes=buffer.getvalue(),
            title=f"{self._description}, {_TITLES[template]}",
        )

    def _uid(self, what: str) -> str:
        edition = [self._context.edition] if self._context.edition else []
        return uid_for(self._context.workitem_uid, "sr", what, *edition)

    def _content(self, groups: Sequence[Group]) -> hd.MeasurementReport:
        return hd.MeasurementReport(
            observation_context=hd.ObservationContext(
                observer_device_context=_device_observer(self._algorithm)
            ),
            procedure_reported=coded(self._procedure),
            imaging_measurements=groups,
            title=codes.DCM.ImagingMeasurementReport,
            language_of_content_item_and_descendants=hd.LanguageOfContentItemAndDescendants(
                coded(_LANGUAGES[self._context.language])
            ),
        )

    def _document(self, content: hd.MeasurementReport, template: str, number: int) -> _Document:
        return _Document(
            evidence=[self._first],
            content=_without_children(content),
            series_instance_uid=self._series_instance_uid,
            series_number=_SERIES_NUMBER,
            sop_instance_uid=self._uid(template),
            instance_number=number,
            manufacturer=_WRITER,
            manufacturer_model_name=_WRITER,
            institution_name=self._context.institution_name[:64] or None,
            is_complete=True,
            is_final=False,
            is_verified=False,
            requested_procedures=_requested_procedures(self._study),
            previous_versions=self._predecessors or None,
            # An empty or missing character set of the source must not become the report's.
            specific_character_set=_CHARACTER_SET,
            series_description=self._description,
            contributing_equipment=[_contribution(self._algorithm)],
        )

    def _describe(self, document: _Document) -> None:
        for keyword, name in _STUDY_KEYWORDS.items():
            value = getattr(self._study, name)
            if value or keyword not in _OPTIONAL_WHEN_EMPTY:
                _put_unchanged(document, keyword, value)
        created_at = self._context.created_at
        for event in ("InstanceCreation", "Content", "Series"):
            _put_unchanged(document, f"{event}Date", created_at.strftime("%Y%m%d"))
            _put_unchanged(document, f"{event}Time", created_at.strftime("%H%M%S"))
        for equipment in document.ContributingEquipmentSequence:
            # highdicom puts the present moment here, and two writings would differ.
            equipment.ContributionDateTime = DT(created_at.strftime("%Y%m%d%H%M%S%z"))


def _without_children(content: hd.MeasurementReport) -> Dataset:
    # highdicom copies and searches what it is given, which takes half the time of a report, to
    # check that all it cites is in the evidence. Here that holds: GroupBuilder cites analysed
    # instances only, and the evidence lists every one of them.
    root = Dataset()
    root.ContentSequence = []
    root.update({element.tag: element for element in content[0] if element.tag not in root})
    return root


def _let_be(dataset: Dataset) -> None:
    """Tell pydicom that all of it is as it shall be written.

    It would else decode what is encoded, and go through every item on every level to look for value
    representations that depend on other elements, which an SR has none of.
    """
    dataset.set_original_encoding(False, True, dataset._character_set)
    for element in dataset.values():  # as they are: to iterate over a Dataset decodes them
        if isinstance(element, DataElement) and element.VR == "SQ":
            for item in element.value:
                _let_be(item)


def _put_unchanged(dataset: Dataset, keyword: str, value: str) -> None:
    # A birth date of "19700000" or an overlong Study ID is what the PACS holds. To refuse it would
    # lose the result, to mend it would file it under another patient or study.
    vr = dictionary_VR(keyword)
    dataset[keyword] = DataElement(keyword, vr, value, validation_mode=config.IGNORE)


def _reference_to(dataset: Dataset) -> InstanceReference:
    return InstanceReference(
        str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), str(dataset.SeriesInstanceUID)
    )


def _reference_item(study: StudyContent, instance: InstanceReference) -> Dataset:
    bare = Dataset()
    bare.SOPClassUID = instance.sop_class_uid
    bare.SOPInstanceUID = instance.sop_instance_uid
    bare.StudyInstanceUID = study.study_instance_uid
    bare.SeriesInstanceUID = instance.series_instance_uid
    # highdicom asks for these; what they are is put into the document itself.
    bare.update(_UNSAID)
    return bare


def _procedure_reported(instance: InstanceReference) -> Code:
    name = UID(instance.sop_class_uid).name.removeprefix("Legacy Converted ")
    name = name.removeprefix("Enhanced ").replace("Positron Emission Tomography", "PET")
    return _PROCEDURES.get(name[:3], _IMAGING_PROCEDURE)


def _device_observer(algorithm: AlgorithmContent) -> hd.ObserverContext:
    identity = (algorithm.manufacturer, algorithm.code, algorithm.version)
    return hd.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=hd.DeviceObserverIdentifyingAttributes(
            uid=uid_for("algorithm", *identity),
            name=algorithm.name,
            manufacturer_name=algorithm.manufacturer,
            model_name=algorithm.code,
        ),
    )


def _contribution(algorithm: AlgorithmContent) -> ContributingEquipment:
    equipment = ContributingEquipment(
        manufacturer=algorithm.manufacturer[:64],
        purpose_of_reference=codes.DCM.ProcessingEquipment,
        manufacturer_model_name=algorithm.name[:64],
        software_versions=algorithm.version[:64],
    )
    if algorithm.udi_di:
        device = Dataset()
        device.UniqueDeviceIdentifier = _human_readable_udi(algorithm.udi_di)
        equipment.UDISequence = [device]
    return equipment


def _human_readable_udi(udi_di: str) -> str:
    # A bare GS1 number has lost its application identifier (01); other agencies' need none.
    is_gtin = udi_di.isdigit() and len(udi_di) == 14
    return f"(01){udi_di}" if is_gtin else udi_di


def _requested_procedures(study: StudyContent) -> list[Dataset] | None:
    request = Dataset()
    request.StudyInstanceUID = study.study_instance_uid
    request.ReferencedStudySequence = []
    _put_unchanged(request, "AccessionNumber", study.accession_number)
    _put_unchanged(request, "PlacerOrderNumberImagingServiceRequest", study.placer_order_number)
    _put_unchanged(request, "FillerOrderNumberImagingServiceRequest", study.filler_order_number)
    _put_unchanged(request, "RequestedProcedureID", study.requested_procedure_id)
    _put_unchanged(request, "RequestedProcedureDescription", study.requested_procedure_description)
    code = study.requested_procedure_code
    request.RequestedProcedureCodeSequence = [coded(code)] if code else []
    known = (
        study.accession_number,
        study.placer_order_number,
        study.filler_order_number,
        study.requested_procedure_id,
        study.requested_procedure_description,
        code,
    )
    return [request] if any(known) else None
