"""What a participant hands in, held against the requirements that it answers. Pure.

    {"responses": [{"requirement": "F-012", "compliance": "full", "answer": "...", "comment": "...",
                    "comment_kind": "", "price_impact": null, "documents": []}],
     "offer": {"lines": [...], "fixed": [...]}}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

Problem = tuple[str, str]
DOES_NOT_APPLY = "na"


def problems(
    content: Mapping[str, Any], requirements: Sequence[Mapping[str, Any]], *, is_final: bool
) -> list[Problem]:
    """Field and rule of all that is wrong; a final tender answers every requirement."""
    known = {one["code"]: one for one in requirements}
    found: list[Problem] = []
    seen: set[str] = set()
    for n, response in enumerate(content["responses"]):
        where, code = f"responses[{n}]", response["requirement"]
        if code not in known:
            text = _("%(code)s is no requirement of this version") % {"code": code}
            found.append((f"{where}.requirement", text))
        elif code in seen:
            text = _("%(code)s is answered twice") % {"code": code}
            found.append((f"{where}.requirement", text))
        else:
            found += [(f"{where}.{name}", what) for name, what in _faults(response, known[code])]
        seen.add(code)
    if is_final:
        for code, one in known.items():
            if one["kind"] != "info" and code not in seen:
                text = _("expected an answer to %(code)s, found none") % {"code": code}
                found.append(("responses", text))
    return found


def unmet(
    responses: Mapping[str, str], requirements: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Codes of requirements that must be met and are not, by compliance: for a person to judge."""
    return [
        one["code"]
        for one in requirements
        if one["kind"] == "must" and responses.get(one["code"]) != "full"
    ]


def _faults(response: Mapping[str, Any], requirement: Mapping[str, Any]) -> Iterator[Problem]:
    if response["compliance"] == DOES_NOT_APPLY:
        return
    answer = response["answer"]
    if fault := _fault_of_answer(answer, requirement):
        yield "answer", fault
    if requirement["needs_document"] and not response["documents"]:
        yield "documents", _("expected a document")
    if response["comment"] and not response["comment_kind"]:
        yield "comment_kind", _("expected what sort of comment it is")


def _fault_of_answer(answer: str, requirement: Mapping[str, Any]) -> str:
    kind = requirement["answer_type"]
    if kind == "yes_no" and answer not in ("yes", "no"):
        return _("expected yes or no")
    if kind == "choice" and answer not in requirement["choices"]:
        return _("expected one of %(known)s") % {"known": ", ".join(requirement["choices"])}
    if kind in ("number", "price") and not _is_number(answer, is_price=kind == "price"):
        is_price = kind == "price"
        return _("expected an amount of 0 or more") if is_price else _("expected a number")
    if kind in ("text", "table") and not answer.strip():
        return _("expected an answer")
    return ""


def _is_number(text: str, *, is_price: bool) -> bool:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return False
    return number.is_finite() and (number >= 0 or not is_price)
