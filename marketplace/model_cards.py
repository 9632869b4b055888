"""Applied model cards of the Coalition for Health AI (CHAI), version 0.2: read, checked, written.

Kept as a mapping of the names of the elements, so that what came as XML and what came as JSON is
the same. A signature in the XML is of the vendor's text and is not kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

NAMESPACE = "https://mc.chai.org/v0.2/schema.xsd"
# Version 0.1 has the same fields, but that each metric has one Result in words.
KNOWN = re.compile(r"https://mc\.chai\.org/v0\.[12]/schema\.xsd")
LARGEST = 2 * 1024 * 1024
LONGEST_TEXT = 100_000
TEXT, TEXTS, METRIC = "text", "texts", "metric"

_METRIC = (
    "MetricGoal", "Results", "Interpretation", "TestType", "TestingDataDescription",
    "ValidationProcessAndJustification",
)  # fmt: skip
# section -> (field, what it holds, whether it must be there); a section without fields is a text
FIELDS: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "BasicInfo": (
        ("ModelName", TEXT, True), ("ModelDeveloper", TEXT, True),
        ("DeveloperContact", TEXT, True),
    ),
    "ReleaseInfo": (
        ("ReleaseStage", TEXT, True), ("ReleaseDate", TEXT, True), ("ReleaseVersion", TEXT, True),
        ("GlobalAvailability", TEXT, True), ("EHRCompatibility", TEXTS, False),
        ("RegulatoryApproval", TEXT, False),
    ),
    "ModelSummary": (("Summary", TEXT, True), ("Keywords", TEXTS, True)),
    "UsesAndDirections": (
        ("IntendedUseAndWorkflow", TEXT, True), ("PrimaryIntendedUsers", TEXT, True),
        ("HowToUse", TEXT, True), ("TargetedPatientPopulation", TEXT, True),
        ("CautionedOutOfScopeSettings", TEXT, True),
    ),
    "Warnings": (
        ("KnownRisksAndLimitations", TEXT, True),
        ("KnownBiasesOrEthicalConsiderations", TEXT, True), ("ClinicalRiskLevel", TEXT, True),
    ),
    "TrustIngredients": (
        ("AISystemFacts", "facts", True), ("TransparencyInformation", "told", True),
    ),
    "KeyMetrics": (
        ("UsefulnessUsabilityEfficacy", METRIC, True), ("FairnessEquity", METRIC, True),
        ("SafetyReliability", METRIC, True),
    ),
    "Resources": (
        ("EvaluationReferences", TEXT, False), ("ClinicalTrial", TEXT, False),
        ("PeerReviewedPublications", TEXT, True), ("ReimbursementStatus", TEXT, False),
        ("PatientConsentOrDisclosure", TEXT, True),
    ),
    "Bibliography": (),
}  # fmt: skip
_BELOW: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "facts": (
        ("OutcomesAndOutputs", TEXT, True), ("ModelType", TEXT, True),
        ("FoundationModels", TEXT, False), ("InputDataSource", TEXT, True),
        ("OutputAndInputDataTypes", TEXT, True), ("DevelopmentDataCharacterization", TEXT, True),
        ("BiasMitigationApproaches", TEXT, True), ("OngoingMaintenance", TEXT, True),
        ("Security", TEXT, False), ("Transparency", TEXT, False),
    ),
    "told": (
        ("FundingSource", TEXT, True), ("ThirdPartyInformation", TEXT, False),
        ("StakeholdersConsulted", TEXT, True),
    ),
}  # fmt: skip
_ITEM = {"EHRCompatibility": "EHR", "Keywords": "Keyword"}
Card = dict[str, Any]


class CardInvalid(ValueError):
    """No model card that can be kept; ``problems`` says which field and what was expected."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def faults(card: Any) -> list[str]:
    """Each departure from the fields of a card, as ``path: rule``; nothing where it is one."""
    if not isinstance(card, dict):
        return ["(the whole): " + _("expected an object")]
    found = [_one_of(name, FIELDS) for name in card if name not in FIELDS]
    for section, fields in FIELDS.items():
        held = card.get(section)
        if fields:
            found += _mapping_faults(section, held, fields)
        elif not _is_text(held):
            found.append(f"{section}: " + _("expected a text"))
    return found[:100]


def _one_of(path: str, known: Iterable[str]) -> str:
    return f"{path}: " + _("expected one of %(known)s") % {"known": ", ".join(known)}


def _object_with(path: str, names: Iterable[str]) -> str:
    return f"{path}: " + _("expected an object with %(names)s") % {"names": ", ".join(names)}


