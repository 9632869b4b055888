"""Two hospital trusts that must never meet, as a set-up file of the shape of first-site.yaml."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.fakes.running_hub import ROOT

# what each algorithm does, by its code; a study says in its description which one it is for
BEHAVIOUR = {
    "finds": "present",
    "clears": "absent",
    "waits": "present",
    "shadows": "present",
    "uncovered": "present",
    "crashes": "crash",
    "hangs": "slow 60",
    "babbles": "garbage",
    "oversteps": "outside",
}
HEAD_CT = "head-ct-bleed"
ALGORITHMS = [HEAD_CT, *BEHAVIOUR]
ICH = {"value": "1386000", "scheme": "SCT", "meaning": "Intracranial hemorrhage"}
CLEARANCE = {
    "regime": "MDR",
    "class": "IIa",
    "certificate": {
        "number": "CE-700001", "notified_body": "2460",
        "issued": "2025-01-15", "expires": "2030-01-14",
    },
    "udi_di": "09506000134352",
    "intended_use": "For tests.",
}  # fmt: skip
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hospital:
    """One site: who sends for it, and at which ports its PACS and its RIS stand."""

    code: str
    trust: str
    pacs_port: int
    ris_port: int
    algorithms: tuple[str, ...] = ("finds",)

    @property
    def name(self) -> str:
        """As in AE titles and MSH-4."""
        return self.code.upper()


def setup_of(hospitals: list[Hospital], switches: Path) -> str:
    """The set-up file; the algorithms' behaviour lies in ``switches``, a file for each."""
    switches.mkdir(parents=True, exist_ok=True)
    for code, behaviour in BEHAVIOUR.items():
        (switches / code).write_text(behaviour)
    trusts = sorted({one.trust for one in hospitals})
    document = {
        "version": 1,
        "organisations": _organisations(trusts),
        "sites": [
            {"code": one.code, "organisation": one.trust, "name": f"{one.code.title()} sykehus",
             "timezone": "Europe/Oslo"}
            for one in hospitals
        ],
        "members": _members(hospitals),
        "nodes": [node for one in hospitals for node in _nodes(one)],
        "vendors": [{"code": "examplemed", "name": "Example Medical AS", "country": "NO"}],
        "algorithms": [_algorithm(code, switches) for code in ALGORITHMS],
        "frameworks": [_framework(trusts)],
        "call_offs": [_call_off(trust, hospitals) for trust in trusts],
        "deployments": [row for one in hospitals for row in _deployments(one)],
        "rules": [_rule(one, code) for one in hospitals for code in one.algorithms],
    }  # fmt: skip
    # through JSON, because a set-up file may hold no aliases
    return yaml.safe_dump(json.loads(json.dumps(document)), allow_unicode=True, sort_keys=False)


def _organisations(trusts: list[str]) -> list[Json]:
    kinds = {"sykehuspartner": "service_provider"} | dict.fromkeys(trusts, "hospital_trust")
    return [
        {"code": code, "name": f"{code.title()} HF", "kind": kind, "country": "NO"}
        for code, kind in kinds.items()
    ]


def _members(hospitals: list[Hospital]) -> list[Json]:
    radiologists = [
        {"username": f"radiologist.{one.code}", "name": f"Radiologist at {one.code}",
         "roles": [{"role": "radiologist", "site": one.code}]}
        for one in hospitals
    ]  # fmt: skip
    everywhere = {"username": "admin", "name": "Admin", "roles": [{"role": "administrator"}]}
    return [*radiologists, everywhere]


def _nodes(one: Hospital) -> list[Json]:
    def dicom(kind: str, roles: list[str], **more: Any) -> Json:
        return {
            "code": f"{one.code}-{kind}", "site": one.code, "protocol": "dicom",
            "ae_title": f"{one.name}{kind.upper()}", "host": "127.0.0.1", "port": one.pacs_port,
            "roles": roles,
        } | more  # fmt: skip

    ris = {
        "code": f"{one.code}-ris", "site": one.code, "protocol": "hl7",
        "host": "127.0.0.1", "port": one.ris_port, "roles": ["orders", "results", "priority"],
        "hl7": {"version": "2.5.1", "receiving_application": "RIS",
                "receiving_facility": one.name, "charset": "UNICODE UTF-8",
                "priority_message": "OMI^O23"},
    }  # fmt: skip
    return [
        dicom("pacs", ["source", "results"]),
        dicom("ct", ["source"]),
        # a scanner that stands elsewhere: this address is not ours
        dicom("far", ["source"], host="127.0.0.2"),
        ris,
    ]


def _algorithm(code: str, switches: Path) -> Json:
    return {
        "code": code, "vendor": "examplemed", "name": code.title(),
        "versions": [{"manifest": _manifest(code, switches), "clearance": CLEARANCE}],
    }  # fmt: skip


def _manifest(code: str, switches: Path) -> Json:
    if code == HEAD_CT:
        path = ROOT / "examples" / "algorithms" / "manifests" / f"{HEAD_CT}-1.0.0.json"
        return dict(json.loads(path.read_text()))
    return {
        "schema": "hub.manifest/1", "algorithm": code, "version": "1.0.0",
        "performer": {
            "kind": "process",
            "command": ["python", "-m", "tests.fakes.switchable", str(switches / code)],
            "timeout_seconds": 1 if code == "hangs" else 60,
            "concurrency": 4,
        },
        "needs": {"modality": ["CT"], "minimum_instances": 8, "identity": "pseudonym"},
        "returns": {"findings": [{"code": ICH, "urgency_when_present": "stat"}]},
    }  # fmt: skip


def _framework(trusts: list[str]) -> Json:
    return {
        "code": "2020-1968", "title": "AI for diagnostic imaging", "holder": "sykehuspartner",
        "supplier": "examplemed", "valid": {"from": "2026-01-01", "to": "2029-12-31"},
        "estimated_value": "33000000.00", "maximum_value": "40000000.00", "currency": "NOK",
        "authorities": [
            {"organisation": trust, "role": "contracting_authority"} for trust in trusts
        ],
        "price_book": [
            {"algorithm": code, "model": "flat", "unit_price": "10.00"} for code in ALGORITHMS
        ],
    }  # fmt: skip


def _call_off(trust: str, hospitals: list[Hospital]) -> Json:
    """A line for every site and algorithm, but none for the one that no contract covers."""
    lines = [
        {"algorithm": code, "site": one.code, "activated": "2026-03-16", "volume_estimate": 100}
        for one in hospitals if one.trust == trust
        for code in one.algorithms if code != "uncovered"
    ]  # fmt: skip
    return {
        "code": f"CO-{trust}", "framework": "2020-1968", "organisation": trust,
        "valid": {"from": "2026-03-01"}, "lines": lines,
    }  # fmt: skip


def _deployments(one: Hospital) -> list[Json]:
    return [
        {"site": one.code, "algorithm": code, "version": "1.0.0",
         "state": "shadow" if code == "shadows" else "clinical",
         "write_back": "after_acceptance" if code == "waits" else "automatic"}
        for code in one.algorithms
    ]  # fmt: skip


def _rule(one: Hospital, code: str) -> Json:
    wanted: Json = {"study.study_description": {"equals": code}}
    if code == HEAD_CT:
        wanted = {"series.body_part_examined": {"in": ["HEAD", "BRAIN"]}}
    return {
        "code": f"{one.code}-{code}", "site": one.code, "algorithm": code,
        "when": {"all": [{"series.modality": {"equals": "CT"}}, wanted]},
    }  # fmt: skip
