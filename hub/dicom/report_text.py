"""In charge of what a returned report may say: words, and nothing that a browser would run.

What shows a structured report often makes a page of it, and not all that do know how to quote. No
finding needs a tag; "<5 mm" and "a < b" are none.
"""

import re
from typing import Final

from pydicom.dataset import Dataset

_ACTIVE: Final = re.compile(
    r"<\s*/?\s*(script|iframe|frame|object|embed|applet|svg|img|video|audio|link|meta|style|base"
    r"|form|input|body|html)\b|\b(?:java|vb)script\s*:|\bdata\s*:\s*text/html",
    re.IGNORECASE,
)
_TEXTS: Final = ("TextValue", "PersonName")
_CODES: Final = ("ConceptNameCodeSequence", "ConceptCodeSequence", "MeasurementUnitsCodeSequence")


def reason_against_text(report: Dataset) -> str | None:
    """Say why a report's content (PS3.3 C.17.3) must not pass into a PACS, or None if it may."""
    items = list(report.get("ContentSequence") or ())
    while items:
        item = items.pop()
        if any(_ACTIVE.search(text) for text in _texts_of(item)):
            return "it holds text that a browser would run"
        items += item.get("ContentSequence") or ()
    return None


def _texts_of(item: Dataset) -> list[str]:
    texts = [str(item.get(keyword) or "") for keyword in _TEXTS]
    for keyword in _CODES:
        for code in item.get(keyword) or ():
            texts += (str(code.get("CodeMeaning") or ""), str(code.get("CodeValue") or ""))
    return texts
