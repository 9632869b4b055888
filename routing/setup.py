"""The kind ``rules`` of the set-up file, and what the way of a study forbids to change in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from hub.configuration import identifiers, registry
from hub.configuration.attachments import Json
from hub.configuration.reader import Value
from hub.configuration.records import Field, Record, Reference
from hub.configuration.registry import Kind, Say, World
from hub.configuration.shapes import Text
from routing import conditions
from routing.models import Delivery, Order, Rule, Study, Workitem


def _examine(value: Value, say: Say, world: World) -> None:
    if value["when"] is not None:
        for path, text in conditions.check(value["when"]):
            say.error(path, text)


def _used_manifests(old: Value, new: Value) -> Iterator[tuple[str, str]]:
    """A version that ran on patients stays as it was: a changed manifest is a new version."""
    before = {_version(held): held["manifest"] for held in old["versions"]}
    changed = [
        version
        for version, held in ((_version(held), held["manifest"]) for held in new["versions"])
        if version in before and before[version] != held
    ]
    if not changed:
        return
    used = Workitem.objects.filter(
        version__algorithm__code=new["code"], version__version__in=changed
    ).values_list("version__version")
    for version, count in used.annotate(Count("pk")).order_by():
        text = ngettext(
            "cannot be changed: %(count)s workitem used it as it is; give it a new version",
            "cannot be changed: %(count)s workitems used it as it is; give it a new version",
            count,
        )  # fmt: skip
        yield f"versions[{version}].manifest", text % {"count": count}


def _patients_of_a_trust(old: Value, new: Value) -> Iterator[tuple[str, str]]:
    """Another trust would see the patients of this one from one moment to the next."""
    if old["organisation"] == new["organisation"]:
        return
    studies = Study.objects.filter(site__code=new["code"])
    orders = Order.objects.filter(site__code=new["code"])
    if studies.exists() or orders.exists():
        text = _("cannot be changed: it has studies (%(studies)s) and orders (%(orders)s) of "
                 "%(old)s; give %(new)s a site of its own")  # fmt: skip
        yield "organisation", text % {
            "studies": studies.count(), "orders": orders.count(),
            "old": old["organisation"], "new": new["organisation"],
        }  # fmt: skip


def _patients_of_a_peer(old: Value, new: Value) -> Iterator[tuple[str, str]]:
    """What waits for a peer would go to another site, with the patients of the first."""
    if old["site"] == new["site"]:
        return
    studies = Study.objects.filter(source__code=new["code"])
    deliveries = Delivery.objects.filter(node__code=new["code"])
    if studies.exists() or deliveries.exists():
        text = _("cannot be changed: it has studies (%(studies)s) and deliveries "
                 "(%(deliveries)s) of %(old)s; give %(new)s a node of its own")  # fmt: skip
        yield "site", text % {
            "studies": studies.count(), "deliveries": deliveries.count(),
            "old": old["site"], "new": new["site"],
        }  # fmt: skip


def _version(held: Value) -> str:
    return str(held["manifest"].data["version"])


def _schema_of_conditions() -> dict[str, Any]:
    """The rule language as JSON Schema."""
    part = {"$ref": "#/$defs/condition"}
    word = {"type": ["string", "number"]}
    operators = {
        "equals": word,
        "in": {"type": "array", "minItems": 1, "items": word},
        "contains": word,
        "matches": {"type": "string", "minLength": 1, "maxLength": 200},
        "at_least": {"type": "number"},
        "at_most": {"type": "number"},
        "exists": {"type": "boolean"},
    }
    clause = {
        "type": "object", "minProperties": 1, "maxProperties": 1,
        "additionalProperties": False, "properties": operators,
    }  # fmt: skip
    groups = {"type": "array", "minItems": 1, "items": part}
    return {
        "description": "all, any, not, or one clause {field: {operator: operand}}.",
        "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": False,
        "properties": {"all": groups, "any": groups, "not": part}
        | {field: clause for field in sorted(conditions.FIELDS)},
    }  # fmt: skip


registry.define("condition", _schema_of_conditions())
registry.register(Kind(
    "rule", "rules", Rule,
    says="Which studies an algorithm wants at a site, beyond what its manifest demands.",
    examine=_examine,
    record=Record((
        Field("code", Text(80, identifiers.slug)),
        Field("site", Reference("site")),
        Field("algorithm", Reference("algorithm")),
        Field("when", Json({"$ref": "#/$defs/condition"}), says="The series clauses hold together "
              "for one and the same series, and that series is the input of the algorithm."),
    )),
))  # fmt: skip
registry.guard("algorithm", _used_manifests)
registry.guard("site", _patients_of_a_trust)
registry.guard("node", _patients_of_a_peer)
registry.dispose("routing.Breaker")
