"""Tells a model card to people: its sections with the names of the standard, apart as words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.model_cards import FIELDS, METRIC, TEXTS

# between the words of a name of an element: FairnessEquity, AISystemFacts
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a card: what it is called, and its fields with what they say."""

    name: str
    fields: tuple[tuple[str, str], ...]


def sections(card: Mapping[str, Any]) -> list[Section]:
    """The card in the order of its schema; what it says nothing of is left out."""
    found = []
    for name, fields in FIELDS.items():
        held = card.get(name)
        if not fields:
            told = [(words(name), str(held or ""))]
        else:
            told = [
                each
                for field, kind, _is_needed in fields
                if held and field in held
                for each in _told(field, held[field], kind)
            ]
        kept = tuple((field, text) for field, text in told if text.strip())
        if kept:
            found.append(Section(words(name), kept))
    return found


def words(name: str) -> str:
    """A name of an element as words: KnownRisksAndLimitations is "Known risks and limitations"."""
    parts = _WORDS.split(name)
    return " ".join([parts[0], *(one if one.isupper() else one.lower() for one in parts[1:])])


def _told(name: str, value: Any, kind: str) -> Iterator[tuple[str, str]]:
    if kind == TEXTS:
        yield words(name), ", ".join(value)
    elif kind == METRIC:
        for part, said in value.items():
            label = f"{words(name)}: {words(part).lower()}"
            yield label, _results(said) if part == "Results" else said
    elif isinstance(value, Mapping):
        for part, said in value.items():
            yield words(part), str(said)
    else:
        yield words(name), value


def _results(rows: list[dict[str, str]]) -> str:
    return "\n".join(f"{one['Label']}: {_measured(one['ValueJson'])}" for one in rows)


def _measured(text: str) -> str:
    """A result as it was measured; what is no value of the standard is told as it stands."""
    try:
        said = json.loads(text)
    except ValueError:
        return text
    if not isinstance(said, dict):
        return text
    rest = {name: held for name, held in said.items() if name != "kind"}
    if set(rest) == {"value"}:
        return str(rest["value"])
    return ", ".join(f"{words(str(name)).lower()} {held}" for name, held in rest.items())
