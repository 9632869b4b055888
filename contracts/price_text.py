"""Prices as people type them on a page, and the entry of a price book that they mean.

    24.00                       one price; 24,00 where the language writes it so
    10000: 24.00; 18.00         tiers by their upper bounds, the last without one; or a line each
    10000: 24.00 + 500.00; 18   a tier with a flat fee
    3: 100%; 3: 50%             phases of an introduction: months and discount
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml
from django.utils.translation import gettext as _

from hub.configuration.document import Entries, Listing, Node, Scalar, parse
from hub.configuration.problems import Report
from hub.typed_numbers import plain_number, shown_number

_WHOLE = re.compile(r"-?[0-9]{1,12}", re.ASCII)


class TextNotRead(ValueError):
    """The text means no terms; the message says what was expected."""


def price_in(text: str, *, model: str) -> dict[str, Any]:
    """``unit_price`` or ``tiers`` of an entry; nothing where nothing was typed."""
    parts = [part.strip() for part in re.split(r"[;\n]", text) if part.strip()]
    if not parts:
        return {}
    if model == "flat" and len(parts) == 1 and not set(parts[0]) & set(":+"):
        return {"unit_price": plain_number(parts[0])}
    return {"tiers": [_tier(part) for part in parts]}


def _tier(part: str) -> dict[str, Any]:
    bound, found, price = part.rpartition(":")
    unit, plus, fee = price.partition("+")
    tier: dict[str, Any] = {"up_to": _number(plain_number(bound))} if found else {}
    if unit.strip():
        tier["unit_price"] = plain_number(unit)
    return tier | ({"flat_fee": plain_number(fee)} if plus else {})


def text_of_price(terms: Mapping[str, Any]) -> str:
    """What price_in() reads again."""
    if terms.get("unit_price"):
        return shown_number(str(terms["unit_price"]))
    return "; ".join(map(_text_of_tier, terms.get("tiers") or ()))


def _text_of_tier(tier: Mapping[str, Any]) -> str:
    fee = f"+ {shown_number(str(tier['flat_fee']))}" if tier.get("flat_fee") else ""
    unit = shown_number(str(tier.get("unit_price") or ""))
    price = " ".join(filter(None, (unit, fee)))
    return f"{tier['up_to']}: {price}" if tier.get("up_to") else price


def phases_in(text: str) -> list[dict[str, Any]]:
    """Phases of an introduction."""
    phases = []
    for part in filter(str.strip, text.split(";")):
        months, _colon, what = part.partition(":")
        name = "discount" if "%" in what else "unit_price"
        said = plain_number(what.replace("%", "")) + ("%" if "%" in what else "")
        phases.append({"months": _number(months.strip()), name: said})
    return phases


def text_of_phases(terms: Mapping[str, Any]) -> str:
    """What phases_in() reads again."""
    return "; ".join(
        f"{one['months']}: {_shown(str(one.get('discount') or one.get('unit_price')))}"
        for one in terms.get("introduction") or ()
    )


def _shown(text: str) -> str:
    return shown_number(text.removesuffix("%")) + ("%" if text.endswith("%") else "")


def terms_in(text: str) -> dict[str, Any]:
    """Further terms in YAML, as in a set-up file; amounts with or without quotes. TextNotRead."""
    if not text.strip():
        return {}
    report = Report()
    root = parse(text.encode("utf-8", "surrogatepass"), name="", report=report)
    if report.problems:
        raise TextNotRead("; ".join(f"{one.place.line}: {one.text}" for one in report.problems))
    if root is None or isinstance(root, Scalar) and root.is_nothing:
        return {}
    if not isinstance(root, Entries):
        raise TextNotRead(_("expected names with their values, such as: sla: {late: 5%}"))
    found: dict[str, Any] = _plain(root)
    return found


def text_of_terms(terms: Mapping[str, Any]) -> str:
    """What terms_in() reads again; nothing where there are none."""
    return yaml.safe_dump(dict(terms), sort_keys=False, allow_unicode=True) if terms else ""


def _plain(node: Node) -> Any:
    """The node as JSON: an amount stays the text that it is, without the detour of a float."""
    if isinstance(node, Entries):
        return {name: _plain(one) for name, one in node.values.items()}
    if isinstance(node, Listing):
        return [_plain(one) for one in node.items]
    if node.is_nothing:
        return None
    if node.is_plain and node.text in ("true", "false"):
        return node.text == "true"
    return _number(node.text) if node.is_plain else node.text


def _number(text: str) -> int | str:
    return int(text) if _WHOLE.fullmatch(text) else text
