"""Set-up files to entries: several files make one set-up, and whatever is wrong is reported."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from django.utils.translation import gettext as _

from hub.configuration import registry
from hub.configuration.document import Entries, Listing, Node, Scalar, described, parse
from hub.configuration.problems import Place, Problem, Report, nearest, shown
from hub.configuration.reader import Item, Reader
from hub.configuration.registry import Kind

VERSION = "1"
Items = dict[str, dict[str, Item]]


def read_files(names: Iterable[str], *, report: Report) -> Items:
    """Kind name -> code -> entry of all files together; ``-`` is standard input.

    What cannot be read is left out, and ``report`` has why.
    """
    items: Items = {kind.name: {} for kind in registry.kinds()}
    for name in dict.fromkeys(names):
        if (raw := _bytes(name, report)) is None:
            continue
        root = parse(raw, name=name, report=report)
        if root is not None:
            folder = Path.cwd() if name == "-" else Path(name).parent
            _read_document(root, folder, report, items)
    return items


def read_parts(
    documents: Iterable[tuple[str, bytes]], *, report: Report, dropped: Mapping[str, frozenset[str]]
) -> Items:
    """As read_files(), of documents given by name and text, and without any further file.

    ``dropped`` names the sections that are read, each with the fields that are left unread in it.
    """
    items: Items = {kind.name: {} for kind in registry.kinds()}
    for name, raw in documents:
        root = parse(raw, name=name, report=report)
        if isinstance(root, Entries):
            root = _without(root, dropped)
        if root is not None:
            _read_document(root, Path(os.devnull), report, items)
    return items


def _without(root: Entries, dropped: Mapping[str, frozenset[str]]) -> Entries:
    unread = {kind.section for kind in registry.kinds()} - set(dropped)
    kept: dict[str, Node] = {}
    for name, node in root.values.items():
        if name in dropped and isinstance(node, Listing):
            entries = tuple(_without_fields(one, dropped[name]) for one in node.items)
            kept[name] = replace(node, items=entries)
        elif name not in unread:
            kept[name] = node
    return replace(root, values=kept)


def _without_fields(node: Node, names: frozenset[str]) -> Node:
    if not isinstance(node, Entries):
        return node
    return replace(node, values={k: v for k, v in node.values.items() if k not in names})


def _bytes(name: str, report: Report) -> bytes | None:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        text = _("expected a file that can be read: %(why)s") % {"why": reason}
        report.problems.append(Problem(Place(name, 1), "", "", "", text))
        return None


def _read_document(root: Node, folder: Path, report: Report, items: Items) -> None:
    top = Reader(report, "", "", folder)
    if not isinstance(root, Entries):
        top.expected(root, _("names of sections, each with its entries"))
        return
    sections = {kind.section: kind for kind in registry.kinds()}
    known = ["version", *sections]
    for name, node in root.values.items():
        if name in sections:
            _read_section(sections[name], node, Reader(report, name, "", folder), items)
        elif name != "version":
            text = _("expected one of %(known)s, found %(found)s")
            told = text % {"known": ", ".join(known), "found": name} + nearest(name, known)
            top.key(name, root.keys[name]).refuse(root.keys[name], told)
    version = root.values.get("version")
    if not isinstance(version, Scalar) or version.text != VERSION:
        place = root.place if version is None else version.place
        found = _("nothing") if version is None else described(version)
        text = _("expected %(what)s, found %(found)s") % {"what": VERSION, "found": found}
        top.key("version", place).refuse(place, text)


def _read_section(kind: Kind, node: Node, top: Reader, items: Items) -> None:
    if isinstance(node, Scalar) and node.is_nothing:
        return
    if not isinstance(node, Listing):
        top.expected(node, _("a list of entries"))
        return
    for index, one in enumerate(node.items):
        code = _code_at(kind, one) or f"[{index}]"
        at = Reader(top.report, kind.section, code, top.folder)
        faults = len(at.report.problems)
        if (value := kind.record.read(one, at)) is None:
            if len(at.report.problems) == faults:
                at.expected(one, _("an entry"))
            continue
        if all(value[name] is not None for name in kind.key):
            item = Item(kind.section, kind.code_of(value), value, one.place, at.places)
            _add(item, kind, at, items)


def _code_at(kind: Kind, node: Node) -> str:
    """The code as far as it can be read, so that problems of the entry can name it."""
    held: Mapping[str, Node] = node.values if isinstance(node, Entries) else {}
    parts = [held.get(name) for name in kind.key]
    texts = [part.text if isinstance(part, Scalar) else "" for part in parts]
    return "/".join(texts) if any(texts) else ""


def _add(item: Item, kind: Kind, at: Reader, items: Items) -> None:
    first = items[kind.name].setdefault(item.code, item)
    if first is item:
        return
    if first.place.file == item.place.file:
        text = _("expected each once, found %(name)s as on line %(line)s")
        again = text % {"name": item.code, "line": first.place.line}
        at.key(kind.key[0], item.place_of(kind.key[0])).refuse(item.place, again)
    for path, here, there in kind.record.differences("", item.value, first.value):
        if first.place.file != item.place.file:
            text = _("expected the same as in %(place)s, %(there)s, found %(found)s")
            told = {"place": first.place_of(path), "there": shown(there), "found": shown(here)}
            field = Reader(at.report, at.section, at.code, at.folder, path)
            field.refuse(item.place_of(path), text % told)
