"""What a participant hands in, held against the requirements that it answers. Pure.

    {"responses": [{"requirement": "F-012", "compliance": "full", "answer": "...", "comment": "...",
                    "comment_kind": "", "price_impact": null, "documents": []}],
     "offer": {"lines": [...], "fixed": [...]}}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

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
            found.append((f"{where}.requirement", f"{code} is no requirement of this version"))
        elif code in seen:
            found.append((f"{where}.requirement", f"{code} is answered twice"))
        else:
            found += [(f"{where}.{name}", what) for name, what in _faults(response, known[code])]
        seen.add(code)
    if is_final:
        for code, one in known.items():
            if one["kind"] != "info" and code not in seen:
                found.append(("responses", f"expected an answer to {code}, found none"))
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
        yield "documents", "expected a document"
    if response["comment"] and not response["comment_kind"]:
        yield "comment_kind", "expected what sort of comment it is"


def _fault_of_answer(answer: str, requirement: Mapping[str, Any]) -> str:
    kind = requirement["answer_type"]
    if kind == "yes_no" and answer not in ("yes", "no"):
        return "expected yes or no"
    if kind == "choice" and answer not in requirement["choices"]:
        return f"expected one of {', '.join(requirement['choices'])}"
    if kind in ("number", "price") and not _is_number(answer, is_price=kind == "price"):
        return "expected an amount of 0 or more" if kind == "price" else "expected a number"
    if kind in ("text", "table") and not answer.strip():
        return "expected an answer"
    return ""


def _is_number(text: str, *, is_price: bool) -> bool:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return False
    return number.is_finite() and (number >= 0 or not is_price)
