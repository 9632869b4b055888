"""Lists of files of evidence in a set-up file: it adds to what was handed in, and takes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from hub.configuration import identifiers
from hub.configuration.document import Node
from hub.configuration.files import FileBeside, Path
from hub.configuration.reader import Reader, Value
from hub.configuration.records import Field, Record, name_of
from hub.configuration.registry import Say
from hub.configuration.shapes import Difference, ListOf, Schema, Shape, Text
from vendors import filing
from vendors.filing import Brought, FileRefused, Place
from vendors.models import HandedIn, KeptFile

SHA256 = identifiers.Pattern("[0-9a-f]{64}", gettext_noop("64 hexadecimal digits"))
_MOMENT = identifiers.Pattern(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
    r"(Z|[-+][0-9]{2}:[0-9]{2})",
    gettext_noop("a moment with its offset, such as 2027-01-31T12:00+01:00"),
)
_OF_ALL = (
    Field("file", Path(lambda: int(settings.HUB_DOCUMENT_BYTES)), None,
          "Its path, below the folder of this file. Left out: the hub has it already."),
    Field("sha256", Text(64, SHA256), None, "Its digest: another file is refused."),
    Field("name", Text(filing.LONGEST_NAME), None, "Left out: as it is called in its folder."),
    Field("by", Text(), None, "Who handed it in. Left out: who applies this file."),
    Field("at", Text(40, _MOMENT), None, "When. Left out: now."),
    Field("replaces", Text(64, SHA256), None, "Digest of the file whose place it takes."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Files(Shape):
    """Files of evidence of a row, known by what they are of, their digest and what they replace.

    ``what`` are the fields that say of what each is evidence, kept in columns of the same name;
    ``place`` turns them into the place where it is kept, or raises FileRefused.
    """

    model: type[HandedIn]
    parent: str
    what: tuple[Field, ...]
    place: Callable[[Any, Value], Place]

    def read(self, node: Node, at: Reader) -> Any:
        faults = len(at.report.problems)
        values = ListOf(self.record).read(node, at)
        if values is None or len(at.report.problems) > faults:
            return None
        told = [self._told(one, node, at) for one in values if one]
        if len({self._identity(one) for one in told}) < len(told):
            return at.refuse(node.place, _("expected each file once"))
        return told

    def schema(self) -> Schema:
        return ListOf(self.record).schema()

    def load(self, row: Any, column: str) -> Any:
        return [self._loaded(one) for one in self._rows(row)] or None

    def save(self, row: Any, column: str, value: Any) -> None:
        """Nothing: the files are kept by finish(), when the row has its key."""

    def finish(self, row: Any, value: Any, *, path: str, store: Any) -> None:
        known = {self._identity(one) for one in self.load(row, "") or []}
        for index, one in enumerate(value or []):
            if self._identity(one) in known:
                continue
            try:
                filing.keep(self.model, self.place(row, one), _brought(one), by=store.actor)
            except FileRefused as refused:
                where = f"{path}[{index}].{refused.field}"
                Say(store.item, store.report).error(where, str(refused))

    def differences(self, path: str, old: Any, new: Any) -> Iterator[Difference]:
        known = {self._identity(one) for one in old or []}
        for one in new or []:
            if self._identity(one) not in known:
                below = f"{path}[{name_of((*self._of(one), one['name']))}]"
                yield Difference(below, None, one["sha256"])

    @property
    def record(self) -> Record:
        """The fields of each."""
        return Record((*self.what, *_OF_ALL))

    def _rows(self, row: Any) -> Any:
        if row.pk is None:
            return []
        found = self.model._base_manager.filter(**{self.parent: row})
        led_to = [field.held_in.split(".")[0] for field in self.what if "." in field.held_in]
        return filing.whole(found.select_related(*led_to) if led_to else found)

    def _loaded(self, one: HandedIn) -> Value:
        beside = FileBeside(one.file.sha256, one.name, lambda: bytes(one.file.content))
        earlier = one.replaces.file.sha256 if one.replaces else None
        return {
            **{field.name: field.shape.load(one, field.held_in) for field in self.what},
            "file": beside, "sha256": beside.sha256, "name": one.name, "by": one.by,
            "at": one.at.isoformat(), "replaces": earlier,
        }  # fmt: skip

    def _of(self, value: Value) -> tuple[Any, ...]:
        return tuple(value[field.name] for field in self.what)

    def _identity(self, value: Value) -> tuple[Any, ...]:
        return (*self._of(value), value["sha256"], value["replaces"])

    def _told(self, value: Value, node: Node, at: Reader) -> Value:
        """The value with its digest and its name, or a problem where neither is told."""
        found, sha256 = value["file"], value["sha256"]
        if found is None and sha256 is None:
            at.refuse(node.place, _("expected file, or sha256 of one that the hub has"))
        elif found is not None and sha256 not in (None, found.sha256):
            text = _("expected %(name)s to have the digest %(digest)s, found %(found)s")
            told = {"name": found.name, "digest": sha256, "found": found.sha256}
            at.refuse(node.place, text % told)
        digest = found.sha256 if found else sha256
        return {**value, "sha256": digest, "name": value["name"] or (found and found.name)}


def _brought(value: Value) -> Brought:
    content = value["file"].content if value["file"] else _kept(value["sha256"])
    name = value["name"] or value["sha256"][:12]
    at = datetime.fromisoformat(value["at"]) if value["at"] else None
    return Brought(
        name, content, value["sha256"], value["replaces"] or "", value["by"] or "", at
    )


def _kept(sha256: str) -> bytes:
    row = KeptFile.objects.filter(sha256=sha256).first()
    if row is None:
        raise FileRefused("sha256", _("expected file: the hub has none with this digest"))
    return bytes(row.content)
