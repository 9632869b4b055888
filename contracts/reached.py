"""Says of entries that were applied how much of the maximum of their agreements is bound by now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.utils.translation import gettext as _

from contracts import utilisation
from contracts.models import FrameworkAgreement
from contracts.utilisation import Utilisation
from hub.configuration import registry
from hub.configuration.reader import Item

Told = Iterator[tuple[Item, str, str]]


def _look(items: Mapping[str, Mapping[str, Item]]) -> Told:
    """Each agreement of the files once, by the rule of API and pages (WARNINGS)."""
    named = _named(items)
    rows = FrameworkAgreement.objects.filter(code__in=named).prefetch_related("call_offs", "lots")
    for row in rows.order_by("code"):
        item, path = named[row.code]
        yield from _of(utilisation.of_framework(row), row.code, row.currency, item, path)
        for lot in row.lots.all():
            if held := utilisation.of_lot(lot):
                name = _("lot %(lot)s of %(name)s") % {"lot": lot.code, "name": row.code}
                yield from _of(held, name, row.currency, item, path)


def _of(held: Utilisation, name: str, currency: str, item: Item, path: str) -> Told:
    if held.warning is None:
        return
    text = _("at least %(share)s %% of the maximum of %(name)s is bound: %(used)s of %(maximum)s "
             "%(currency)s")  # fmt: skip
    told = {"share": held.warning, "name": name, "used": held.used, "maximum": held.maximum}
    yield item, path, text % (told | {"currency": currency})


def _named(items: Mapping[str, Mapping[str, Item]]) -> dict[str, tuple[Item, str]]:
    """Codes of agreements, each with the entry and field that it is told at."""
    named: dict[str, tuple[Item, str]] = {}
    for item in items.get("call_off", {}).values():
        named.setdefault(item.value["framework"], (item, "committed_value"))
    return named | {
        code: (item, "maximum_value") for code, item in items.get("framework", {}).items()
    }


registry.look_after(_look)
