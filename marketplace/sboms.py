"""Reads a software bill of materials, CycloneDX or SPDX 2 in JSON, for what people ask of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

LARGEST = 20 * 1024 * 1024
MOST_LICENCES = 12
NOTHING = {"", "NOASSERTION", "NONE"}


@dataclass(frozen=True, slots=True)
class Component:
    """One part: a library, a program, a model."""

    name: str
    version: str
    licence: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What stands in a bill of materials; ``licences`` has the most frequent, with their number."""

    format: str
    made_at: str
    subject: str
    components: int
    without_version: int
    without_licence: int
    licences: tuple[tuple[str, int], ...]


def faults(document: Any) -> list[str]:
    """Why a document is no bill of materials that can be read; nothing where it is one."""
    if not isinstance(document, dict):
        return ["(the whole): " + _("expected an object")]
    form = _format(document)
    if not form:
        text = _('expected "CycloneDX" (specVersion 1.x), or spdxVersion of SPDX-2.x, in JSON')
        return [f"bomFormat: {text}"]
    key = "components" if form.startswith("CycloneDX") else "packages"
    listed = document.get(key)
    if not isinstance(listed, list):
        return [f"{key}: " + _("expected a list")]
    return [
        f"{key}[{index}].name: " + _("expected a text")
        for index, one in enumerate(listed)
        if not isinstance(one, dict) or not isinstance(one.get("name"), str) or not one["name"]
    ][:20]


def summary(document: Mapping[str, Any]) -> Summary:
    """Of a document without faults."""
    parts = list(components(document))
    licences = Counter(one.licence for one in parts if one.licence)
    return Summary(
        format=_format(document),
        made_at=_text(_metadata(document).get("timestamp"))
        or _text(_mapping(document.get("creationInfo")).get("created")),
        subject=_subject(document),
        components=len(parts),
        without_version=sum(not one.version for one in parts),
        without_licence=sum(not one.licence for one in parts),
        licences=tuple(licences.most_common(MOST_LICENCES)),
    )


def components(document: Mapping[str, Any]) -> Iterator[Component]:
    """Every part, also those inside of others."""
    if _format(document).startswith("SPDX"):
        for package in document["packages"]:
            licence = _known(package.get("licenseConcluded"))
            licence = licence or _known(package.get("licenseDeclared"))
            yield Component(package["name"], _text(package.get("versionInfo")), licence)
        return
    waiting = list(document["components"])
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            yield Component(one["name"], _text(one.get("version")), _licences(one))
            below = one.get("components")
            waiting += below if isinstance(below, list) else []


def title(document: Mapping[str, Any]) -> str:
    """A name for a file that holds it."""
    return re.sub(r"[^a-z0-9.]+", "-", f"sbom {_subject(document)}".lower()).strip("-.")[:80]


def _format(document: Mapping[str, Any]) -> str:
    version = _text(document.get("specVersion"))
    if document.get("bomFormat") == "CycloneDX" and re.fullmatch(r"1\.[0-9]{1,2}", version):
        return f"CycloneDX {version}"
    spdx = _text(document.get("spdxVersion"))
    return spdx.replace("-", " ", 1) if re.fullmatch(r"SPDX-2\.[0-9]{1,2}", spdx) else ""


def _licences(component: Mapping[str, Any]) -> str:
    listed = component.get("licenses")
    names = [
        _text(one.get("expression"))
        or _text(_mapping(one.get("license")).get("id"))
        or _text(_mapping(one.get("license")).get("name"))
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, dict)
    ]
    return " AND ".join(sorted({name for name in names if name}))


def _subject(document: Mapping[str, Any]) -> str:
    component = _mapping(_metadata(document).get("component"))
    named = f"{_text(component.get('name'))} {_text(component.get('version'))}".strip()
    return named or _text(document.get("name"))


def _metadata(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(document.get("metadata"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _known(licence: Any) -> str:
    text = _text(licence)
    return "" if text in NOTHING else text


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
