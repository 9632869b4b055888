"""What a set-up file may not change in an agreement: what was counted, approved or declared.

A counted examination keeps its buyer, its agreement, its currency and a price: without them the
tiers and the maximum value could no longer be told. A price in use is never changed: a new one is
a version of its own, from a day after what was counted. What two people approved stays what it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time

from django.db.models import QuerySet, Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from contracts import approving, options
from contracts.models import CallOff, OptionState, TermOption, UsageEvent, VolumeCounter
from contracts.naming import TAKEN_UP
from contracts.price_book import terms_of
from contracts.zone import CONTRACT_ZONE
from hub.configuration import registry
from hub.configuration.reader import Value
from hub.configuration.records import name_of

AS_NOTED = ("agreed", "reason", "value_before", "value_after")


def _counted_frameworks(old: Value, new: Value) -> Iterator[tuple[str, str]]:
    rows = VolumeCounter.objects.filter(framework__code=new["code"], quantity__gt=0)
    counted = dict(rows.values_list("algorithm__code").annotate(Sum("quantity")).order_by())
    kept = {entry["algorithm"] for entry in new["price_book"]}
    for algorithm in (code for code in counted if code not in kept):
        text = _("cannot be removed, it is the price of %(counted)s")
        yield f"price_book[{algorithm}]", text % {"counted": _examinations(counted[algorithm])}
    yield from _prices_in_use(old, new, kept=kept)
    if counted and old["currency"] != new["currency"]:
        text = _("cannot be changed: %(counted)s in %(currency)s")
        told = {"counted": _examinations(sum(counted.values())), "currency": old["currency"]}
        yield "currency", text % told
    if counted and old["valid"]["from"] != new["valid"]["from"]:
        text = _("cannot be changed: %(counted)s in contract years from %(day)s")
        told = {"counted": _examinations(sum(counted.values())), "day": old["valid"]["from"]}
        yield "valid.from", text % told


def _prices_in_use(old: Value, new: Value, *, kept: set[str]) -> Iterator[tuple[str, str]]:
    """A version in use stays as it is, and none begins before an examination that was counted."""
    before, after = _versions(old), _versions(new)
    for (algorithm, since), terms in before.items():
        if algorithm not in kept or after.get((algorithm, since)) == terms:
            continue
        if counted := _counted_since(old, algorithm, since):
            text = _("cannot be removed: %(counted)s at this price; add an entry with valid_from "
                     "for a new one")  # fmt: skip
            if (algorithm, since) in after:
                text = _("cannot be changed: %(counted)s at this price; add an entry with "
                         "valid_from for a new one")  # fmt: skip
            yield _path(algorithm, since), text % {"counted": _examinations(counted)}
    for algorithm, since in after.keys() - before.keys():
        if since and (counted := _counted_since(old, algorithm, since)):
            text = _("expected a day after the last examination, found %(found)s: %(counted)s "
                     "from then on")  # fmt: skip
            where = f"{_path(algorithm, since)}.valid_from"
            yield where, text % {"found": since, "counted": _examinations(counted)}


def _versions(value: Value) -> dict[tuple[str, str | None], tuple[str, Value]]:
    return {
        (entry["algorithm"], entry["valid_from"]): (entry["model"], terms_of(entry))
        for entry in value["price_book"] or []
    }


def _path(algorithm: str, since: str | None) -> str:
    return f"price_book[{name_of((algorithm, since))}]"


def _counted_since(framework: Value, algorithm: str, since: str | None) -> int:
    used = UsageEvent.objects.filter(
        call_off__framework__code=framework["code"], algorithm__code=algorithm
    )
    return _since(used, since).count()


def _since(used: QuerySet[UsageEvent], since: str | None) -> QuerySet[UsageEvent]:
    if since is None:
        return used
    begins = datetime.combine(date.fromisoformat(since), time.min, tzinfo=CONTRACT_ZONE)
    return used.filter(at__gte=begins)


def _counted_call_offs(old: Value, new: Value) -> Iterator[tuple[str, str]]:
    changed = [name for name in ("framework", "organisation") if old[name] != new[name]]
    if not changed:
        return
    if counted := UsageEvent.objects.filter(call_off__code=new["code"]).count():
        for name in changed:
            text = _("cannot be changed: %(counted)s for %(name)s; set state: closed, and order "
                     "anew under another code")  # fmt: skip
            yield name, text % {"counted": _examinations(counted), "name": old[name]}


def _own_prices(old: Value, new: Value) -> Iterator[tuple[str, str]]:
    """A call-off's own price that was counted at stays, and none begins before what was counted."""
    if not UsageEvent.objects.filter(call_off__code=new["code"]).exists():
        return
    if new["fixed"] is not None and (old["fixed"] or []) != new["fixed"]:
        counted = UsageEvent.objects.filter(call_off__code=new["code"]).count()
        yield "fixed", _("cannot be changed: %(counted)s") % {"counted": _examinations(counted)}
    if new["price_book"] is None:
        return
    before, after = _versions(old), _versions(new)
    for name in sorted(before.keys() | after.keys(), key=str):
        algorithm, since = name
        if before.get(name) == after.get(name):
            continue
        used = UsageEvent.objects.filter(call_off__code=new["code"], algorithm__code=algorithm)
        if counted := _since(used, since).count():
            text = _("cannot be changed: %(counted)s from its first day on; add an entry with a "
                     "later valid_from")  # fmt: skip
            yield _path(algorithm, since), text % {"counted": _examinations(counted)}


