"""The kind ``gpus`` of the set-up file: the GPUs that sites share, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from hub.configuration import identifiers, registry
from hub.configuration.document import Node, Scalar
from hub.configuration.reader import Reader, Value
from hub.configuration.records import Field, Record, Reference, Rows
from hub.configuration.registry import Kind, Say, World
from hub.configuration.shapes import Choices, Integer, Schema, Shape, Text, column_of, set_column
from routing.models import GpuPool, GpuShare

FROM_CLUSTER = "from_cluster"
KINDS = ("process", "container", "kubernetes", "dicom_node", "http")
MOST_GPUS = 100_000


@dataclass(frozen=True, slots=True)
class _Size(Shape):
    """A number of GPUs, or the word for as many as the cluster says."""

    number = Integer(1, MOST_GPUS)

    def read(self, node: Node, at: Reader) -> Any:
        if isinstance(node, Scalar) and node.text == FROM_CLUSTER:
            return FROM_CLUSTER
        if isinstance(node, Scalar) and node.is_plain and node.text.isdigit():
            return self.number.read(node, at)
        what = _("a whole number from 1 to %(most)s, or %(word)s")
        return at.expected(node, what % {"most": MOST_GPUS, "word": FROM_CLUSTER})

    def schema(self) -> Schema:
        return {"oneOf": [self.number.schema(), {"enum": [FROM_CLUSTER]}]}

    def load(self, row: Any, column: str) -> Any:
        held = column_of(row, column)
        return FROM_CLUSTER if held is None else held

    def save(self, row: Any, column: str, value: Any) -> None:
        set_column(row, column, None if value == FROM_CLUSTER else value)


def _examine(value: Value, say: Say, world: World) -> None:
    size, reserve = value["size"], value["stat_reserve"]
    if isinstance(size, int) and isinstance(reserve, int) and reserve >= size:
        text = _("expected fewer than the %(size)s GPUs of the pool, found %(found)s: nothing but "
                 "STAT would ever run")  # fmt: skip
        say.error("stat_reserve", text % {"size": size, "found": reserve})
    mine = set(value["performers"] or KINDS)
    for code, item in world.of("gpu_pool").items():
        shared = mine & set(item.value["performers"] or KINDS)
        if code < value["code"] and shared:
            text = _("expected ways of running that no other pool has, found %(found)s as in "
                     "%(code)s")  # fmt: skip
            say.error("performers", text % {"found": min(shared), "code": code})


registry.register(Kind(
    "gpu_pool", "gpus", GpuPool,
    says="GPUs that all sites share. Without an entry GPUs are not counted: as many runs of an "
         "algorithm start as its manifest allows.",
    examine=_examine,
    record=Record((
        Field("code", Text(50, identifiers.slug)),
        Field("size", _Size(), says="How many there are; from_cluster: as many as the cluster of "
              "the kubernetes performer has."),
        Field("stat_reserve", Integer(0, MOST_GPUS), 0, "Of them, how many only STAT may take."),
        Field("performers", Choices(KINDS), [],
              "Ways of running whose algorithms take these GPUs; left out: all."),
        Field("shares", Rows(GpuShare, "pool", ("site",), Record((
            Field("site", Reference("site")),
            Field("weight", Integer(1, 1000), 1),
        ))), None, "What each site gets while all want more; one that is left out has weight 1."),
    )),
))  # fmt: skip
registry.dispose("routing.GpuShare")
