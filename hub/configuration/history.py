"""What hangs on a row, so that nothing is removed from under it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.db import models

from hub.configuration import registry
from hub.configuration.records import Record, owned_models


def hanging_on(row: models.Model, record: Record) -> str:
    """What hangs on the row and the rows below it: "214 studies, 3 messages", or nothing.

    Rows that ``record`` itself owns do not count, nor do those registered as disposable. A row
    that would lose its reference (SET NULL) counts like one that would go with it.
    """
    counts = _counted(row, owned_models(record))
    return ", ".join(
        f"{count} {label[0] if count == 1 else label[1]}" for label, count in sorted(counts.items())
    )


def _counted(row: models.Model, owned: frozenset[type[models.Model]]) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    relations: Any = row._meta.get_fields(include_hidden=True)
    for relation in filter(_points_here, relations):
        model = relation.related_model
        rows = model._base_manager.filter(**{relation.field.name: row.pk})
        if model in owned:
            for child in rows:
                counts += _counted(child, owned)
        elif count := rows.count():
            counts[_names(model)] += count
    return counts


def _names(model: Any) -> tuple[str, str]:
    """One of them, many of them: Django's own plural of study is studys."""
    one, many = str(model._meta.verbose_name), str(model._meta.verbose_name_plural)
    is_guessed = many == f"{one}s" and one.endswith("y") and one[-2:-1] not in "aeiou"
    return one, f"{one[:-1]}ies" if is_guessed else many


def _points_here(relation: Any) -> bool:
    """Whether the field is the far end of a foreign key of another model that holds history."""
    is_far_end = relation.auto_created and not relation.concrete
    return bool(
        is_far_end
        and (relation.one_to_many or relation.one_to_one)
        and not registry.is_disposable(relation.related_model)
    )
