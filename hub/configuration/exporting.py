"""Writes the set-up as it is: applying what was written changes nothing, and no secret is in it."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from hub.configuration import registry
from hub.configuration.attachments import Attachment
from hub.configuration.document import number_text
from hub.configuration.files import FileBeside
from hub.configuration.reading import VERSION

HEAD = """\
# The set-up of the hub, written by `manage.py export`.
# `manage.py apply FILE` makes a database agree with it.
"""
# what one reader of YAML or another takes for a number or a date
LIKE_A_NUMBER = re.compile(r"[-+.0-9][-+.:_0-9]*([xoXO][0-9A-Fa-f]+|[eE][-+]?[0-9]+)?")
# what fills a file of its own
Content: TypeAlias = Attachment | FileBeside
# puts the content into a file of its own, and gives its path as the set-up writes it
Beside: TypeAlias = Callable[[Content], str]
# kind name -> entries, in the order in which they are written
Entries: TypeAlias = Mapping[str, Sequence[Mapping[str, Any]]]


class _Dumper(yaml.SafeDumper):
    """Writes what document.resolved() reads back as the very same value."""


def _float(dumper: yaml.SafeDumper, value: float) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:float", number_text(value))


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "'" if LIKE_A_NUMBER.fullmatch(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(float, _float)
_Dumper.add_representer(str, _text)


def export_text(beside: Beside | None = None, *, entries: Entries | None = None) -> str:
    """The set-up as YAML, the whole of it unless ``entries`` are given.

    What fills files of its own is put ``beside``, else inline; of files that are kept byte for
    byte then only the digest is told.
    """
    document: dict[str, Any] = {"version": int(VERSION)}
    for kind in registry.kinds():
        values = _all_of(kind) if entries is None else entries.get(kind.name, ())
        if values:
            document[kind.section] = [_slim(value, beside) for value in values]
    body = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100,
        default_flow_style=None,
    )  # fmt: skip
    return HEAD + body


def _all_of(kind: registry.Kind) -> list[Mapping[str, Any]]:
    return [value for _, value in kind.held().values()]


def export_to(target: Path, *, entries: Entries | None = None) -> list[Path]:
    """Write the set-up to a file, or to ``setup.yaml`` in a folder, and manifests beside it.

    Gives the files written, the set-up last; each appears whole or not at all. Raises OSError.
    """
    path = target / "setup.yaml" if target.is_dir() else target
    taken: dict[str, Content] = {}

    def beside(one: Content) -> str:
        name = one.name_below
        while name == path.name or not _is_same(taken.setdefault(name, one), one):
            name = f"{name.removesuffix('.json')}-other.json"
        return name

    text = export_text(beside, entries=entries)
    paths = []
    for name, one in taken.items():
        paths.append(path.parent / name)
        write_whole(paths[-1], _bytes_of(one))
    write_whole(path, text)
    return [*paths, path]


def _is_same(one: Content, other: Content) -> bool:
    """Whether both fill a file alike: of two mappings their order counts as well."""
    if isinstance(one, FileBeside):
        return one == other
    return isinstance(other, Attachment) and one.text == other.text


def _bytes_of(one: Content) -> bytes:
    return one.content if isinstance(one, FileBeside) else one.text.encode()


def _slim(value: Any, beside: Beside | None) -> Any:
    """The value without what is nothing, so that the file holds only what was said."""
    if isinstance(value, FileBeside):
        return beside(value) if beside else None
    if isinstance(value, Attachment):
        return beside(value) if beside else value.data
    if isinstance(value, dict):
        slim = {name: _slim(held, beside) for name, held in value.items()}
        return {name: held for name, held in slim.items() if held is not None and held != []}
    return [_slim(one, beside) for one in value] if isinstance(value, list) else value


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file that appears whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
