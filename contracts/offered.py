"""The prices with which a mini-competition was won, as a call-off that follows from it has them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from contracts import competed, competing
from contracts.models import (
    CallOff,
    CallOffAmount,
    CallOffPrice,
    FrameworkAgreement,
    Procedure,
    Submission,
)
from contracts.own_prices import AMOUNT, OF_THE_AGREEMENT, above, ceiling_of, told
from contracts.price_book import ENTRY, examine_entry, terms_of
from contracts.pricing import price_of
from contracts.pricing.ceilings import excess
from contracts.zone import CONTRACT_ZONE
from hub.configuration import entries
from hub.configuration.document import parse
from hub.configuration.problems import Place, Report
from hub.configuration.reader import Item, Reader, Value
from hub.configuration.registry import Say
from hub.configuration.shapes import amount_text

Problem = tuple[str, str]
NAMES = ("price_book", "fixed")


@dataclass(frozen=True, slots=True)
class Offered:
    """By algorithm the prices of the items that it meets, each once; and the fixed amounts.

    ``unread`` are algorithms whose price no price book can hold.
    """

    prices: Mapping[str, tuple[Value, ...]]
    fixed: tuple[Value, ...]
    unread: frozenset[str] = field(default_factory=frozenset)


def by_the_winner(competition: Procedure) -> Offered | None:
    """What the winning tender offers; None where it was not handed in here."""
    won = competed.winning_tender(competition)
    if won is None or not competed.won_with(competition):
        return None
    prices: dict[str, tuple[Value, ...]] = {}
    unread = set()
    for line in (won.offer or {}).get("lines") or []:
        algorithm = competed.met_with(line)
        entry, problems = entry_of(line)
        if problems:
            unread.add(algorithm)
        elif entry not in prices.get(algorithm, ()):
            prices[algorithm] = (*prices.get(algorithm, ()), entry)
    return Offered(prices, tuple(_amounts(won)), frozenset(unread))


def entry_of(line: Mapping[str, Any]) -> tuple[Value, list[Problem]]:
    """The entry of a price book that a line of an offer is, and what is wrong with it."""
    said = {name: held for name, held in line.items() if name != "item" and held is not None}
    said["algorithm"] = competed.met_with(line)
    report = Report()
    node = parse(json.dumps(said).encode(), name="", report=report)
    value = ENTRY.read(node, Reader(report, "", "", Path(os.devnull))) if node else None
    if value is not None and not report.problems:
        say = Say(Item("", "", value, Place("", 0)), report)
        examine_entry(value, "", say)
        for name in ("valid_from", *OF_THE_AGREEMENT):
            if value[name]:
                say.error(name, _("expected nothing: that of the agreement holds"))
    found = [(one.field.lstrip("."), one.text) for one in report.problems]
    return value or {}, found


def problems_of(competition: Procedure, offer: Mapping[str, Any]) -> Iterator[Problem]:
    """What keeps an offer from being the price of a call-off, known before it is sealed."""
    framework = competition.framework
    if competition.kind != competed.KIND or framework is None:
        return
    agreed, first = entries.value_of("framework", framework), _first_days(competition)
    known: dict[str, Value] = {}
    for index, line in enumerate(offer.get("lines") or []):
        path = f"offer.lines[{index}]"
        entry, problems = entry_of(line)
        yield from ((f"{path}.{name}" if name else path, text) for name, text in problems)
        if problems:
            continue
        if known.setdefault(entry["algorithm"], entry) != entry:
            text = _("expected one price of %(algorithm)s, whatever items it meets")
            yield path, text % {"algorithm": entry["algorithm"]}
        on = first.get(str(line["item"])) or _today()
        if _is_binding(framework) and (text := _above(entry, agreed, on=on)):
            yield path, text
    if _is_binding(framework) and any(Decimal(one["amount"]) for one in offer.get("fixed") or []):
        text = _("expected nothing beside the prices of %(framework)s")
        yield "offer.fixed", text % {"framework": framework.code}


def said_of(call_off: CallOff) -> dict[str, list[Value]]:
    """``price_book`` and ``fixed`` of a call-off: its own, or as long as it is a draft those that
    its competition was won with. Nothing of what it has none of.
    """
    if call_off.mode == CallOff.Mode.DIRECT:
        return {}
    own = entries.value_of("call_off", call_off)
    found = {name: own[name] for name in NAMES if own[name]}
    if found or call_off.state != CallOff.State.DRAFT or (
        competition := competing.of(call_off)
    ) is None:
        return found
    offered = by_the_winner(competition)
    if offered is None:
        return {}
    bought = set(call_off.lines.values_list("algorithm__code", flat=True))
    book = [
        said[0] for algorithm, said in sorted(offered.prices.items())
        if algorithm in bought and len(said) == 1 and algorithm not in offered.unread
    ]  # fmt: skip
    found = {"price_book": book, "fixed": list(offered.fixed)}
    return {name: held for name, held in found.items() if held}


def faults_of(call_off: CallOff) -> Iterator[str]:
    """What keeps its prices from being approved, each a sentence that begins with its field."""
    said = said_of(call_off)
    competition = competing.of(call_off)
    offered = by_the_winner(competition) if competition else None
    if competition and offered:
        yield from _not_as_offered(call_off, competition, offered, said)
    if _is_binding(call_off.framework):
        yield from above_the_agreement(call_off)


def above_the_agreement(call_off: CallOff) -> Iterator[str]:
    """Where a price of the call-off is above the agreement's, each a sentence with its field."""
    said = said_of(call_off)
    if not said:
        return
    framework = entries.value_of("framework", call_off.framework)
    value = entries.value_of("call_off", call_off) | dict.fromkeys(NAMES) | said
    algorithms = {
        f"price_book[{index}]": one["algorithm"]
        for index, one in enumerate(said.get("price_book", ()))
    }
    for path, text in above(value, framework):
        about = f"{algorithms[path]}: " if path in algorithms else ""
        yield f"{path.partition('[')[0]}: {about}{text}."


