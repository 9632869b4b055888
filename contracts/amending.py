"""What a set-up file may not change in an agreement once examinations were counted under it.

A counted examination keeps its buyer, its agreement, its currency and a price: without them the
tiers and the maximum value could no longer be told.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Sum

from contracts.models import UsageEvent, VolumeCounter
from hub.configuration import registry
from hub.configuration.reader import Value


def _counted_frameworks(old: Value, new: Value) -> Iterator[tuple[str, str]]:
    rows = VolumeCounter.objects.filter(framework__code=new["code"], quantity__gt=0)
    counted = dict(rows.values_list("algorithm__code").annotate(Sum("quantity")).order_by())
    kept = {entry["algorithm"] for entry in new["price_book"]}
    for algorithm in (code for code in counted if code not in kept):
        what = f"cannot be removed, it is the price of {_examinations(counted[algorithm])}"
        yield f"price_book[{algorithm}]", what
    if counted and old["currency"] != new["currency"]:
        yield "currency", _cannot_change(sum(counted.values()), f"in {old['currency']}")
    if counted and old["valid"]["from"] != new["valid"]["from"]:
        where = f"in contract years from {old['valid']['from']}"
        yield "valid.from", _cannot_change(sum(counted.values()), where)


def _counted_call_offs(old: Value, new: Value) -> Iterator[tuple[str, str]]:
    changed = [name for name in ("framework", "organisation") if old[name] != new[name]]
    if not changed:
        return
    if counted := UsageEvent.objects.filter(call_off__code=new["code"]).count():
        for name in changed:
            text = _cannot_change(counted, f"for {old[name]}")
            yield name, f"{text}; set state: closed, and order anew under another code"


def _cannot_change(counted: int, where: str) -> str:
    return f"cannot be changed: {_examinations(counted)} {where}"


def _examinations(counted: int) -> str:
    return f"{counted} examination{'' if counted == 1 else 's'} counted"


registry.guard("framework", _counted_frameworks)
registry.guard("call_off", _counted_call_offs)
