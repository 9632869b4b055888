"""Agreements as pricing reads them, from entries of a set-up file or from the rows of the hub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from contracts.models import FrameworkAgreement
from contracts.own_prices import group_of
from contracts.price_book import terms_of
from contracts.pricing import Agreement, FixedAmount, Line, Price, Version, price_of
from contracts.zone import CONTRACT_ZONE
from hub.configuration import registry
from hub.configuration.reader import Value

# What these have was used and is paid for; a draft or a cancelled one buys nothing.
BOUGHT = frozenset({"active", "closed"})


def agreement_of(
    framework: Value, *, call_offs: Iterable[Value], index_series: Iterable[Value]
) -> Agreement:
    """The agreement of a framework's entry with the call-offs under it, and what they follow.

    Raises PriceTermsError where a price cannot be read.
    """
    valid = framework["valid"]
    begins, ends = date.fromisoformat(valid["from"]), date.fromisoformat(valid["to"])
    prices = dict(_versions(framework["price_book"] or [], begins=begins))
    bought = [one for one in call_offs if one["framework"] == framework["code"]]
    for call_off in bought:
        own = _versions(call_off.get("price_book") or [], begins=begins)
        for algorithm, versions in own.items():
            name = _own(call_off, algorithm)
            prices[name] = _under_the_agreement(versions, prices.get(algorithm, ()))
    return Agreement(
        code=framework["code"],
        begins=begins,
        ends=ends,
        prices=prices,
        lines=tuple(line for one in bought for line in _lines(one, ends=ends)),
        series={one["code"]: _values(one) for one in index_series},
        fixed=tuple(_fixed(bought)),
    )


def agreement_held(framework: FrameworkAgreement) -> Agreement:
    """The agreement as the rows have it, with the call-offs that were bought under it."""
    kinds = {name: registry.kind(name) for name in ("framework", "call_off", "index_series")}
    rows = framework.call_offs.filter(state__in=BOUGHT).order_by("pk")
    call_offs = [kinds["call_off"].record.load(row, "") or {} for row in rows]
    series = [value for _, value in kinds["index_series"].held().values()]
    value = kinds["framework"].record.load(framework, "") or {}
    return agreement_of(value, call_offs=call_offs, index_series=series)


def line_key(call_off: str, algorithm: str, site: str) -> str:
    """What usage names a line of a call-off by, by the codes of the three."""
    return f"{call_off}/{algorithm}/{site}"


def _versions(entries: Iterable[Value], *, begins: date) -> Mapping[str, tuple[Version, ...]]:
    versions: dict[str, tuple[Version, ...]] = {}
    for entry in entries:
        since = date.fromisoformat(entry["valid_from"]) if entry["valid_from"] else begins
        version = Version(since, price_of(entry["model"], terms_of(entry)))
        versions[entry["algorithm"]] = (*versions.get(entry["algorithm"], ()), version)
    return versions


def _under_the_agreement(
    own: Iterable[Version], agreed: Iterable[Version]
) -> tuple[Version, ...]:
    """The versions of a call-off's own price, with what the agreement says of its service."""
    own, agreed = list(own), list(agreed)
    first = min(one.valid_from for one in own)
    turns = {one.valid_from for one in (*own, *agreed) if one.valid_from >= first}
    found = []
    for day in sorted(turns):
        price, held = _on(own, day), _on(agreed, day)
        if price is not None and held is not None:
            fraction = price.customer_fault or held.customer_fault
            price = replace(price, sla=held.sla, outcome=held.outcome, customer_fault=fraction)
        if price is not None:
            found.append(Version(day, price))
    return tuple(found)


def _on(versions: Iterable[Version], day: date) -> Price | None:
    """The price of the newest version by then."""
    known = [one for one in versions if one.valid_from <= day]
    return max(known, key=lambda one: one.valid_from).price if known else None


def _own(call_off: Value, algorithm: str) -> str:
    """The name of a price that only the call-offs of one competition, or one alone, have."""
    return f"{group_of(call_off)}/{algorithm}"


def _fixed(bought: Iterable[Value]) -> Iterable[FixedAmount]:
    """The fixed amounts of each competition or call-off, those of one sort together."""
    lines: dict[str, set[str]] = {}
    amounts: dict[tuple[str, bool], dict[str, Decimal]] = {}
    for call_off in bought:
        for one in call_off.get("fixed") or []:
            group = group_of(call_off)
            lines.setdefault(group, set()).update(
                line_key(call_off["code"], line["algorithm"], line["site"])
                for line in call_off["lines"] or []
            )
            sort = (group, one["per"] == "year")
            amounts.setdefault(sort, {})[one["name"]] = Decimal(one["amount"])
    for (group, is_yearly), by_name in sorted(amounts.items()):
        total = sum(by_name.values(), Decimal("0.00"))
        yield FixedAmount(", ".join(sorted(by_name)), total, is_yearly, frozenset(lines[group]))


def _lines(call_off: Value, *, ends: date) -> Iterable[Line]:
    ends = min(_last_days(call_off, ends=ends))
    own = {entry["algorithm"] for entry in call_off.get("price_book") or []}
    for line in call_off["lines"] or []:
        yield Line(
            key=line_key(call_off["code"], line["algorithm"], line["site"]),
            call_off=call_off["code"],
            organisation=call_off["organisation"],
            algorithm=line["algorithm"],
            site=line["site"],
            activated=date.fromisoformat(line["activated"]),
            ends=ends,
            price=_own(call_off, line["algorithm"]) if line["algorithm"] in own else "",
        )


def _last_days(call_off: Value, *, ends: date) -> Iterable[date]:
    """The last day that was agreed, which may be one after the agreement's, and the day on which
    it was closed: no fee goes on after it.
    """
    yield date.fromisoformat(until) if (until := (call_off["valid"] or {}).get("to")) else ends
    if closed := call_off.get("closed_at"):  # which no snapshot of before has
        yield datetime.fromisoformat(closed).astimezone(CONTRACT_ZONE).date()


def _values(series: Value) -> Mapping[date, Decimal]:
    return {
        date.fromisoformat(f"{one['month']}-01"): Decimal(one["value"])
        for one in series["values"] or []
    }
