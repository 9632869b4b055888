"""Every link within the documentation leads somewhere, and the pages tell nothing of a machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs import pages

PAGES = pages.pages()


@pytest.mark.parametrize("page", PAGES, ids=pages.name_of)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    lost = []
    for link in pages.links(pages.name_of(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or anchor and anchor not in pages.anchors(pages.name_of(target)):
            lost.append(link)
    assert lost == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [pages.ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        for link in pages.links(pages.name_of(page)):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.exists():
                waiting.append(target)
    docs = {page for page in PAGES if "examples" not in page.parts}
    assert sorted(map(pages.name_of, docs - reached)) == []


@pytest.mark.parametrize("page", PAGES, ids=pages.name_of)
def test_no_page_names_a_path_of_the_machine_it_was_written_on(page: Path) -> None:
    assert re.findall(r"(?:/work|/tmp|/home|/root)/\w\S*", page.read_text("utf-8")) == []
