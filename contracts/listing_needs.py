"""Writes lists of needs and value models as a whole."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from contracts.models import BreadthRule, Need, NeedList, ValueModel, ValueParameter
from hub import audit


@transaction.atomic
def write(
    row: NeedList | None,
    *,
    needs: list[dict[str, Any]],
    breadth: list[dict[str, Any]],
    by: Any,
    **fields: Any,
) -> NeedList:
    """Make a list, or write one anew; the runs keep what they were made from."""
    row = row or NeedList()
    _set(row, fields)
    row.needs.all().delete()
    row.breadth.all().delete()
    Need.objects.bulk_create(Need(need_list=row, **one) for one in needs)
    BreadthRule.objects.bulk_create(BreadthRule(need_list=row, **one) for one in breadth)
    audit.record("need_list_written", actor=by, subject=row.code, needs=len(needs))
    return row


@transaction.atomic
def write_value_model(
    row: ValueModel | None, *, parameters: list[dict[str, Any]], by: Any, **fields: Any
) -> ValueModel:
    """Make a value model, or write one anew; runs and measurements stay."""
    row = row or ValueModel()
    _set(row, fields)
    row.parameters.all().delete()
    ValueParameter.objects.bulk_create(ValueParameter(model=row, **one) for one in parameters)
    audit.record("value_model_written", actor=by, subject=row.code, parameters=len(parameters))
    return row


def _set(row: NeedList | ValueModel, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        setattr(row, name, value)
    row.save()
    row.refresh_from_db()
