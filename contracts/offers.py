"""Reads answers and an offer from the fields of a form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.models import RequirementSpec

_NAMES = ("compliance", "answer", "comment", "comment_kind")


def from_form(spec: RequirementSpec, form: Mapping[str, Any]) -> dict[str, Any]:
    """What the API would be sent: ``compliance-F-1``, ``price-ITEM`` and the like."""
    responses = []
    for code in spec.requirements.values_list("code", flat=True):
        if form.get(f"compliance-{code}"):
            said = {name: form.get(f"{name}-{code}", "") for name in _NAMES}
            document = form.get(f"document-{code}", "")
            said["documents"] = (
                [{"name": document, "sha256": form.get(f"sha256-{code}", ""), "reference": ""}]
                if document
                else []
            )
            responses.append({"requirement": code, **said})
    lines = [
        {
            "item": name.removeprefix("price-"), **_met_with(name, form), **price_of(str(value)),
        }
        for name, value in form.items()
        if name.startswith("price-") and value
    ]  # fmt: skip
    return {"responses": responses, "offer": {"lines": lines, "fixed": _fixed(form)}}


def _met_with(name: str, form: Mapping[str, Any]) -> dict[str, str]:
    """The algorithm that is chosen for the item of a price, where there is one."""
    chosen = str(form.get(f"algorithm-{name.removeprefix('price-')}", ""))
    return {"algorithm": chosen} if chosen else {}


def typed(code: str, form: Mapping[str, Any]) -> dict[str, str]:
    """What was typed for one requirement, to stand there again when it is refused."""
    return {
        name: str(form.get(f"{name}-{code}", "")) for name in (*_NAMES, "document", "sha256")
    }


def price_of(text: str) -> dict[str, Any]:
    """``24.00``: a flat price; ``10000: 24.00; 18.00``: tiers with their upper bounds."""
    if ";" not in text and ":" not in text:
        return {"model": "flat", "unit_price": text.strip()}
    tiers: list[dict[str, Any]] = []
    for part in text.split(";"):
        bound, found, price = part.rpartition(":")
        tier: dict[str, Any] = {"unit_price": price.strip()}
        if found:
            bound = bound.strip()
            tier["up_to"] = int(bound) if bound.isdecimal() and len(bound) < 13 else bound
        tiers.append(tier)
    return {"model": "graduated", "tiers": tiers}


def text_of(price: Mapping[str, Any]) -> str:
    """What price_of() reads again; nothing where the price is of a kind that it does not know."""
    if price.get("model") == "flat":
        return str(price.get("unit_price", ""))
    if price.get("model") != "graduated":
        return ""
    return "; ".join(
        f"{tier['up_to']}: {tier['unit_price']}" if tier.get("up_to") else str(tier["unit_price"])
        for tier in price.get("tiers", [])
    )


def _fixed(form: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": per, "amount": form[f"fixed-{per}"], "per": per}
        for per in ("once", "year")
        if form.get(f"fixed-{per}")
    ]
