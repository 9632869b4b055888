"""A small set-up of the shape of the shared example, and ways to write and apply it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub.configuration.applying import Outcome, apply
from hub.configuration.problems import Problem, SetUpRefused

EXAMPLES = Path(__file__).parents[4] / "shared" / "examples"
needs_examples = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="no shared examples here")

SETUP = """\
version: 1
organisations:
  - {code: vv, name: Vestre Viken HF, kind: hospital_trust, country: NO, organisation_number: "894166762"}
  - {code: sp, name: Sykehuspartner HF, kind: service_provider, country: NO, organisation_number: 914637651}
sites:
  - {code: drammen, organisation: vv, name: Drammen sykehus, timezone: Europe/Oslo}
members:
  - {username: radiologist.drammen, name: Kari Bærum, roles: [{role: radiologist, site: drammen}]}
  - {username: admin, name: IT administrator, roles: [{role: administrator}]}
nodes:
  - code: drammen-pacs
    site: drammen
    protocol: dicom
    ae_title: "ON"
    host: 127.0.0.1
    port: 11113
    roles: [source, results]
  - code: drammen-ris
    site: drammen
    protocol: hl7
    host: 127.0.0.1
    port: 2576
    roles: [orders, results, priority]
    hl7: {version: "2.5.1", receiving_application: RIS, receiving_facility: NO, charset: "UNICODE UTF-8", priority_message: OMI^O23}
vendors:
  - {code: acme, name: Acme Imaging AS, country: NO, organisation_number: "987654325", srn: NO-MF-000012345}
algorithms:
  - code: bleed
    vendor: acme
    name: Bleed
    versions:
      - manifest: manifests/bleed.json
        clearance:
          regime: MDR
          class: IIa
          certificate: {number: CE-1, notified_body: "2460", issued: 2025-01-15, expires: 2030-01-14}
          udi_di: "09506000134352"
          basic_udi_di: "1987654Ad4X4bL5ttr2310c2K"
          intended_use: Flags bleeding.
frameworks:
  - code: 2020-1968
    title: Artificial intelligence for imaging
    holder: sp
    supplier: acme
    valid: {from: 2026-01-01, to: 2029-12-31}
    estimated_value: "33000000.00"
    maximum_value: "40000000.00"
    currency: NOK
    authorities:
      - {organisation: vv, role: contracting_authority}
    price_book:
      - algorithm: bleed
        model: graduated
        tiers:
          - {up_to: 10000, unit_price: "24.00"}
          - {up_to: 30000, unit_price: "18.1250"}
          - {unit_price: "9.75"}
        introduction: [{months: 3, discount: "100%"}]
call_offs:
  - code: CO-1
    framework: 2020-1968
    organisation: vv
    valid: {from: 2026-03-01}
    lines:
      - {algorithm: bleed, site: drammen, activated: 2026-03-16, volume_estimate: 8000}
deployments:
  - {site: drammen, algorithm: bleed, version: 1.10, state: clinical, write_back: automatic}
rules:
  - code: head-ct
    site: drammen
    algorithm: bleed
    when:
      all:
        - {series.modality: {equals: CT}}
        - {series.instance_count: {at_least: 10}}
"""  # noqa: E501

MANIFEST: dict[str, Any] = {
    "schema": "hub.manifest/1",
    "algorithm": "bleed",
    "version": "1.10",
    "performer": {"kind": "process", "command": ["python", "-c", "pass"]},
    "needs": {"modality": ["CT"], "patient_age_years": {"at_least": 18}},
    "returns": {
        "findings": [
            {
                "code": {"value": "1386000", "scheme": "SCT", "meaning": "Intracranial hemorrhage"},
                "urgency_when_present": "stat",
            }
        ]
    },
}


def write(folder: Path, text: str = SETUP, *, name: str = "setup.yaml", **manifest: Any) -> str:
    """Write a set-up and its manifest to the folder; keywords replace parts of the manifest."""
    (folder / "manifests").mkdir(exist_ok=True)
    (folder / "manifests" / "bleed.json").write_text(json.dumps(MANIFEST | manifest))
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def applied(*names: str, **options: bool) -> Outcome:
    """Apply as a person called tester."""
    return apply(names, actor="tester", **options)


def refused(*names: str, **options: bool) -> tuple[Problem, ...]:
    """The problems for which the files are refused; fails where they are not."""
    with pytest.raises(SetUpRefused) as caught:
        applied(*names, **options)
    return caught.value.problems


def line_of(text: str, words: str) -> int:
    """The line (from 1) of the first place where the words stand."""
    return text[: text.index(words)].count("\n") + 1
