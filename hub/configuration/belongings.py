"""What an organisation owns, as documented files: its part of the set-up, and its history.

Leaving a platform must be possible: what is written here can be read by people and programs, and
``importing`` brings it into another hub. History is told in JSON lines, references by their codes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from hub import audit
from hub.configuration import planning, registry
from hub.configuration.exporting import Entries, export_to, write_whole
from hub.configuration.naturals import told
from hub.configuration.reader import Value
from hub.configuration.registry import Kind, Owner
from hub.models import AuditEvent, Organisation

FORMAT = "avrop.organisation/1"
CONTENTS = "contents.json"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one model that belong to an organisation; a file ``NAME.jsonl`` of the export.

    ``key`` are the fields by which an import knows a row that is there already; ``added`` is told
    of the rows that it added. Columns in ``without`` stay behind: they lead to what is not its own.
    """

    name: str
    model: type[models.Model]
    says: str
    of: Callable[[Organisation], models.QuerySet[Any]]
    key: tuple[str, ...]
    added: Callable[[list[Any]], None] | None = None
    without: tuple[str, ...] = ()
    # columns that lead to rows of tables registered after it: an import fills them at the end
    later: tuple[str, ...] = ()
    # columns as they leave, where that is not as they are kept; what came in so is left alone
    more: Callable[[Any], dict[str, Any]] | None = None
    # a column of bytes that leaves as a file of its own, and the path of that in the folder: people
    # open it as it is
    beside: tuple[str, Callable[[Any], str]] | None = None

    def told(self, row: models.Model) -> dict[str, Any]:
        """The row as JSON can hold it, references by name."""
        found = told(row, without=self.without)
        return found | self.more(row) if self.more else found


_tables: dict[str, Table] = {}


def register(table: Table) -> None:
    """Add a table; its rows may refer to those of tables registered before."""
    _tables[table.name] = table


def tables() -> tuple[Table, ...]:
    """All tables, each after those it refers to; the audit trail last."""
    return (*_tables.values(), AUDIT)


def export_organisation(organisation: Organisation, folder: Path, *, by: str) -> list[Path]:
    """Write all that the organisation owns to the folder; gives the files. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with transaction.atomic():
        written = export_to(folder / "setup.yaml", entries=entries_of(organisation.code))
        for table in tables():
            path = folder / f"{table.name}.jsonl"
            rows = [_line(row) for row in _rows(table, organisation, folder, written)]
            write_whole(path, "".join(rows))
            written.append(path)
        audit.record("organisation_exported", actor=by, subject=organisation.code)
    written.append(_write_readme(folder, organisation))
    contents = {
        "format": FORMAT,
        "organisation": organisation.code,
        "exported_at": timezone.now().isoformat(timespec="seconds"),
        "files": {str(path.relative_to(folder)): digest(path) for path in written},
    }
    write_whole(folder / CONTENTS, json.dumps(contents, indent=2) + "\n")
    return [*written, folder / CONTENTS]


def entries_of(code: str) -> Entries:
    """The entries of the set-up that are the organisation's, and those that they refer to."""
    held = planning.held()
    sites = (value for _, value in held["site"].values())
    own = frozenset(site["code"] for site in sites if site["organisation"] == code)
    owner = Owner(code, own)
    taken: dict[str, dict[str, Value]] = {kind.name: {} for kind in registry.kinds()}
    for kind in registry.kinds():
        for name, (_, value) in held[kind.name].items():
            if (part := registry.shared(kind, value, owner)) is not None:
                taken[kind.name][name] = part
    _follow_all(held, taken)
    # after what is referred to: an entry that is told by name alone must not stand in its way
    for kind_name, name, value in (one for ask in _entry_askers for one in ask(code)):
        taken[kind_name].setdefault(name, value)
    _follow_all(held, taken)
    return {
        kind: [found[name] for name in held[kind] if name in found]
        for kind, found in taken.items()
    }


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _follow_all(held: planning.Held, taken: dict[str, dict[str, Value]]) -> None:
    for kind in registry.kinds():
        for value in list(taken[kind.name].values()):
            _follow(kind, value, held, taken)


def _follow(
    kind: Kind, value: Value, held: planning.Held, taken: dict[str, dict[str, Value]]
) -> None:
    """Take what an entry refers to as well, and what that refers to."""
    for use in kind.record.uses("", value):
        if use.code in taken[use.kind] or use.code not in held[use.kind]:
            continue
        found = held[use.kind][use.code][1] | registry.kept_back(use.kind)
        taken[use.kind][use.code] = found
        _follow(registry.kind(use.kind), found, held, taken)


def _rows(
    table: Table, organisation: Organisation, folder: Path, written: list[Path]
) -> Iterator[dict[str, Any]]:
    """The rows as they are told; files beside them are written, and added to ``written``."""
    at_once = 20 if table.beside else 2000
    for row in table.of(organisation).order_by("pk").iterator(chunk_size=at_once):
        told = table.told(row)
        if table.beside:
            column, path_of = table.beside
            told[column] = path_of(row)
            written.append(folder / told[column])
            write_whole(written[-1], bytes(getattr(row, column)))
        yield told


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n"


def _write_readme(folder: Path, organisation: Organisation) -> Path:
    lines: Iterable[str] = (
        f"# What {organisation.name} owned in the hub",
        "",
        "| file | holds |",
        "|---|---|",
        "| `setup.yaml` | agreements, call-offs, sites, peers, members, deployments, rules, and "
        "the algorithms and vendors that they name; see setup-file.md of the hub |",
        "| `manifests/` and other `.json` | the manifests of the algorithms' versions |",
        "| `evidence/` | files of evidence, byte for byte; setup.yaml says what each is |",
        "| `invoices/` | invoices and credit notes as EHF, PDF and CSV, byte for byte |",
        *(f"| `{table.name}.jsonl` | {table.says} |" for table in tables()),
        f"| `{CONTENTS}` | this export: when, of whom, and the SHA-256 of each file |",
        "",
        "Each line of a `.jsonl` file is one row in JSON (UTF-8): times in UTC (ISO 8601), amounts "
        "as texts, other rows by their codes. `manage.py import FOLDER` reads all of it.",
        "",
    )
    write_whole(folder / "README.md", "\n".join(lines))
    return folder / "README.md"


def _own_trail(organisation: Organisation) -> models.QuerySet[AuditEvent]:
    """What happened at its sites, and to what is its alone."""
    subjects = [organisation.code, *_subjects(organisation)]
    return AuditEvent.objects.filter(
        models.Q(site__organisation=organisation)
        | models.Q(site=None, subject__in=subjects)
    )


# the code of an organisation -> (kind, code, value) of what its rows refer to besides
EntryAsker = Callable[[str], Iterable[tuple[str, str, Value]]]
_entry_askers: list[EntryAsker] = []


def entries(ask: EntryAsker) -> None:
    """Let ``ask`` name entries of the set-up that rows of the organisation refer to."""
    _entry_askers.append(ask)


_subject_askers: list[Callable[[Organisation], Iterable[str]]] = []


def subjects(ask: Callable[[Organisation], Iterable[str]]) -> None:
    """Let ``ask`` name what else of the organisation's the audit trail speaks of."""
    _subject_askers.append(ask)


def _subjects(organisation: Organisation) -> Iterator[str]:
    for ask in _subject_askers:
        yield from ask(organisation)


AUDIT = Table(
    "audit", AuditEvent, "the audit trail of its sites, call-offs and options; may name patients",
    _own_trail, ("at", "actor", "action", "subject"),
)  # fmt: skip
