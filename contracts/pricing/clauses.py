"""Reads the clauses of a price: index, minimum and cap, fee, service level, outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from contracts.pricing import words
from contracts.pricing.money import ONE, ZERO
from contracts.pricing.periods import Length
from contracts.pricing.terms import (
    Adjustment,
    Band,
    Commitment,
    Fee,
    Indexation,
    Outcome,
    Scope,
    ServiceLevel,
)
from contracts.pricing.words import Terms

SERVICE_TERMS = {"cap", "late", "late_after_seconds", "availability", "failed"}


def indexation(item: Any, *, where: str) -> Indexation:
    """The adjustments are listed, or the one there is stands beside the base month."""
    item = words.known(
        item,
        {
            "series", "base_month", "ref_month", "effective", "adjustments", "share", "cap",
            "floor", "decimals",
        },
        where=where,
    )  # fmt: skip
    series = item.get("series")
    if not isinstance(series, str) or not series:
        raise words.unlike(_("the code of a series"), series, where=f"{where}.series")
    found = Indexation(
        series=series,
        base_month=words.month(item.get("base_month"), where=f"{where}.base_month"),
        adjustments=_adjustments(item, where=where),
        share=words.percentage(item.get("share", "100%"), where=f"{where}.share"),
        cap=_percentage(item, "cap", where=where),
        floor=_percentage(item, "floor", where=where),
        decimals=words.whole(item.get("decimals", 2), least=0, where=f"{where}.decimals"),
    )
    if found.cap is not None and found.cap < -ONE:  # prices would fall below nothing
        raise words.unlike(_("-100 percent or more"), item["cap"], where=f"{where}.cap")
    if found.cap is not None and found.floor is not None and found.cap < found.floor:
        text = _("expected the floor of %(floor)s or more")
        raise words.refused(f"{where}.cap", text % {"floor": item["floor"]})
    return found


def _adjustments(item: Terms, *, where: str) -> tuple[Adjustment, ...]:
    listed = words.listed(item, "adjustments", where=f"{where}.")
    if ("ref_month" in item or "effective" in item) and listed:
        raise words.refused(f"{where}.adjustments", _("expected either these or ref_month"))
    if not listed:
        return (_adjustment({n: item.get(n) for n in ("effective", "ref_month")}, where=where),)
    found = [_adjustment(one, where=f"{where}.adjustments[{n}]") for n, one in enumerate(listed)]
    if len({one.effective for one in found}) < len(found):
        raise words.refused(f"{where}.adjustments", _("expected each day once"))
    return tuple(found)


def _adjustment(item: Any, *, where: str) -> Adjustment:
    item = words.known(item, {"effective", "ref_month"}, where=where)
    effective = words.day(item.get("effective"), where=f"{where}.effective")
    return Adjustment(effective, words.month(item.get("ref_month"), where=f"{where}.ref_month"))


def commitment(item: Any, *, where: str) -> Commitment:
    """An amount for a contract year, or a mapping that says for which period and for whom."""
    if isinstance(item, str):
        return Commitment(words.money(item, where=where))
    item = words.known(item, {"amount", "period", "scope", "prorate"}, where=where)
    scope = item.get("scope")
    return Commitment(
        words.money(item.get("amount"), where=f"{where}.amount"),
        words.word(item.get("period", "contract_year"), Length, where=f"{where}.period"),
        None if scope is None else words.word(scope, Scope, where=f"{where}.scope"),
        words.flag(item.get("prorate", True), where=f"{where}.prorate"),
    )


def fee(item: Any, *, where: str) -> Fee:
    """A fixed amount per line, call-off, authority or framework."""
    item = words.known(item, {"amount", "period", "per", "prorate"}, where=where)
    per = item.get("per", "line")
    return Fee(
        words.money(item.get("amount"), where=f"{where}.amount"),
        words.word(item.get("period", "contract_year"), Length, where=f"{where}.period"),
        None if per == "line" else words.word(per, Scope, where=f"{where}.per"),
        words.flag(item.get("prorate", True), where=f"{where}.prorate"),
    )


def service_level(item: Any, *, where: str) -> ServiceLevel:
    """Credits for what is late, failed or not available, and their cap."""
    item = words.known(item, SERVICE_TERMS, where=where)
    return ServiceLevel(
        words.share(item.get("cap", "100%"), where=f"{where}.cap"),
        words.share(item.get("late", "0%"), where=f"{where}.late"),
        _bands(item, "availability", bound="below", where=where),
        _bands(item, "failed", bound="above", where=where),
        _seconds(item, where=where),
    )


def _seconds(item: Terms, *, where: str) -> int | None:
    if "late_after_seconds" not in item:
        return None
    return words.whole(item["late_after_seconds"], least=1, where=f"{where}.late_after_seconds")


def _bands(item: Terms, name: str, *, bound: str, where: str) -> tuple[Band, ...]:
    bands = []
    for n, one in enumerate(words.listed(item, name, where=f"{where}.")):
        here = f"{where}.{name}[{n}]"
        band = words.known(one, {bound, "credit"}, where=here)
        limit = words.share(band.get(bound, ""), where=f"{here}.{bound}")
        bands.append(Band(limit, words.share(band.get("credit", ""), where=f"{here}.credit")))
    return tuple(bands)


def outcome(item: Any, *, where: str) -> Outcome:
    """What is measured, the target, and how far the charge follows it."""
    item = words.known(
        item,
        {"kpi", "target", "slope", "bonus_cap", "malus_cap", "min_n", "confidence"},
        where=where,
    )
    kpi = item.get("kpi")
    if not isinstance(kpi, str) or not kpi:
        raise words.unlike(_("what is measured"), kpi, where=f"{where}.kpi")
    target = words.share(item.get("target", ""), where=f"{where}.target")
    confidence = words.share(item.get("confidence", "95%"), where=f"{where}.confidence")
    if target == ZERO:
        raise words.unlike(_("more than 0 percent"), item["target"], where=f"{where}.target")
    if not ZERO < confidence < ONE:
        what = _("more than 0 and less than 100 percent")
        raise words.unlike(what, item["confidence"], where=f"{where}.confidence")
    return Outcome(
        kpi,
        target,
        words.number(item.get("slope"), where=f"{where}.slope"),
        words.share(item.get("bonus_cap", "0%"), where=f"{where}.bonus_cap"),
        words.share(item.get("malus_cap", "0%"), where=f"{where}.malus_cap"),
        words.whole(item.get("min_n", 0), least=0, where=f"{where}.min_n"),
        confidence,
    )


def _percentage(item: Terms, name: str, *, where: str) -> Decimal | None:
    return words.percentage(item[name], where=f"{where}.{name}") if name in item else None


CLAUSES: Mapping[str, Callable[..., Any]] = {
    "indexation": indexation,
    "minimum": commitment,
    "cap": commitment,
    "fee": fee,
    "sla": service_level,
    "outcome": outcome,
}
