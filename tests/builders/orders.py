"""Order messages as a RIS sends them, ORM^O01 of HL7 2.3.1, one field at a time."""

from __future__ import annotations

import itertools
from typing import Any

_numbers = itertools.count(1)

FIELDS: dict[str, Any] = {
    "control": "NW",
    "placer": "P1",
    "filler": "F1",
    "status": "",
    "accession": "A1",
    "procedure": "RP1",
    "study": "",
    "patient": "13097248022",
    "name": "Åsnes^Kjærsti",
    "priority": "R",
    "reason": "",
    "count": None,
    "application": "RIS",
    "facility": "DRAMMEN",
    "charset": "UNICODE UTF-8",
    "said_at": "20260316073000",
}


def order_message(*, control_id: str = "", encoding: str = "utf-8", **fields: Any) -> bytes:
    """The bytes of one message; ``fields`` are those of FIELDS, '' leaves one out."""
    said = FIELDS | fields
    control_id = control_id or f"C{next(_numbers)}"
    obr = [""] * 32
    obr[1], obr[2], obr[3], obr[4] = "1", said["placer"], said["filler"], "CTHEAD^CT caput^L"
    obr[18], obr[19], obr[24], obr[31] = (
        said["accession"], said["procedure"], "CT", said["reason"],
    )  # fmt: skip
    segments = [
        f"MSH|^~\\&|{said['application']}|{said['facility']}|AVROP|HUB|"
        f"{said['said_at']}||ORM^O01|{control_id}|P|2.3.1||||||{said['charset']}",
        f"PID|||{said['patient']}^^^DRAMMEN^PI||{said['name']}||19720913|F",
        f"ORC|{said['control']}|{said['placer']}|{said['filler']}||{said['status']}||"
        f"^^^^^{said['priority']}",
        "OBR" + "|".join(obr),
    ]
    if said["count"] is not None:
        segments.append(
            f"OBX|1|NM|00201208^NumberOfStudyRelatedInstances^DCM||{said['count']}||||||F"
        )
    if said["study"]:
        segments.append(f"ZDS|{said['study']}^^Application^DICOM")
    return ("\r".join(segments) + "\r").encode(encoding)


def bare_message(control: str, *, placer: str = "P1", filler: str = "F1", **fields: Any) -> bytes:
    """A message that names an order by its numbers and says no more, as a cancellation may."""
    whole = order_message(control=control, placer=placer, filler=filler, **fields)
    kept = [line for line in whole.split(b"\r") if not line.startswith((b"OBR", b"OBX", b"ZDS"))]
    return b"\r".join(kept)