def from_xml(raw: bytes) -> Card:
    """A card from XML; raises CardInvalid. Nothing outside of the bytes is ever read."""
    from lxml import etree

    if len(raw) > LARGEST:
        text = _("expected at most %(most)s bytes") % {"most": LARGEST}
        raise CardInvalid([f"(the whole): {text}"])
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(raw, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        text = _("expected XML: %(why)s") % {"why": error}
        raise CardInvalid([f"(the whole): {text}"]) from None
    if root.getroottree().docinfo.doctype:
        raise CardInvalid(["(the whole): " + _("expected no DOCTYPE")])
    name = etree.QName(root)
    if name.localname != "AppliedModelCard" or not KNOWN.fullmatch(name.namespace or ""):
        text = _("expected AppliedModelCard of %(namespace)s") % {"namespace": NAMESPACE}
        raise CardInvalid([f"(the whole): {text}"])
    card = {
        etree.QName(child).localname: _read(child)
        for child in root
        if etree.QName(child).localname != "Signature"
    }
    if problems := faults(card):
        raise CardInvalid(problems)
    return card


def to_xml(card: Card) -> bytes:
    """The card as XML of version 0.2, elements in the order of its schema."""
    from lxml import etree

    root = etree.Element(f"{{{NAMESPACE}}}AppliedModelCard", nsmap={None: NAMESPACE})
    for section, fields in FIELDS.items():
        if not fields:
            _element(root, section).text = card[section]
        else:
            _write(_element(root, section), card[section], fields)
    return bytes(
        etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    )


def title(card: Mapping[str, Any]) -> str:
    """A name for a file that holds it."""
    named = f"card {card['BasicInfo']['ModelName']} {card['ReleaseInfo']['ReleaseVersion']}"
    return re.sub(r"[^a-z0-9.]+", "-", named.lower()).strip("-.")[:80]


def results_of(card: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """(metric, label, value) of everything that was measured; the value is that of its JSON."""
    for name, held in card["KeyMetrics"].items():
        for one in held["Results"]:
            try:
                value = json.loads(one["ValueJson"])
            except ValueError:
                value = one["ValueJson"]
            yield name, one["Label"], value


def _mapping_faults(path: str, held: Any, fields: tuple[tuple[str, str, bool], ...]) -> list[str]:
    if not isinstance(held, dict):
        return [_object_with(path, (field[0] for field in fields))]
    known = [field[0] for field in fields]
    found = [_one_of(f"{path}.{name}", known) for name in held.keys() - set(known)]
    for name, kind, is_required in fields:
        if name not in held:
            found += [f"{path}.{name}: " + _("expected a value")] if is_required else []
        else:
            found += _value_faults(f"{path}.{name}", held[name], kind)
    return found


def _value_faults(path: str, value: Any, kind: str) -> list[str]:
    if kind == TEXT:
        return [] if _is_text(value) else [f"{path}: " + _("expected a text")]
    if kind == TEXTS:
        is_good = isinstance(value, list) and all(map(_is_text, value))
        return [] if is_good else [f"{path}: " + _("expected a list of texts")]
    if kind == METRIC:
        return _metric_faults(path, value)
    return _mapping_faults(path, value, _BELOW[kind])


def _metric_faults(path: str, value: Any) -> list[str]:
    if not isinstance(value, dict) or set(value) != set(_METRIC):
        return [_object_with(path, _METRIC)]
    found = [
        f"{path}.{name}: " + _("expected a text")
        for name in _METRIC
        if name != "Results" and not _is_text(value[name])
    ]
    results = value["Results"]
    if not isinstance(results, list) or not results:
        return [*found, f"{path}.Results: " + _("expected a list of at least one")]
    text = _("expected an object with Label and ValueJson, both texts")
    return found + [
        f"{path}.Results[{index}]: {text}"
        for index, one in enumerate(results)
        if not isinstance(one, dict)
        or set(one) != {"Label", "ValueJson"}
        or not all(map(_is_text, one.values()))
    ]


def _is_text(value: Any) -> bool:
    """A text that XML and a database can hold."""
    return (
        isinstance(value, str)
        and len(value) <= LONGEST_TEXT
        and not any(
            (one < " " and one not in "\t\n\r") or "\ud800" <= one <= "\udfff"
            or one in "\ufffe\uffff"
            for one in value
        )
    )


def _read(element: Any) -> Any:
    from lxml import etree

    name, children = etree.QName(element).localname, list(element)
    if name in _ITEM:
        return [(child.text or "").strip() for child in children]
    if name == "Results":
        return [{etree.QName(one).localname: (one.text or "").strip() for one in child}
                for child in children]  # fmt: skip
    if not children:
        return (element.text or "").strip()
    held = {etree.QName(child).localname: _read(child) for child in children}
    if "Result" in held and "MetricGoal" in held:
        words = json.dumps(held.pop("Result"), ensure_ascii=False)
        held["Results"] = [{"Label": "Result", "ValueJson": words}]
    return held


def _write(element: Any, held: Card, fields: tuple[tuple[str, str, bool], ...]) -> None:
    for name, kind, _is_required in fields:
        if name not in held:
            continue
        child = _element(element, name)
        if kind == TEXT:
            child.text = held[name]
        elif kind == TEXTS:
            for text in held[name]:
                _element(child, _ITEM[name]).text = text
        elif kind == METRIC:
            _write_metric(child, held[name])
        else:
            _write(child, held[name], _BELOW[kind])


def _write_metric(element: Any, held: Card) -> None:
    for name in _METRIC:
        child = _element(element, name)
        if name != "Results":
            child.text = held[name]
            continue
        for one in held[name]:
            result = _element(child, "MetricResult")
            for label in ("Label", "ValueJson"):
                _element(result, label).text = one[label]


def _element(parent: Any, name: str) -> Any:
    from lxml import etree

    return etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
