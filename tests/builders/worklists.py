"""Studies as a morning brings them, with what algorithms said of them: rows for pages and API.

``study_at()``, ``workitem_on()``, ``finding_of()`` and ``delivery_to()`` make one row each;
``a_morning()`` makes fourteen studies of nine trusts, placed by the hub's own reading order.
"""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

from django.utils import timezone

from hub.models import Node, Site, User
from hub.phrases import Phrase, phrase
from marketplace.models import AlgorithmVersion
from routing.models import (
    Delivery,
    Finding,
    Order,
    Priority,
    Study,
    Transition,
    Verdict,
    Workitem,
)
from routing.worklist import place
from tests.builders import parties

_numbers = itertools.count(1)

ICH = {"value": "1386000", "scheme": "SCT", "meaning": "Intracranial hemorrhage"}
EMBOLUS = {"value": "59282003", "scheme": "SCT", "meaning": "Pulmonary embolism"}
PNEUMOTHORAX = {"value": "36118008", "scheme": "SCT", "meaning": "Pneumothorax"}
EFFUSION = {"value": "60046008", "scheme": "SCT", "meaning": "Pleural effusion"}
FRACTURE = {"value": "125605004", "scheme": "SCT", "meaning": "Fracture of bone"}
NODULE = {"value": "427359005", "scheme": "SCT", "meaning": "Solitary nodule of lung"}
LESION = {"value": "445024004", "scheme": "SCT", "meaning": "New white matter lesion"}

TRUSTS = [
    ("vestre-viken", "Vestre Viken HF", "drammen", "Drammen sykehus"),
    ("ahus", "Akershus universitetssykehus HF", "nordbyhagen", "Nordbyhagen"),
    ("ous", "Oslo universitetssykehus HF", "ulleval", "Ullevål sykehus"),
    ("ostfold", "Sykehuset Østfold HF", "kalnes", "Kalnes"),
    ("innlandet", "Sykehuset Innlandet HF", "gjovik", "Gjøvik"),
    ("vestfold", "Sykehuset i Vestfold HF", "tonsberg", "Tønsberg"),
    ("telemark", "Sykehuset Telemark HF", "skien", "Skien"),
    ("sorlandet", "Sørlandet sykehus HF", "kristiansand", "Kristiansand"),
    ("unn", "Universitetssykehuset Nord-Norge HF", "tromso", "UNN Tromsø"),
]


def study_at(
    site: Site,
    *,
    minutes: float = 10,
    priority: Priority | None = None,
    patient: str = "HANSEN^KARI",
    modality: str = "CT",
    sex: str = "F",
    **fields: Any,
) -> Study:
    """A complete study that has waited ``minutes``, with its order where a priority is given."""
    number = next(_numbers)
    now = timezone.now()
    since = now - timedelta(minutes=minutes)
    accession = f"{site.code[:3].upper()}{260000 + number}"
    made: dict[str, Any] = {
        "study_instance_uid": f"1.2.826.0.1.3680043.10.1.{number}",
        "state": Study.State.MATCHED,
        "accession_number": accession,
        "patient_id": f"{site.code[:2].upper()}-{104000 + number * 37}",
        "patient_name": patient,
        "modality": modality,
        "header": {
            "patient_birth_date": f"{1936 + number * 7 % 71}0314",
            "patient_sex": sex,
            "study_date": f"{since:%Y%m%d}",
        },
        "instance_count": 28,
        "first_instance_at": since,
        "last_instance_at": since + timedelta(seconds=40),
        "waiting_since": since,
        "read_by": since,
        "order": _order(site, accession, priority),
    }
    study = Study.objects.create(site=site, **(made | fields))
    place(study)
    return study


def _order(site: Site, accession: str, priority: Priority | None) -> Order | None:
    if priority is None:
        return None
    return Order.objects.create(
        site=site, key=accession, accession_number=accession, priority=priority
    )


