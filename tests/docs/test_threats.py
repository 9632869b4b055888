"""Every threat on the page of threats is met by a test that is there."""

from __future__ import annotations

import re

from tests.docs import pages

PAGE = "docs/explanation/security.md"
DOORS = (
    "## The DICOM listener", "## The HL7 listener", "## The pages and the API",
    "## Health and metrics", "## Set-up file and commands", "## Algorithms and what they return",
    "## At rest", "## What goes out", "## Logs",
)  # fmt: skip


def threats() -> list[list[str]]:
    return [row for door in DOORS for row in pages.rows(pages.section(PAGE, door))]


def tests_there_are() -> set[str]:
    defined = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)
    files = (pages.ROOT / "tests").rglob("test_*.py")
    return {name for file in files for name in defined.findall(file.read_text("utf-8"))}


def test_every_threat_has_a_letter_and_a_test_that_is_there() -> None:
    known = tests_there_are()
    assert len(threats()) >= 40
    for letter, threat, _means, shown in threats():
        named = re.findall(r"`(test_\w+)`", shown)
        assert letter in "STRIDE", threat
        assert named, threat
        assert [name for name in named if name not in known] == [], threat


def test_every_door_of_the_page_is_looked_at() -> None:
    told = re.findall(r"^## .+$", pages.prose(PAGE), re.MULTILINE)
    assert told == [*DOORS, "## What is left to who runs it"]
