"""Files beside the set-up file that are kept byte for byte: told by their digest, read when due."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from django.utils.translation import gettext as _

from hub.configuration.attachments import LONGEST_PATH
from hub.configuration.document import Node, Scalar
from hub.configuration.problems import quoted
from hub.configuration.reader import Reader
from hub.configuration.shapes import Schema, Shape

# of 255 bytes that file systems take, without the digest before it
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class FileBeside:
    """A file; two of the same digest are the same, and ``read`` gives its bytes."""

    sha256: str
    name: str = field(compare=False)
    read: Callable[[], bytes] = field(compare=False)

    @property
    def content(self) -> bytes:
        """The bytes. Raises OSError."""
        return self.read()

    @property
    def name_below(self) -> str:
        """A path in the folder of the set-up, which no other file has."""
        return f"evidence/{self.sha256[:12]}-{_fit(self.name)}"

    def __str__(self) -> str:
        return f"{self.name} ({self.sha256[:12]})"


@dataclass(frozen=True, slots=True)
class Path(Shape):
    """The path of a file relative to the set-up file; at most ``most()`` bytes large."""

    most: Callable[[], int]

    def read(self, node: Node, at: Reader) -> Any:
        if not isinstance(node, Scalar) or node.is_nothing or not node.text:
            return at.expected(node, _("the path of a file"))
        if len(node.text) > LONGEST_PATH or not node.text.isprintable():
            what = _("a path of at most %(most)s characters") % {"most": LONGEST_PATH}
            return at.expected(node, what)
        path = at.folder / node.text
        try:
            # a folder may come from elsewhere: what it names lies in it
            if not path.resolve().is_relative_to(at.folder.resolve()):
                return at.expected(node, _("the path of a file in the folder of the set-up file"))
            size = path.stat().st_size
            if not path.is_file() or not 0 < size <= self.most():
                what = _("the path of a file of 1 to %(most)s bytes") % {"most": self.most()}
                return at.expected(node, what)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            text = _("expected a file that can be read, found %(found)s: %(why)s")
            told = text % {"found": quoted(node.text), "why": reason}
            return at.refuse(node.place, told)
        return FileBeside(digest, PurePosixPath(node.text).name, path.read_bytes)

    def schema(self) -> Schema:
        return {"type": "string", "minLength": 1, "maxLength": LONGEST_PATH}


def _fit(name: str) -> str:
    """The name as a file system takes it: its end is kept, for it says what kind of file it is."""
    plain = name.replace("/", "_").replace("\\", "_").encode()
    return plain[-_LONGEST_NAME:].decode(errors="ignore")
