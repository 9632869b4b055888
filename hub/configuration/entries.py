"""One entry of the set-up, written by a person: the rules of the set-up file hold, and no other.

So a page, the API and a file can say the same, and are refused the same, by the same field.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from hub import audit
from hub.configuration import applying, planning, registry
from hub.configuration.problems import Report, SetUpRefused
from hub.configuration.reader import Value
from hub.configuration.reading import read_parts
from hub.configuration.registry import Kind
from hub.models import AuditEvent

LONGEST = 2_000_000
# of the document in memory; an empty one would be what the database holds already
NAME = "entry"
# whatever stands is what was seen (RFC 9110, 13.1.1)
ANY = "*"
# a word of the addresses of pages, where the code of a row would stand
TAKEN = "new"


class EntryRefused(Exception):
    """The entry was not written; ``problems`` has field and rule of all that is wrong with it."""

    def __init__(self, problems: Iterable[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{field}: {rule}" for field, rule in self.problems))

    @property
    def by_field(self) -> dict[str, list[str]]:
        """The rules by field, as the API tells them; "non_field_errors" for what is of none."""
        told: dict[str, list[str]] = {}
        for field, rule in self.problems:
            told.setdefault(field or "non_field_errors", []).append(rule)
        return told


class EntryChanged(Exception):
    """The entry is not what was seen any more; the message says who changed it."""


@transaction.atomic
def write(kind_name: str, entry: Mapping[str, Any], *, is_new: bool, by: Any) -> Any:
    """Make the row say what the entry says, and give it; raises EntryRefused.

    What the entry leaves out is as a file that leaves it out has it. ``is_new``: no row may have
    its code; otherwise one must.
    """
    kind, report = registry.kind(kind_name), Report()
    planning.lock()
    items = read_parts([(NAME, _text(kind.section, entry))], report=report,
                       dropped={kind.section: frozenset()})  # fmt: skip
    try:
        report.refuse_if_any()
        (item,) = items[kind_name].values() or [None]
        where = _named_by(kind, item.value) if item else {}
        code = item.code if item else ""
        held = bool(where) and kind.model._base_manager.filter(**where).exists()
        if held == is_new or (is_new and code == TAKEN):
            what = _("expected a code that is not taken") if is_new else _("expected a known code")
            raise EntryRefused([(kind.key[0], what)])
        changes = applying.change(items, report, actor=str(getattr(by, "username", by)))
    except SetUpRefused as refused:
        told = sorted({(one.field, one.text) for one in refused.problems})
        raise EntryRefused(told) from refused
    lines = [line for one in changes for line in one.lines()]
    if lines:
        audit.record("entry_written", actor=by, subject=code, section=kind.section, changes=lines)
    return kind.model._base_manager.get(**where)


@transaction.atomic
def change(
    kind_name: str, row: Any, fields: Mapping[str, Any], *, by: Any, of: str = ANY
) -> Any:
    """Let fields of a row's entry say something else, each as a whole; the others stay.

    ``of`` is the revision() that is changed. Raises EntryRefused, and EntryChanged where it is
    another by now.
    """
    # Before it is read: of two who change other fields neither takes the other's back.
    planning.lock()
    held = entry_of(kind_name, row)
    kind = registry.kind(kind_name)
    demand(held, of, called=kind.code_of(held))
    entry = held | dict(fields)
    for key in kind.key:
        if entry.get(key) != held[key]:
            raise EntryRefused([(key, _("cannot be changed"))])
    return write(kind_name, entry, is_new=False, by=by)


def _named_by(kind: Kind, value: Value) -> dict[str, Any]:
    """What of the columns tells a row of the kind from its sisters."""
    columns = {field.name: field.held_in for field in kind.record.fields}
    return {columns[name].replace(".", "__"): value[name] for name in kind.key}


def revision(entry: Mapping[str, Any]) -> str:
    """SHA-256 of an entry."""
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()


def demand(entry: Mapping[str, Any], of: str, *, called: str) -> None:
    """Raise EntryChanged where the entry is none of the revisions ``of``, apart by spaces."""
    if ANY not in of.split() and revision(entry) not in of.split():
        raise EntryChanged(changed_by_whom(called))


def changed_by_whom(called: str) -> str:
    """The sentence to the second of two: who changed it last, as the audit trail knows."""
    last = AuditEvent.objects.filter(subject=called).order_by("-pk").first()
    if last is None:
        return _("%(entry)s was changed meanwhile: look at it as it is now.") % {"entry": called}
    text = _("%(who)s changed %(entry)s meanwhile: look at it as it is now.")
    return text % {"who": last.actor, "entry": called}


def entry_of(kind_name: str, row: Any) -> dict[str, Any]:
    """The entry of a row, read anew, without what it does not say."""
    fresh = registry.kind(kind_name).model._base_manager.get(pk=row.pk)
    told: dict[str, Any] = said(value_of(kind_name, fresh))
    return told


def value_of(kind_name: str, row: Any) -> Value:
    """The entry that a file would have for the row."""
    return registry.kind(kind_name).record.load(row, "") or {}


def value_of_part(kind_name: str, field: str, row: Any) -> Value:
    """What a file would have for a row below one: an item of a list of the entry."""
    fields = {one.name: one.shape for one in registry.kind(kind_name).record.fields}
    part: Any = fields[field]
    told: Value = said(part.record.load(row, ""))
    return told


def said(value: Any) -> Any:
    """The entry without what it does not say, as an export writes it."""
    if isinstance(value, Mapping):
        return {name: said(held) for name, held in value.items() if held is not None}
    return [said(one) for one in value] if isinstance(value, list) else value


def _text(section: str, entry: Mapping[str, Any]) -> bytes:
    """The file that has this entry alone; raises EntryRefused."""
    try:
        text = json.dumps({"version": 1, section: [entry]}, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        raise EntryRefused([("", _("expected an object"))]) from None
    if len(text) > LONGEST:
        raise EntryRefused([("", _("expected at most %(most)s characters") % {"most": LONGEST})])
    return text.encode("utf-8", "surrogatepass")
