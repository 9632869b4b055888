"""Who supplies what under an agreement: the whole of it, or some of its lots."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TypeVar

from contracts.models import FrameworkAgreement

Key = TypeVar("Key", bound=Hashable)


def suppliers_of(framework: FrameworkAgreement, *, lot: str = "") -> set[int]:
    """Keys of the vendors that supply the lot, or anything where no lot is asked for."""
    named = framework.suppliers.values_list("vendor", "lot")
    return supplying(framework.supplier_id, named, lot=lot)


def supplying(first: Key, named: Iterable[tuple[Key, str]], *, lot: str = "") -> set[Key]:
    """The rule: the first supplies all lots unless it is named with some; ``""`` is all lots."""
    lots: dict[Key, set[str]] = {first: set()}
    for vendor, of in named:
        lots.setdefault(vendor, set()).add(of)
    return {
        vendor
        for vendor, of in lots.items()
        if not lot or not of or "" in of or lot in of
    }
