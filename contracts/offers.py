"""Reads answers and an offer from the fields of a form, and says what was refused by its fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contracts.models import Document, RequirementSpec
from hub.typed_numbers import plain_number, shown_number

_NAMES = ("compliance", "answer", "comment", "comment_kind")
_NUMBERS = ("number", "price")
# what is refused of a list, as the serializer and as the rules name it: responses.1.answer: ...
_OF_LIST = re.compile(
    r"(responses|offer\.lines|offer\.fixed)[.\[]([0-9]+)\]?\.?([^:]*): (.*)", re.DOTALL
)
_OF_ITEM = re.compile(r"offer: lines\[(.+?)\]\.[^:]*: (.*)", re.DOTALL)
_CALLED = {
    "answer": gettext_lazy("Answer"), "documents": gettext_lazy("Document"),
    "comment": gettext_lazy("Comment"), "comment_kind": gettext_lazy("Sort of comment"),
    "compliance": gettext_lazy("Compliance"), "algorithm": gettext_lazy("met with"),
    "once": gettext_lazy("Once"), "year": gettext_lazy("A year"),
}  # fmt: skip
_WHOLE = ("responses", "offer", "offer.lines", "offer.fixed")
_FIXED = {"once": gettext_lazy("One-off amount"), "year": gettext_lazy("Yearly amount")}


def from_form(
    spec: RequirementSpec, form: Mapping[str, Any], *, documents: Iterable[Document] = ()
) -> dict[str, Any]:
    """What the API would be sent: ``compliance-F-1``, ``price-ITEM`` and the like.

    A document is one of those that the participant keeps in the procedure, by its number.
    """
    kept = {str(one.pk): {"name": one.name, "sha256": one.sha256} for one in documents}
    responses = []
    for code, kind in spec.requirements.values_list("code", "answer_type"):
        if form.get(f"compliance-{code}"):
            said = {name: form.get(f"{name}-{code}", "") for name in _NAMES}
            if kind in _NUMBERS:
                said["answer"] = plain_number(said["answer"])
            document = kept.get(form.get(f"document-{code}", ""))
            said["documents"] = [{**document, "reference": ""}] if document else []
            responses.append({"requirement": code, **said})
    lines = [
        {
            "item": name.removeprefix("price-"), **_met_with(name, form), **price_of(str(value)),
        }
        for name, value in form.items()
        if name.startswith("price-") and value
    ]  # fmt: skip
    return {"responses": responses, "offer": {"lines": lines, "fixed": _fixed(form)}}


def refusals(sentences: Iterable[str], sent: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What each sentence is about, a requirement's code or an item's name, and what it says of it.

    Sentences that name a field of ``sent`` by its place say it by the words of the form.
    """
    return [_refusal(one, sent) for one in sentences]


def _refusal(sentence: str, sent: Mapping[str, Any]) -> tuple[str, str]:
    if of_item := _OF_ITEM.fullmatch(sentence):
        return of_item[1], f"{of_item[1]}: {of_item[2]}"
    found = _OF_LIST.fullmatch(sentence)
    if found is None:
        name, colon, rule = sentence.partition(": ")
        return "", f"{rule[:1].upper()}{rule[1:]}" if colon and name in _WHOLE else sentence
    kind, place, field, rule = found.groups()
    row = _rows(sent, kind)[int(place)]
    if kind == "responses":
        about, name = row["requirement"], field.split(".")[0].split("[")[0]
    elif kind == "offer.lines":
        about, name = row["item"], "algorithm" if field == "algorithm" else ""
        rule = _("choose the algorithm that meets it") if name else rule
    else:
        about, name = row["per"], ""
    called = ", ".join(str(_CALLED.get(one, one)) for one in (about, name) if one)
    return about, f"{called}: {rule}"


def _rows(sent: Mapping[str, Any], kind: str) -> list[Any]:
    rows: list[Any] = sent["responses"]
    return rows if kind == "responses" else sent["offer"][kind.rpartition(".")[2]]


def _met_with(name: str, form: Mapping[str, Any]) -> dict[str, str]:
    """The algorithm that is chosen for the item of a price, where there is one."""
    chosen = str(form.get(f"algorithm-{name.removeprefix('price-')}", ""))
    return {"algorithm": chosen} if chosen else {}


def typed(code: str, form: Mapping[str, Any]) -> dict[str, str]:
    """What was typed for one requirement, to stand there again when it is refused."""
    return {
        name: str(form.get(f"{name}-{code}", "")) for name in (*_NAMES, "document")
    }


def price_of(text: str) -> dict[str, Any]:
    """``24.00``: a flat price; ``10000: 24.00; 18.00``: tiers with their upper bounds."""
    if ";" not in text and ":" not in text:
        return {"model": "flat", "unit_price": plain_number(text)}
    tiers: list[dict[str, Any]] = []
    for part in text.split(";"):
        bound, found, price = part.rpartition(":")
        tier: dict[str, Any] = {"unit_price": plain_number(price)}
        if found:
            bound = plain_number(bound)
            tier["up_to"] = int(bound) if bound.isdecimal() and len(bound) < 13 else bound
        tiers.append(tier)
    return {"model": "graduated", "tiers": tiers}


def text_of(price: Mapping[str, Any]) -> str:
    """What price_of() reads again; nothing where the price is of a kind that it does not know."""
    if price.get("model") == "flat":
        return shown_number(str(price.get("unit_price", "")))
    if price.get("model") != "graduated":
        return ""
    return "; ".join(
        (f"{tier['up_to']}: " if tier.get("up_to") else "") + shown_number(str(tier["unit_price"]))
        for tier in price.get("tiers", [])
    )


def _fixed(form: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": str(_FIXED[per]), "amount": plain_number(form[f"fixed-{per}"]), "per": per}
        for per in ("once", "year")
        if form.get(f"fixed-{per}")
    ]
