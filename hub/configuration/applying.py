"""Makes the database agree with the files, all or nothing, and leaves an audit event either way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, IntegrityError, transaction
from django.utils.translation import gettext as _

from hub import audit
from hub.configuration import planning, registry
from hub.configuration.history import hanging_on
from hub.configuration.planning import Action, Change
from hub.configuration.problems import Place, Problem, Report, SetUpRefused
from hub.configuration.reader import Item
from hub.configuration.reading import Items, read_files
from hub.configuration.records import Record
from hub.configuration.registry import Say

MOST_TOLD_IN_AUDIT = 100
LONGEST_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was changed (or would be), and what somebody should look at."""

    changes: tuple[Change, ...]
    warnings: tuple[Problem, ...]

    @property
    def lines(self) -> list[str]:
        """The plan for people, one line for each change."""
        return [line for change in self.changes for line in change.lines()]


def apply(
    names: Iterable[str], *, actor: str, is_dry_run: bool = False, is_pruning: bool = False,
    is_return: bool = False,
) -> Outcome:  # fmt: skip
    """Make the database agree with the files; raises SetUpRefused, and then nothing is changed.

    A dry run does all of the work and takes it back, so that it refuses what apply would refuse.
    With ``is_return`` another hub exported them: what it took by an earlier rule is told of alone.
    """
    files = list(names)
    report = Report()
    try:
        with transaction.atomic():
            changes = _apply(
                files, report, actor=actor, is_pruning=is_pruning, is_return=is_return
            )
            if is_dry_run:
                transaction.set_rollback(True)
            elif changes:
                lines = [line for change in changes for line in change.lines()]
                _record("setup_applied", actor, files, changes=lines)
    except SetUpRefused as refused:
        if not is_dry_run:
            _record("setup_refused", actor, files, problems=[str(one) for one in refused.problems])
        raise
    return Outcome(tuple(changes), tuple(sorted(set(report.warnings))))


def _apply(
    files: list[str], report: Report, *, actor: str, is_pruning: bool, is_return: bool
) -> list[Change]:
    items = read_files(files, report=report)
    planning.lock()
    if is_pruning and not any(items.values()):
        text = _("expected at least one entry: --prune would remove everything")
        report.problems.append(Problem(Place(files[0] if files else "", 1), "", "", "", text))
    return change(items, report, actor=actor, is_pruning=is_pruning, is_return=is_return)


def change(
    items: Items, report: Report, *, actor: str, is_pruning: bool = False,
    is_return: bool = False,
) -> list[Change]:  # fmt: skip
    """Make the database agree with entries that were read; who asks has planning.lock()."""
    database = planning.held()
    world = planning.world_of(items, database, is_pruning=is_pruning, is_return=is_return)
    planning.examine(world, report=report)
    report.refuse_if_any()
    changes = planning.plan(items, database, is_pruning=is_pruning)
    planning.judge(changes, database, report=report)
    report.refuse_if_any()
    _make_all(changes, report, actor=actor, is_return=is_return)
    report.refuse_if_any()
    for item, path, text in registry.looked_at(items):
        Say(item, report).warning(path, text)
    return changes


def _make_all(
    changes: list[Change], report: Report, *, actor: str, is_return: bool
) -> None:
    """What nothing hangs on goes first, so that nothing new is in its way or hangs on it still."""
    waiting = []
    for change in [one for one in changes if one.action is Action.DELETE]:
        if change.row is not None and not hanging_on(change.row, change.kind.record):
            _make(change, report, actor=actor, is_return=is_return)
        else:
            waiting.append(change)
    kept = [one for one in changes if one.action is not Action.DELETE]
    planning.step_aside(kept)
    for change in [*kept, *waiting]:
        _make(change, report, actor=actor, is_return=is_return)


def _make(change: Change, report: Report, *, actor: str, is_return: bool) -> None:
    store, kind, item = _Store(change.item, report, actor), change.kind, change.item
    row = change.row or (kind.make(item.value) if kind.make else kind.model())
    try:
        with transaction.atomic():
            if change.action is Action.DELETE:
                store.remove(row, kind.record, path="", instead=kind.instead)
                return
            settle = (is_return and kind.settle_return) or kind.settle
            before = kind.record.load(row, "") if settle and change.row else None
            kind.record.save(row, "", item.value)
            row.save()
            kind.record.finish(row, item.value, path="", store=store)
            refusals = settle(row, before, item.value, actor) if settle else ()
            for path, text in refusals:
                Say(item, report).error(path, text)
    except IntegrityError as error:
        text = _("expected to fit what is there: %(why)s")
        Say(item, report).error("", text % {"why": error})
    except DatabaseError as error:
        text = _("expected values the database can hold: %(why)s")
        Say(item, report).error("", text % {"why": error})


@dataclass(frozen=True, slots=True)
class _Store:
    """Removes rows of one entry, unless history hangs on them; ``actor`` is who applies."""

    item: Item
    report: Report
    actor: str

    def remove(self, row: Any, record: Record, *, path: str, instead: str = "") -> None:
        """Delete the row and what belongs to it, or report what hangs on it."""
        if hanging := hanging_on(row, record):
            text = _("cannot be removed, it still has %(hanging)s") % {"hanging": hanging}
            told = f"{text}; {_(instead)}" if instead else text
            Say(self.item, self.report).error(path, told)
            return
        record.clear(row)
        row.delete()


def _record(action: str, actor: str, files: list[str], **details: list[str]) -> None:
    told: dict[str, Any] = {
        name: lines[:MOST_TOLD_IN_AUDIT] for name, lines in details.items()
    }
    subject = ", ".join(files)[:LONGEST_SUBJECT]
    audit.record(action, actor=actor, subject=subject, **told)
