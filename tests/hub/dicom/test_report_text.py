"""What a returned report may say, at whatever depth."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from hub.dicom.report_text import reason_against_text


def report(text: str = "", *, meaning: str = "Finding", depth: int = 0) -> Dataset:
    code = Dataset()
    code.CodeMeaning = meaning
    item = Dataset()
    item.TextValue, item.ConceptNameCodeSequence = text, [code]
    for _ in range(depth + 1):
        around = Dataset()
        around.ContentSequence = [item]
        item = around
    return item


@pytest.mark.parametrize(
    "text",
    ["<5 mm", "a < b > c", "HU < 40, image > 3", "<img4>", "Script of the day: none", "<b>bold</b>",
     "data: text", "see https://example.org"],
)  # fmt: skip
def test_words_are_words(text: str) -> None:
    assert reason_against_text(report(text)) is None


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "x<ScRiPt src=//evil>", "< img src=x onerror=alert(1)>",
     "<svg/onload=alert(1)>", "JavaScript:alert(1)", "<iframe src=x>", "data:text/html,x"],
)  # fmt: skip
@pytest.mark.parametrize("depth", [0, 5])
def test_what_a_browser_would_run_is_refused(text: str, depth: int) -> None:
    assert reason_against_text(report(text, depth=depth)) is not None
    assert reason_against_text(report(meaning=text, depth=depth)) is not None


def test_an_object_without_content_says_nothing() -> None:
    assert reason_against_text(Dataset()) is None