def _approved_call_offs(old: Value, new: Value) -> Iterator[tuple[str, str]]:
    """What people approved, by the fields that their approval is about."""
    row = CallOff.objects.filter(code=new["code"]).exclude(state=CallOff.State.DRAFT).first()
    if row is None or not row.approvals.filter(fingerprint=approving.fingerprint(row)).exists():
        return
    text = _("cannot be changed: two people approved it as it is; order anew under another code")
    for name in ("framework", "organisation", "mode", "lot", "supplier", "committed_value"):
        if old[name] != new[name]:
            yield name, text
    for name in ("competition", "price_book", "fixed"):
        if new[name] is not None and (old[name] or type(new[name])()) != new[name]:
            yield name, text
    if old["valid"] != new["valid"]:
        yield "valid", _("cannot be changed: two people approved it as it is; close it, or order "
                         "anew under another code")  # fmt: skip
    if _bought(old) != _bought(new):
        yield "lines", text


def _bought(call_off: Value) -> list[tuple[str, str]]:
    return sorted((line["algorithm"], line["site"]) for line in call_off["lines"] or [])


def _moved_options(old: Value, new: Value) -> Iterator[tuple[str, str]]:
    """An option goes on only as the table has it, in a file as elsewhere."""
    held = {(one["organisation"], one["role"]): one["option"] for one in old["authorities"] or []}
    said = {(one["organisation"], one["role"]): one["option"] for one in new["authorities"] or []}
    for name, before in held.items():
        path = f"authorities[{name_of(name)}].option"
        if before and (after := said.get(name)):
            yield from _moved(before, after, path)
        elif before and _stays(before, is_named=name in said):
            yield path, _("cannot be removed: it is %(state)s") % {"state": before["state"]}
    if new["term_options"] is None:
        return
    terms = {one["code"]: one for one in new["term_options"]}
    for one in old["term_options"] or []:
        path = f"term_options[{one['code']}]"
        if after := terms.get(one["code"]):
            yield from _moved(one, after, path)
        elif _stays(one):
            yield path, _("cannot be removed: it is %(state)s") % {"state": one["state"]}


def _stays(option: Value, *, is_named: bool = False) -> bool:
    """Whether an option may not be left away; a refusal only where who has it is still named."""
    return option["state"] in TAKEN_UP or (is_named and option["state"] != OptionState.DECLARED)


def _moved(before: Value, after: Value, path: str) -> Iterator[tuple[str, str]]:
    """By the state as it is today: what was to be exercised earlier has lapsed by itself."""
    seen, to = before["state"], after["state"]
    until, on = before["exercise_by"], after["exercised"] or approving.today().isoformat()
    if seen == OptionState.DECLARED and to == OptionState.EXERCISED and until and on > until:
        seen = OptionState.LAPSED.value
    if to is not None and to != seen and to not in options.MOVES[seen]:
        text = _("cannot go from %(state)s to %(wanted)s")
        yield f"{path}.state", text % {"state": seen, "wanted": to}


def _extended(old: Value, new: Value) -> Iterator[tuple[str, str]]:
    """A file of before an extension was exercised does not take it back, as if nobody had."""
    ends = new["valid"]["to"]
    if ends >= old["valid"]["to"]:
        return
    said = {one["code"] for one in new["term_options"] or [] if one["state"] is not None}
    for one in old["term_options"] or []:
        is_extension = one["kind"] == TermOption.Kind.EXTENSION and one["months"]
        if is_extension and one["state"] in TAKEN_UP and one["code"] not in said:
            text = _("expected %(last)s, to which the option %(option)s moved it, found %(found)s; "
                     "to end it earlier, say the state of the option")  # fmt: skip
            told = {"last": old["valid"]["to"], "option": one["code"], "found": ends}
            yield "valid.to", text % told
            return


def _noted_amendments(old: Value, new: Value) -> Iterator[tuple[str, str]]:
    """What was noted stays as it was noted; a description and a notice may come later."""
    if new["amendments"] is None:
        return
    said = {one["number"]: one for one in new["amendments"]}
    for one in old["amendments"] or []:
        after = said.get(one["number"])
        if after is None or any(after[name] != one[name] for name in AS_NOTED):
            yield f"amendments[{one['number']}]", _("cannot be changed: note a further one")


def _examinations(counted: int) -> str:
    text = ngettext("%(count)s examination counted", "%(count)s examinations counted", counted)
    return text % {"count": counted}


registry.guard("framework", _counted_frameworks)
registry.guard("call_off", _counted_call_offs)
registry.guard("framework", _moved_options)
registry.guard("framework", _extended)
registry.guard("framework", _noted_amendments)
registry.guard("call_off", _approved_call_offs)
registry.guard("call_off", _own_prices)
