"""The kinds ``algorithms`` and ``deployments`` of the set-up file."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from django.utils import timezone

import vendors.manifest
from hub.configuration import identifiers, registry
from hub.configuration.attachments import Attached
from hub.configuration.participants import CODE
from hub.configuration.reader import Value
from hub.configuration.records import Field, One, Record, Reference, Rows
from hub.configuration.registry import Kind, Say, World
from hub.configuration.shapes import Choice, Date, Text
from marketplace.clearance import ClearanceFacts, judge
from marketplace.deployment import IN_USE
from marketplace.models import Algorithm, AlgorithmVersion, Clearance, Deployment
from vendors.manifest import Manifest, ManifestInvalid
from vendors.signatures import SignatureRefused, problem_with_keys, verify

REGIMES = ("MDR", "MDD", "MDD_LEGACY", "MDR_CLASS_I_SELF", "IVDR", "INHOUSE_5_5", "RESEARCH")
RISK_CLASSES = ("I", "Is", "Im", "Ir", "IIa", "IIb", "III", "A", "B", "C", "D")


def manifest_schema() -> dict[str, Any]:
    """The JSON Schema of a manifest."""
    path = Path(vendors.manifest.__file__).with_name("manifest.schema.json")
    schema: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return schema


def _faults(data: Any) -> list[str]:
    try:
        Manifest.from_json(data)
    except ManifestInvalid as error:
        return list(error.problems)
    return []


def _examine_algorithm(value: Value, say: Say, world: World) -> None:
    for index, version in enumerate(value["versions"] or []):
        path, manifest = f"versions[{index}]", version["manifest"]
        if manifest and manifest.data["algorithm"] != value["code"]:
            text = f"expected a manifest of {value['code']}, found {manifest.data['algorithm']}"
            say.error(f"{path}.manifest", text)
        if manifest:
            _examine_signature(version, path, say, world.value("vendor", value["vendor"]))
        if version["clearance"]:
            _examine_clearance(version["clearance"], f"{path}.clearance", say)


def _examine_signature(version: Value, path: str, say: Say, vendor: Value) -> None:
    """An image that its vendor did not sign is refused here, and again before each run."""
    image = version["manifest"].data["performer"].get("image", "")
    key = vendor.get("signing_key") or ""
    if not image or not key or problem_with_keys(key):  # a key that is none is told at its place
        return
    signature = version["signature"] or {}
    try:
        verify(
            image=image, payload=signature.get("payload") or "",
            signature=signature.get("value") or "", signing_key=key,
        )  # fmt: skip
    except SignatureRefused as refused:
        say.error(f"{path}.signature", f"expected a signature by {vendor['code']}: {refused}")


def _examine_clearance(clearance: Value, path: str, say: Say) -> None:
    certificate = clearance["certificate"] or {}
    issued, expires = certificate.get("issued"), certificate.get("expires")
    if issued and expires and issued > expires:
        text = f"expected a day from {issued} on (issued), found {expires}"
        say.error(f"{path}.certificate.expires", text)
    if doubt := identifiers.basic_udi_di_doubt(clearance["basic_udi_di"] or ""):
        say.warning(f"{path}.basic_udi_di", doubt)


def _examine_deployment(value: Value, say: Say, world: World) -> None:
    algorithm = world.value("algorithm", value["algorithm"])
    manifests = [held["manifest"] for held in algorithm.get("versions") or []]
    if not algorithm or None in manifests:  # what cannot be read is told at its own place
        return
    known = [manifest.data["version"] for manifest in manifests]
    if value["version"] not in known:
        text = f"expected a version of {value['algorithm']}: {', '.join(known) or 'it has none'}"
        say.error("version", f"{text}; found {value['version']}")
    elif value["state"] in IN_USE:
        held = algorithm["versions"][known.index(value["version"])]
        facts = _facts(held["clearance"], f"{algorithm['name']} {value['version']}")
        if refusal := judge(facts, on=timezone.localdate()):
            say.warning("state", f"every study will be refused: {refusal.why}")


def _facts(clearance: Value | None, version: str) -> ClearanceFacts:
    """A clearance as the file has it, to be judged as a study will judge it."""
    if not clearance:
        return ClearanceFacts(version, is_recorded=False)
    certificate = clearance["certificate"] or {}
    return ClearanceFacts(
        version,
        regime=clearance["regime"] or "",
        risk_class=clearance["class"] or "",
        certificate_number=certificate.get("number") or "",
        notified_body=certificate.get("notified_body") or "",
        issued=_day(certificate.get("issued")),
        expires=_day(certificate.get("expires")),
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _new_deployment(value: Value) -> Deployment:
    version = AlgorithmVersion.objects.get(
        algorithm__code=value["algorithm"], version=value["version"]
    )
    return Deployment(version=version)


registry.register(Kind(
    "algorithm", "algorithms", Algorithm,
    says="What vendors offer, version by version, each with its clearance.",
    examine=_examine_algorithm,
    record=Record((
        Field("code", CODE),
        Field("vendor", Reference("vendor")),
        Field("name", Text()),
        Field("versions", Rows(
            AlgorithmVersion, "algorithm", ("manifest.data.version",), Record((
                Field("manifest", Attached(
                    "manifest", manifest_schema, _faults, "manifest_name",
                    lambda data: f"{data['algorithm']}-{data['version']}", ("version",),
                ), says="Path of a manifest relative to this file, or the manifest itself."),
                Field("signature", Record((
                    Field("payload", Text(8000, identifiers.base64_text),
                          says="What was signed (simple signing), in base64.",
                          column="signature_payload"),
                    Field("value", Text(1000, identifiers.base64_text),
                          says="The signature (ECDSA, DER), in base64.", column="signature_value"),
                )), None, "Of the image, by the vendor; demanded where it has a signing_key."),
                Field("clearance", One(Clearance, "version", Record((
                    Field("regime", Choice(REGIMES), "MDR"),
                    Field("class", Choice(RISK_CLASSES), says="As certified; never derived.",
                          column="risk_class"),
                    Field("certificate", Record((
                        Field("number", Text(80), column="certificate_number"),
                        Field("notified_body", Text(10, identifiers.notified_body), None,
                              "Four digits (NANDO)."),
                        Field("issued", Date(), None),
                        Field("expires", Date(), None, "The last day on which it holds."),
                    )), None),
                    Field("udi_di", Text(40, identifiers.udi_di), None, "GTIN of 14 digits (GS1)."),
                    Field("basic_udi_di", Text(40), None, "Checked by mod 1021 with a warning."),
                    Field("intended_use", Text(4000, identifiers.paragraphs), None),
                ))), None, "Left out: not cleared, so it may not be used on patients."),
            )),
        ), []),
    )),
))  # fmt: skip
registry.register(Kind(
    "deployment", "deployments", Deployment, key=("site", "algorithm", "version"),
    says="May this version be used on patients at this site, and how.",
    make=_new_deployment,
    examine=_examine_deployment,
    instead="set state: retired",
    record=Record((
        Field("site", Reference("site")),
        Field("algorithm", Reference("algorithm"), column="version.algorithm", is_written=False),
        Field("version", Text(40), column="version.version", is_written=False),
        Field("state", Choice(tuple(Deployment.State.values)), "shadow",
              "shadow: nothing leaves the hub."),
        Field("write_back", Choice(tuple(Deployment.WriteBack.values)), "automatic",
              "after_acceptance: held until a radiologist accepts."),
    )),
))  # fmt: skip
