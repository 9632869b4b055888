"""Agreements as pricing reads them, from entries of a set-up file or from the rows of the hub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from contracts.models import FrameworkAgreement
from contracts.price_book import terms_of
from contracts.pricing import Agreement, Line, Version, price_of
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
    return Agreement(
        code=framework["code"],
        begins=begins,
        ends=ends,
        prices=_versions(framework["price_book"] or [], begins=begins),
        lines=tuple(
            line
            for call_off in call_offs
            if call_off["framework"] == framework["code"]
            for line in _lines(call_off, ends=ends)
        ),
        series={one["code"]: _values(one) for one in index_series},
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


def _lines(call_off: Value, *, ends: date) -> Iterable[Line]:
    until = (call_off["valid"] or {}).get("to")
    for line in call_off["lines"] or []:
        yield Line(
            key=line_key(call_off["code"], line["algorithm"], line["site"]),
            call_off=call_off["code"],
            organisation=call_off["organisation"],
            algorithm=line["algorithm"],
            site=line["site"],
            activated=date.fromisoformat(line["activated"]),
            ends=min(ends, date.fromisoformat(until)) if until else ends,
        )


def _values(series: Value) -> Mapping[date, Decimal]:
    return {
        date.fromisoformat(f"{one['month']}-01"): Decimal(one["value"])
        for one in series["values"] or []
    }
