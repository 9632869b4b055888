"""Writes the orders that the stand-in RIS sends: OMI^O23 (2.5.1) and ORM^O01 with ZDS (2.3.1)."""

from __future__ import annotations

from datetime import datetime

from demo.morning import OMI, Case
from hub.hl7.er7 import write_components, write_message, write_segment

_PROCEDURE_SCHEME = "L"


def order_message(case: Case, *, facility: str) -> bytes:
    """One new order (ORC-1 NW) as the RIS of a site sends it: UTF-8, said in MSH-18."""
    now = datetime.now().astimezone().strftime("%Y%m%d%H%M%S%z")
    segments = [_msh(case, facility, now), _pid(case), write_segment("PV1", {1: "1", 2: "E"})]
    segments += _omi(case) if case.order == OMI else _orm(case)
    return write_message(segments, codec="utf-8")


def _msh(case: Case, facility: str, now: str) -> str:
    is_omi = case.order == OMI
    return write_segment(
        "MSH",
        {
            3: "RIS",
            4: facility,
            5: "HUB",
            7: now,
            9: write_components(*case.order.split("^"), case.order.replace("^", "_")),
            10: f"D{case.accession_number}",
            11: "P",
            12: "2.5.1" if is_omi else "2.3.1",
            17: "NOR",
            18: "UNICODE UTF-8",
        },
    )


def _pid(case: Case) -> str:
    patient = case.patient
    family, _, given = patient.name.partition("^")
    return write_segment(
        "PID",
        {
            1: "1",
            3: write_components(patient.patient_id, "", "", "DEMO", "PI"),
            5: write_components(family, given),
            7: f"{patient.birth_date:%Y%m%d}",
            8: patient.sex,
        },
    )


def _procedure(case: Case) -> str:
    code = case.kind.upper().replace("_", "-")
    return write_components(code, case.description, _PROCEDURE_SCHEME)


def _numbers(case: Case) -> dict[int, str]:
    return {
        2: write_components(f"P{case.accession_number}", "EPR"),
        3: write_components(f"F{case.accession_number}", "RIS"),
    }


def _count(case: Case) -> list[str]:
    """How many images there will be, where the RIS knows it (an OBX with 0020,1208)."""
    if not case.is_counted:
        return []
    name = write_components("00201208", "Number of Study Related Instances", "DCM")
    fields = {1: "1", 2: "NM", 3: name, 5: str(len(case.datasets)), 11: "F"}
    return [write_segment("OBX", fields)]


def _omi(case: Case) -> list[str]:
    number = case.accession_number
    ipc = {1: number, 2: f"R{number}", 3: case.study_instance_uid, 4: "1", 5: case.modality}
    return [
        write_segment("ORC", {1: "NW", 5: "SC", **_numbers(case)}),
        write_segment("TQ1", {1: "1", 9: write_components(case.priority, "", "HL70485")}),
        write_segment("OBR", {1: "1", **_numbers(case), 4: _procedure(case), 18: number}),
        *_count(case),
        write_segment("IPC", ipc),
    ]


def _orm(case: Case) -> list[str]:
    number = case.accession_number
    timing = write_components("1", "", "", "", "", case.priority)
    procedure = {4: _procedure(case), 18: number, 19: f"R{number}", 24: case.modality, 27: timing}
    study = write_components(case.study_instance_uid, "RIS", "Application", "DICOM")
    return [
        write_segment("ORC", {1: "NW", 5: "SC", 7: timing, **_numbers(case)}),
        write_segment("OBR", {1: "1", **_numbers(case), **procedure}),
        *_count(case),
        write_segment("ZDS", {1: study}),
    ]
