"""Brings in what another hub exported of an organisation: all of it or nothing, and never twice."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from hub import audit
from hub.configuration import naturals
from hub.configuration.applying import Outcome, apply
from hub.configuration.belongings import CONTENTS, FORMAT, Table, digest, tables
from hub.models import User

CHUNK = 1000


class ImportRefused(Exception):
    """The folder was not taken in; the message says which file, which line, and why."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of an import: the changes to the set-up, and how many rows each table got."""

    outcome: Outcome
    added: dict[str, int]
    there: dict[str, int]


def import_organisation(folder: Path, *, by: str) -> Taken:
    """Take in a folder of ``export --organisation``.

    Raises ImportRefused, and SetUpRefused for its set-up file; then nothing is changed. Rows that
    are there already are left; one that is there with other content is refused.
    """
    contents = _contents(folder)
    with transaction.atomic():
        outcome = apply([str(folder / "setup.yaml")], actor=by, is_return=True)
        added, there = {}, {}
        taken = []
        for table in tables():
            path = folder / f"{table.name}.jsonl"
            if path.name in contents["files"]:
                taken.append(_take(table, path, contents["files"]))
                added[table.name], there[table.name] = taken[-1].added, taken[-1].there
        for one in taken:
            one.finish()
        audit.record(
            "organisation_imported", actor=by, subject=contents["organisation"], added=added
        )
    return Taken(outcome, added, there)


def _contents(folder: Path) -> dict[str, Any]:
    """The list of contents, once every file is found to be what it was."""
    path = folder / CONTENTS
    try:
        contents: dict[str, Any] = json.loads(path.read_bytes())
        if contents["format"] != FORMAT:
            raise ImportRefused(f"{path}: expected {FORMAT}, found {contents['format']}")
        for name, told in contents["files"].items():
            if ".." in Path(name).parts or Path(name).is_absolute():
                raise ImportRefused(f"{path}: expected a file of this folder, found {name}")
            if digest(folder / name) != told:
                raise ImportRefused(f"{folder / name}: was changed since it was exported")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ImportRefused(f"{path}: cannot be read as a list of contents: {error}") from error
    return contents


def _take(table: Table, path: Path, files: dict[str, str]) -> _Taking:
    taking = _Taking(table, path, is_new=not table.model._base_manager.exists())
    for number, said in _lines(path):
        try:
            taking.take(_with_file(table, said, path.parent, files))
        except (LookupError, ValueError, TypeError, ValidationError) as error:
            raise ImportRefused(f"{path}:{number}: {error}") from error
    taking.flush()
    return taking


def _with_file(
    table: Table, said: dict[str, Any], folder: Path, files: dict[str, str]
) -> dict[str, Any]:
    """The row with the bytes of the file that it names; only one of the list of contents counts."""
    if table.beside is None:
        return said
    column, name = table.beside[0], said.get(table.beside[0])
    if not isinstance(name, str) or name not in files:
        raise ValueError(f"{column}: expected a file in {CONTENTS}, found {name}")
    return said | {column: base64.b64encode((folder / name).read_bytes()).decode()}


@dataclass(slots=True)
class _Taking:
    """One table being taken in; ``is_new``: it was empty, so that nothing can be there already."""

    table: Table
    path: Path
    is_new: bool
    added: int = 0
    there: int = 0
    waiting: list[Any] = field(default_factory=list)
    memo: naturals.Memo = field(default_factory=dict)
    postponed: list[dict[str, Any]] = field(default_factory=list)

    def take(self, said: dict[str, Any]) -> None:
        """One row; raises ValueError where it is there with other content."""
        table = self.table
        _ensure_people(table, said)
        if any(said.get(name) is not None for name in table.later):
            self.postponed.append(said)
        said = {name: value for name, value in said.items() if name not in table.later}
        try:
            values = naturals.read(table.model, said, memo=self.memo)
        except naturals.CannotBeFound:
            self.flush()  # it may be one of those that wait
            values = naturals.read(table.model, said, memo=self.memo)
        row = table.model(**values)
        earlier = None if self.is_new else _earlier(table, row)
        if earlier is None:
            self.waiting.append(row)
            if len(self.waiting) == CHUNK:
                self.flush()
        elif self._compared(earlier) == self._compared(row):
            self.there += 1
        else:
            key = ", ".join(str(said[name]) for name in table.key)
            raise ValueError(f"{key} is there already, with other content")

    def finish(self) -> None:
        """Fill the columns that lead to rows of later tables."""
        table = self.table
        for said in self.postponed:
            wanted = {name: said[name] for name in (*table.key, *table.later)}
            try:
                values = naturals.read(table.model, wanted, memo={})
            except (LookupError, ValueError, TypeError) as error:
                raise ImportRefused(f"{self.path}: {error}") from error
            later = {name: values.pop(name) for name in table.later}
            table.model._base_manager.filter(**values).update(**later)

    def _compared(self, row: Any) -> dict[str, Any]:
        told = self.table.told(row)
        return {name: value for name, value in told.items() if name not in self.table.later}

    def flush(self) -> None:
        """Write the rows that wait."""
        try:
            with transaction.atomic():
                self.table.model._base_manager.bulk_create(self.waiting)
        except IntegrityError as error:
            raise ImportRefused(f"{self.path}: does not fit what is there: {error}") from error
        if self.table.added and self.waiting:
            self.table.added(self.waiting)
        self.added += len(self.waiting)
        self.waiting = []


def _earlier(table: Table, row: Any) -> Any:
    wanted = {name: getattr(row, name) for name in table.key}
    return table.model._base_manager.filter(**wanted).first()


def _ensure_people(table: Table, said: dict[str, Any]) -> None:
    """Who is named in history has an account: a closed one, where there is none."""
    for column in table.model._meta.concrete_fields:
        name = said.get(column.name)
        if column.related_model is User and name:
            if User.objects.filter(username=name).exists():
                continue
            user = User(username=name, is_active=False)
            user.set_unusable_password()
            user.save()


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                said = json.loads(line)
            except ValueError as error:
                raise ImportRefused(f"{path}:{number}: expected JSON: {error}") from error
            if not isinstance(said, dict):
                raise ImportRefused(f"{path}:{number}: expected a row")
            yield number, said
