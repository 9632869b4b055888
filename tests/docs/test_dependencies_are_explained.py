"""Every pinned package is on the page of dependencies, and none that is not pinned."""

from __future__ import annotations

import re

from tests.docs import pages

PAGE = "docs/explanation/dependencies.md"


def _plain(name: str) -> str:
    """PEP 503: one spelling for each package."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _pinned() -> set[str]:
    lines = "\n".join(
        pages.text_of(file)
        for file in (
            "requirements.txt",
            "requirements-dev.txt",
            "examples/algorithms/requirements.txt",
        )
    )
    return {_plain(name) for name in re.findall(r"^([\w.-]+)(?:\[\w+\])?==", lines, re.MULTILINE)}


def _explained() -> set[str]:
    rows = [
        *(row[0] for row in pages.rows(pages.section(PAGE, "## At run time"))),
        *(row[0] for row in pages.rows(pages.section(PAGE, "## For development"))),
        *(row[1] for row in pages.rows(pages.section(PAGE, "## What those need"))),
    ]
    return {_plain(name.strip()) for row in rows for name in row.split(",")}


def test_every_pinned_package_is_explained_and_no_other() -> None:
    # The page calls two by the name that people know.
    known_as = {"django 5-2": "django", "django rest framework": "djangorestframework"}
    assert {known_as.get(name, name) for name in _explained()} == _pinned()
    assert len(_pinned()) > 60