def write_down(call_off: CallOff) -> None:
    """Let the prices of a draft that is approved be its own from now on."""
    said = said_of(call_off)
    if not call_off.price_book.exists():
        for value in said.get("price_book", ()):
            row = CallOffPrice(call_off=call_off)
            ENTRY.save(row, "", value)
            row.save()
    if not call_off.fixed.exists():
        for value in said.get("fixed", ()):
            amount = CallOffAmount(call_off=call_off)
            AMOUNT.save(amount, "", value)
            amount.save()


def _not_as_offered(
    call_off: CallOff, competition: Procedure, offered: Offered, said: dict[str, list[Value]]
) -> Iterator[str]:
    """Each algorithm that is bought has a price with which it was offered, and no other."""
    told = {"competition": competition.code}
    book = {one["algorithm"]: one for one in said.get("price_book", ())}
    for algorithm in sorted(set(call_off.lines.values_list("algorithm__code", flat=True))):
        wanted = offered.prices.get(algorithm, ())
        if wanted and algorithm not in book:
            text = _("price_book: expected which of the prices of %(algorithm)s that were offered "
                     "in %(competition)s holds.")  # fmt: skip
            yield text % (told | {"algorithm": algorithm})
        elif wanted and not any(_is_same(book[algorithm], one) for one in wanted):
            text = _("price_book: expected the price with which %(algorithm)s was offered in "
                     "%(competition)s.")  # fmt: skip
            yield text % (told | {"algorithm": algorithm})
    fixed = sorted((one["name"], one["amount"], one["per"]) for one in said.get("fixed", ()))
    if fixed != sorted((one["name"], one["amount"], one["per"]) for one in offered.fixed):
        yield _("fixed: expected the amounts that were offered in %(competition)s.") % told


def _is_same(one: Value, other: Value) -> bool:
    return (one["model"], terms_of(one)) == (other["model"], terms_of(other))


def _above(entry: Value, framework: Value, *, on: str) -> str:
    most = ceiling_of(framework, entry["algorithm"], on=on)
    found = most and excess(price_of(entry["model"], terms_of(entry)), most)
    return told(found, framework=framework["code"]) if found else ""


def _is_binding(framework: FrameworkAgreement) -> bool:
    return framework.ceilings == FrameworkAgreement.Ceilings.BINDING


def _first_days(competition: Procedure) -> dict[str, str]:
    """When use of each item begins, as it was published (ISO)."""
    model = competition.evaluation_model
    return {one["item"]: one["start"] for one in model.scenario} if model else {}


def _today() -> str:
    return timezone.now().astimezone(CONTRACT_ZONE).date().isoformat()


def _amounts(won: Submission) -> Iterator[Value]:
    """The fixed amounts; two of one name are one each."""
    names: dict[str, int] = {}
    for one in (won.offer or {}).get("fixed") or []:
        count = names[one["name"]] = names.get(one["name"], 0) + 1
        name = one["name"] if count == 1 else f"{one['name'][:190]} ({count})"
        yield {"name": name, "amount": amount_text(Decimal(one["amount"])), "per": one["per"]}
