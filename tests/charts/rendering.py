"""The chart as Helm's own engine renders it, and what one asks of the outcome."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import yaml

from tests.fakes.running_hub import ROOT

CHART = ROOT / "charts" / "hub"
VALUES = Path(__file__).parent / "values"
SETS = ("default", *sorted(path.stem for path in VALUES.glob("*.yaml")))
NAMESPACE = "ai"
FOREIGN = ("postgresql", "redis", "s3")
Object = dict[str, Any]


def values_of(name: str) -> Object:
    path = VALUES / f"{name}.yaml"
    return dict(yaml.safe_load(path.read_text())) if path.exists() else {}


def texts(values: Object, **how: Any) -> dict[str, str]:
    """What each template gives, by its path."""
    how = {"name": "avrop", "namespace": NAMESPACE, "is_install": True, "revision": 1} | how
    with helm_python.Chart.load(str(CHART)) as chart:
        return dict(chart.render(values, **how))


def objects(values: Object, **how: Any) -> list[Object]:
    rendered = [text for path, text in texts(values, **how).items() if path.endswith(".yaml")]
    return [one for text in rendered for one in yaml.safe_load_all(text) if one]


@cache
def of(name: str) -> list[Object]:
    """The objects of one of SETS; not to be changed."""
    return objects(values_of(name))


def kind(found: list[Object], *kinds: str) -> list[Object]:
    return [one for one in found if one["kind"] in kinds]


def named(found: list[Object], kind_: str, name: str) -> Object:
    (one,) = [o for o in found if o["kind"] == kind_ and o["metadata"]["name"] == name]
    return one


def pods(found: list[Object]) -> Iterator[tuple[str, Object]]:
    """Every pod template, by the name of what makes it."""
    for one in kind(found, "Deployment", "StatefulSet", "Job"):
        yield one["metadata"]["name"], one["spec"]["template"]


def is_hub(pod: Object) -> bool:
    """Whether it runs the hub's own image, and not PostgreSQL, Redis or a store of objects."""
    return pod["metadata"]["labels"]["app.kubernetes.io/component"] not in FOREIGN
