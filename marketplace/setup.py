"""The kind ``algorithms`` of the set-up file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

import vendors.manifest
from hub.configuration import identifiers, registry
from hub.configuration.attachments import Attached
from hub.configuration.kept import Flag, KeptOne, KeptRows
from hub.configuration.participants import CODE
from hub.configuration.reader import Value
from hub.configuration.records import Field, One, Record, Reference, Rows
from hub.configuration.registry import Kind, Say, World
from hub.configuration.shapes import Choice, Date, InJson, Integer, ListOf, Text
from marketplace import clearing, model_cards, papers, sboms
from marketplace.gates import udi_di_of
from marketplace.models import (
    Algorithm,
    AlgorithmVersion,
    Clearance,
    Evidence,
    ModelCard,
    PaperFile,
    Sbom,
)
from vendors.manifest import Manifest, ManifestInvalid
from vendors.setup_files import Files
from vendors.signatures import SignatureRefused, problem_with_keys, verify

REGIMES = ("MDR", "MDD", "MDD_LEGACY", "MDR_CLASS_I_SELF", "IVDR", "INHOUSE_5_5", "RESEARCH")
RISK_CLASSES = ("I", "Is", "Im", "Ir", "IIa", "IIb", "III", "A", "B", "C", "D")


CERTIFICATE_KINDS = (
    "MDR_ANNEX_IX_QMS", "MDR_ANNEX_IX_TD", "MDR_ANNEX_X", "MDR_ANNEX_XI", "MDD_ANNEX_II",
    "MDD_ANNEX_V", "MDD_ANNEX_VI",
)  # fmt: skip


class _Clearance(One):
    """The CE mark of a version; another UDI-DI makes it another device."""

    def finish(self, row: Any, value: Any, *, path: str, store: Any) -> None:
        before = udi_di_of(row)
        One.finish(self, row, value, path=path, store=store)
        clearing.note_udi_di(row, before=before, by=store.actor)


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
            text = _("expected a manifest of %(code)s, found one of %(found)s")
            told = {"code": value["code"], "found": manifest.data["algorithm"]}
            say.error(f"{path}.manifest", text % told)
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
        text = _("expected a signature by %(vendor)s: %(why)s")
        say.error(f"{path}.signature", text % {"vendor": vendor["code"], "why": refused})


def _examine_clearance(clearance: Value, path: str, say: Say) -> None:
    certificate = clearance["certificate"] or {}
    issued, expires = certificate.get("issued"), certificate.get("expires")
    if issued and expires and issued > expires:
        text = _("expected a day from %(day)s on, found %(found)s")
        say.error(f"{path}.certificate.expires", text % {"day": issued, "found": expires})


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
                Field("clearance", _Clearance(Clearance, "version", Record((
                    Field("regime", Choice(REGIMES), "MDR"),
                    Field("class", Choice(RISK_CLASSES), says="As certified; never derived.",
                          column="risk_class"),
                    Field("certificate", Record((
                        Field("number", Text(80), column="certificate_number"),
                        Field("notified_body", Text(10, identifiers.notified_body), None,
                              "Four digits (NANDO)."),
                        Field("notified_body_name", Text(), None),
                        Field("kind", Choice(CERTIFICATE_KINDS), None, "By annex of MDR or MDD.",
                              column="certificate_kind"),
                        Field("scope", Text(4000, identifiers.paragraphs), None,
                              "What the certificate covers.", column="certificate_scope"),
                        Field("issued", Date(), None),
                        Field("expires", Date(), None, "The last day on which it holds."),
                    )), None),
                    Field("udi_di", Text(40, identifiers.udi_di), None, "GTIN of 14 digits (GS1)."),
                    Field("basic_udi_di", Text(40, identifiers.basic_udi_di), None,
                          "One of GS1 passes its check characters (mod 1021)."),
                    Field("intended_use", Text(4000, identifiers.paragraphs), None),
                    Field("ce_marked", Date(), None, "The first day of the CE mark."),
                    Field("emdn_code", Text(20), None, "European Medical Device Nomenclature."),
                    Field("ifu", Text(300), None, "Instructions for use: version and place."),
                    Field("declaration", Text(300), None, "Declaration of conformity."),
                    Field("legacy", Record((
                        Field("mdr_class", Choice(RISK_CLASSES), None, "Its class under MDR."),
                        Field("application_lodged", Date(), None, "Of the application for MDR."),
                        Field("agreement_signed", Date(), None, "With a notified body."),
                        Field("unchanged", Flag(), None, column="is_unchanged",
                              says="Design and purpose did not change significantly."),
                    )), None, "MDD: what MDR Art. 120 asks for the certificate to hold longer."),
                ))), None, "Left out: not cleared, so it may not be used on patients."),
                Field("sbom", KeptOne(Sbom, "version", Record((
                    Field("document", Attached(
                        "bill of materials", lambda: {"type": "object"}, sboms.faults,
                        "document_name", sboms.title,
                    )),
                ))), None, "Software bill of materials of the image (CycloneDX, SPDX 2; JSON)."),
                Field("model_card", KeptOne(ModelCard, "version", Record((
                    Field("document", Attached(
                        "model card", lambda: {"type": "object"}, model_cards.faults,
                        "document_name", model_cards.title,
                    )),
                ))), None, "Applied model card (CHAI), by the names of its elements."),
            )),
        ), []),
        Field("description", Text(4000, identifiers.paragraphs), None),
        Field("body_parts", InJson(ListOf(Text(40)), list), None,
              "What it looks at, in words people search for."),
        Field("evidence", KeptRows(Evidence, "algorithm", ("reference", "use"), Record((
            Field("reference", Text(200), says="DOI, PubMed ID or address."),
            Field("title", Text(500)),
            Field("year", Integer(1950, 2100)),
            Field("use", Choice(tuple(Evidence.Use.values)),
                  says="validation, or clinical: tested in a clinical setting."),
            Field("level", Choice(tuple(Evidence.Level.values)), says="Level of efficacy."),
            Field("design", Text(100), None),
            Field("sample_size", Integer(1, 2_147_483_647), None),
            Field("multicentre", Flag(), None, column="is_multicentre"),
            Field("independent", Flag(), None, "Not by the vendor.", column="is_independent"),
            Field("country", Text(2, identifiers.country), None),
            Field("reference_standard", Text(), None),
            Field("version_tested", Text(40), None),
            Field("results", Text(4000, identifiers.paragraphs), None),
        ))), None, "Left out: what is recorded stays."),
        Field("papers", Files(
            PaperFile, "algorithm",
            (
                Field("kind", Choice(tuple(PaperFile.Kind.values))),
                Field("version", Text(40), None, "Of which version; none for a reference.",
                      column="version.version"),
                Field("reference", Text(200), None, "Of which one of the evidence."),
            ),
            papers.of_told,
        ), None, "Papers and texts of references, byte for byte. It adds to what is there, and "
                 "takes nothing away."),
    )),
))  # fmt: skip