def workitem_on(
    study: Study, version: AlgorithmVersion, *, state: str = "written_back", **fields: Any
) -> Workitem:
    """One algorithm on a study, without findings; in clinical use unless ``fields`` says else."""
    made: dict[str, Any] = {
        "revision": study.revision,
        "state": state,
        "purpose": "clinical",
        "write_back_mode": "automatic",
        "priority": study.priority,
        "input_fingerprint": f"{next(_numbers):064x}",
        "dispatched_at": study.last_instance_at + timedelta(seconds=2),
        "finished_at": study.last_instance_at + timedelta(seconds=41),
    }
    workitem = Workitem.objects.create(study=study, version=version, **(made | fields))
    place(study)
    return workitem


def finding_of(
    workitem: Workitem,
    code: dict[str, str] = ICH,  # noqa: B006  (never written to)
    *,
    status: str = "present",
    probability: float | None = None,
    urgency: str = "",
) -> Finding:
    """A finding; with an urgency of stat or high and present, a critical one."""
    finding = Finding.objects.create(
        workitem=workitem,
        ordinal=workitem.findings.count(),
        code=code,
        status=status,
        probability=probability,
        urgency=urgency or "routine",
        is_critical=status == "present" and urgency in ("stat", "high"),
    )
    place(workitem.study)
    return finding


def delivery_to(
    node: Node, workitem: Workitem, *, kind: str = "dicom", state: str = "delivered", **fields: Any
) -> Delivery:
    """One thing told, or to be told, to ``node``."""
    made = {"attempts": 1, "name": f"{kind}-{next(_numbers)}"}
    if state == "delivered":
        made["delivered_at"] = timezone.now()  # type: ignore[assignment]
    return Delivery.objects.create(
        node=node, workitem=workitem, kind=kind, state=state, **(made | fields)
    )


def dead_letter(workitem: Workitem, *, node: Node) -> Delivery:
    """A Delivery that was given up after the peer refused it."""
    why = phrase("AE: %(said)s", said="accession number unknown")
    return delivery_to(
        node, workitem, kind="result", state="dead", attempts=9, last_error=why.stored()
    )


def moved(
    study: Study, to_state: str, *, after: float, why: Phrase | None = None, **row: Any
) -> Transition:
    """One Transition, ``after`` seconds from the study's first image."""
    return Transition.objects.create(
        study=study,
        revision=study.revision,
        at=study.first_instance_at + timedelta(seconds=after),
        from_state=row.pop("from_state", ""),
        to_state=to_state,
        why=(why or phrase("")).stored(),
        **row,
    )


def judged(study: Study, version: AlgorithmVersion, *, is_match: bool, clause: Phrase) -> Verdict:
    """What was decided about one algorithm."""
    return Verdict.objects.create(
        study=study,
        revision=study.revision,
        algorithm=version.algorithm,
        version=version,
        rule_code=f"{study.site.code}-{version.algorithm.code}",
        is_match=is_match,
        clause=clause.stored(),
    )


def nine_trusts() -> dict[str, Site]:
    """The nine trusts of the framework agreement, one site each, by the code of the site."""
    return {
        code: parties.site(code, of=parties.organisation(trust, name=name), name=site_name)
        for trust, name, code, site_name in TRUSTS
    }


def people(sites: dict[str, Site], *, password: str) -> dict[str, User]:
    """A radiologist of everything, one of Drammen, an administrator and a procurement officer."""
    users = {
        "kari": parties.member("kari", role="radiologist"),
        "drammen": parties.member("drammen", role="radiologist", site=sites["drammen"]),
        "admin": parties.member("admin", role="administrator"),
        "officer": parties.member(
            "officer", role="procurement_officer", organisation=sites["drammen"].organisation
        ),
    }
    users["kari"].name = "Kari Nordmann"
    for user in users.values():
        user.set_password(password)
        user.save()
    parties.member("kari", role="administrator")
    return users
