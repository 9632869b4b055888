"""What a set-up file may not change in an agreement: what was counted, approved or declared.

A counted examination keeps its buyer, its agreement, its currency and a price: without them the
tiers and the maximum value could no longer be told. What two people approved stays what it was.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Sum

from contracts import approving, options
from contracts.models import CallOff, OptionState, UsageEvent, VolumeCounter
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


def _approved_call_offs(old: Value, new: Value) -> Iterator[tuple[str, str]]:
    """What people approved, by the fields that their approval is about."""
    row = CallOff.objects.filter(code=new["code"]).exclude(state=CallOff.State.DRAFT).first()
    if row is None or not row.approvals.filter(fingerprint=approving.fingerprint(row)).exists():
        return
    text = "cannot be changed: two people approved it as it is"
    for name in ("framework", "organisation", "mode", "lot", "supplier", "committed_value"):
        if old[name] != new[name]:
            yield name, f"{text}; order anew under another code"
    if old["valid"] != new["valid"]:
        yield "valid", f"{text}; close it, or order anew under another code"
    if _bought(old) != _bought(new):
        yield "lines", f"{text}; order anew under another code"


def _bought(call_off: Value) -> list[tuple[str, str]]:
    return sorted((line["algorithm"], line["site"]) for line in call_off["lines"] or [])


def _moved_options(old: Value, new: Value) -> Iterator[tuple[str, str]]:
    """An option goes on only as the table has it, in a file as elsewhere."""
    held = {(one["organisation"], one["role"]): one["option"] for one in old["authorities"] or []}
    for one in new["authorities"] or []:
        before = held.get((one["organisation"], one["role"]))
        path = f"authorities[{one['organisation']}/{one['role']}].option"
        if before and one["option"]:
            yield from _moved(before, one["option"], path)
        elif before and before["state"] != OptionState.DECLARED:
            yield path, f"cannot be removed: it is {before['state']}"
    terms = {one["code"]: one for one in old["term_options"] or []}
    for one in new["term_options"] or []:
        if before := terms.get(one["code"]):
            yield from _moved(before, one, f"term_options[{one['code']}]")


def _moved(before: Value, after: Value, path: str) -> Iterator[tuple[str, str]]:
    seen, to = before["state"], after["state"]
    if to is not None and to != seen and to not in options.MOVES[seen]:
        yield f"{path}.state", f"cannot go from {seen} to {to}"


def _cannot_change(counted: int, where: str) -> str:
    return f"cannot be changed: {_examinations(counted)} {where}"


def _examinations(counted: int) -> str:
    return f"{counted} examination{'' if counted == 1 else 's'} counted"


registry.guard("framework", _counted_frameworks)
registry.guard("call_off", _counted_call_offs)
registry.guard("framework", _moved_options)
registry.guard("call_off", _approved_call_offs)
