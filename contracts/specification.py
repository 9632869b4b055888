"""Versions of requirements as plain values: their digest, and what changed between two. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FIELDS = (
    "code", "parent", "group", "kind", "text", "text_no", "rationale", "answer_type", "choices",
    "criterion", "max_points", "min_points", "needs_document", "source", "supersedes",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs; ``words`` marks a text: (sign, words) with sign =, - or +."""

    field: str
    before: Any
    after: Any
    words: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of one requirement: added, removed or changed."""

    code: str
    what: str
    changes: tuple[Change, ...] = ()
    text: str = ""


def plain(row: Any) -> dict[str, Any]:
    """A requirement as JSON; amounts as text."""
    value = {name: getattr(row, name) for name in FIELDS}
    for name in ("max_points", "min_points"):
        value[name] = None if value[name] is None else f"{value[name]:.2f}"
    return value


def difference(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> list[Difference]:
    """What changed, in the order of the codes; a renamed one is known by ``supersedes``."""
    old, new = ({one["code"]: one for one in some} for some in (before, after))
    renamed = {
        one["supersedes"]: code
        for code, one in new.items()
        if one["supersedes"] in old and one["supersedes"] not in new
    }
    found = []
    for code in sorted(old.keys() | new.keys()):
        if code in renamed:
            continue
        earlier = old.get(code) or old.get(new[code]["supersedes"])
        if code not in new:
            found.append(Difference(code, "removed", text=old[code]["text"]))
        elif earlier is None:
            found.append(Difference(code, "added", text=new[code]["text"]))
        elif changes := _changes(earlier, new[code]):
            found.append(Difference(code, "changed", changes, new[code]["text"]))
    return found


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    return tuple(
        Change(name, before[name], after[name], _words(before[name], after[name]))
        for name in FIELDS
        if before[name] != after[name]
    )


def _words(before: Any, after: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(before, str) or not isinstance(after, str):
        return ()
    old, new = before.split(), after.split()
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    found = []
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "equal":
            found.append(("=", " ".join(old[i:j])))
            continue
        found += [("-", " ".join(old[i:j]))] if j > i else []
        found += [("+", " ".join(new[k:m]))] if m > k else []
    return tuple(found)
