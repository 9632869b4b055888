"""Puts what vendors bring on record: algorithms, versions, their papers, and published evidence."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from hub import audit
from hub.models import User
from marketplace import model_cards, sboms
from marketplace.models import Algorithm, AlgorithmVersion, Evidence, ModelCard, Sbom
from vendors.manifest import Manifest, ManifestInvalid
from vendors.models import Vendor
from vendors.signatures import SignatureRefused, verify


class NotPublished(Exception):
    """What was brought cannot be kept; ``problems`` has the field and the rule of each."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {text}" for path, text in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Reference:
    """One published reference, by the names of its columns."""

    reference: str
    title: str
    year: int
    use: str
    level: str
    design: str = ""
    sample_size: int | None = None
    is_multicentre: bool = False
    is_independent: bool = False
    country: str = ""
    reference_standard: str = ""
    version_tested: str = ""
    results: str = ""


@transaction.atomic
def offer(vendor: Vendor, *, code: str, name: str, description: str, by: User) -> Algorithm:
    """Put an algorithm into the catalogue, as yet without a version."""
    if Algorithm.objects.filter(code=code).exists():
        raise NotPublished([("code", _("this code is taken"))])
    row = Algorithm.objects.create(vendor=vendor, code=code, name=name, description=description)
    audit.record("algorithm.offered", actor=by, subject=code, vendor=vendor.code)
    return row


@transaction.atomic
def release(
    algorithm: Algorithm, manifest: Any, *, payload: str = "", signature: str = "", by: User
) -> AlgorithmVersion:
    """Put a version on record as its manifest declares it; raises NotPublished."""
    if faults := unstorable(manifest):
        raise NotPublished([_split(line, "manifest") for line in faults])
    try:
        read = Manifest.from_json(manifest)
    except ManifestInvalid as error:
        raise NotPublished([_split(line, "manifest") for line in error.problems]) from error
    if read.algorithm != algorithm.code:
        text = _("expected %(what)s, got %(found)s")
        told = text % {"what": algorithm.code, "found": read.algorithm}
        raise NotPublished([("manifest.algorithm", told)])
    image, key = read.performer.image, algorithm.vendor.signing_key
    try:
        if image and key:
            verify(image=image, payload=payload, signature=signature, signing_key=key)
    except SignatureRefused as refused:
        raise NotPublished([("signature", refused.reason)]) from refused
    try:
        with transaction.atomic():
            row = AlgorithmVersion.objects.create(
                algorithm=algorithm, version=read.version, manifest=manifest,
                signature_payload=payload, signature_value=signature,
            )  # fmt: skip
    except IntegrityError:
        text = _("version %(version)s is on record already") % {"version": read.version}
        raise NotPublished([("manifest.version", text)]) from None
    audit.record("version.released", actor=by, subject=str(row), image=image)
    return row


@transaction.atomic
def keep_sbom(version: AlgorithmVersion, document: Any, *, by: User) -> Sbom:
    """Keep the bill of materials in place of the one before."""
    if faults := unstorable(document) or sboms.faults(document):
        raise NotPublished([_split(line, "") for line in faults])
    row, _is_new = Sbom.objects.update_or_create(
        version=version, defaults={"document": document, "document_name": ""}
    )
    told = sboms.summary(document)
    audit.record(
        "sbom.kept", actor=by, subject=str(version), form=told.format, components=told.components
    )
    return row


@transaction.atomic
def keep_model_card(version: AlgorithmVersion, card: Any, *, by: User) -> ModelCard:
    """Keep the model card in place of the one before."""
    if faults := model_cards.faults(card):
        raise NotPublished([_split(line, "") for line in faults])
    row, _is_new = ModelCard.objects.update_or_create(
        version=version, defaults={"document": card, "document_name": ""}
    )
    audit.record("model_card.kept", actor=by, subject=str(version), title=model_cards.title(card))
    return row


def sbom_of(version: AlgorithmVersion) -> Any:
    """The bill of materials that stands now; None where there is none."""
    held = Sbom.objects.filter(version=version).first()
    return held.document if held else None


def card_of(version: AlgorithmVersion) -> Any:
    """The model card that stands now; None where there is none."""
    held = ModelCard.objects.filter(version=version).first()
    return held.document if held else None


@transaction.atomic
def cite(algorithm: Algorithm, reference: Reference, *, by: User) -> Evidence:
    """Add a reference, or put it in place of the one of the same name and use."""
    values = asdict(reference)
    row, _is_new = Evidence.objects.update_or_create(
        algorithm=algorithm, reference=values.pop("reference"), use=values.pop("use"),
        defaults=values,
    )  # fmt: skip
    audit.record("evidence.cited", actor=by, subject=algorithm.code, reference=row.reference)
    return row


@transaction.atomic
def withdraw(evidence: Evidence, *, by: User) -> None:
    """Take a reference off the record."""
    audit.record(
        "evidence.withdrawn", actor=by, subject=evidence.algorithm.code,
        reference=evidence.reference, use=evidence.use,
    )  # fmt: skip
    evidence.delete()


def unstorable(document: Any) -> list[str]:
    """Why no database can hold a document: U+0000, or half of a character."""
    text = json.dumps(document)
    # an escape is one only where no backslash stands before it
    if re.search(r"(?<!\\)(\\\\)*\\u(0000|d[89a-f][0-9a-f]{2})", _without_pairs(text)):
        return ["(the whole): " + _("expected text without U+0000 and lone surrogates")]
    return []


def _without_pairs(text: str) -> str:
    """The JSON without characters that it writes as two halves."""
    return re.sub(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}", "", text)


def _split(line: str, before: str) -> tuple[str, str]:
    path, _sep, text = line.partition(": ")
    return (f"{before}.{path}" if before else path), text
