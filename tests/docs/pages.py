"""The documentation as data: its pages, their headings, links, tables and blocks of code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language and its text."""

    language: str
    text: str


def pages() -> list[Path]:
    """Every Markdown page of the project."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    return sorted(found)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def text_of(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def blocks(path: str) -> list[Block]:
    return [Block(*match.groups()) for match in _FENCE.finditer(text_of(path))]


def prose(path: str) -> str:
    """The page without its blocks of code."""
    return _FENCE.sub("", text_of(path))


def links(path: str) -> list[str]:
    return _LINK.findall(prose(path))


def anchors(path: str) -> set[str]:
    """The anchors of a page's headings, made as the usual renderers make them."""
    return {_anchor(heading) for heading in _HEADING.findall(prose(path))}


def section(path: str, heading: str) -> str:
    """The text below a heading, up to the next one of its own level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    after = prose(path).split(f"\n{heading}\n", 1)[1]
    return re.split(rf"^#{{1,{level}}} ", after, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The rows of all tables in a text, without their heads; each a list of cells."""
    found: list[list[str]] = []
    lines = text.splitlines()
    for place, line in enumerate(lines):
        is_rule = re.fullmatch(r"\|(?:-+\|)+", line)
        is_head = place + 1 < len(lines) and re.fullmatch(r"\|(?:-+\|)+", lines[place + 1])
        if line.startswith("|") and not is_rule and not is_head:
            cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
            found.append([cell.strip() for cell in cells])
    return found


def first_cells(text: str) -> list[str]:
    """The first cell of each row, without the marks of code."""
    return [row[0].strip("`") for row in rows(text)]


def _anchor(heading: str) -> str:
    plain = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
    return plain.replace(" ", "-")
