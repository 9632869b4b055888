"""What is refused is said in the reader's language: no refusal is written beside gettext."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

from contracts import simulation
from contracts.pricing import PriceTermsError, price_of
from contracts.usage_rows import UsageRefused
from hub.configuration.problems import Problem
from tests.hub.configuration.setups import SETUP, refused, write
from vendors.expectations import EXPECTATIONS

ROOT = Path(__file__).resolve().parents[2]
APPS = ("contracts", "marketplace", "vendors", "routing", "hub/configuration")
CALLS = {"_", "gettext", "gettext_noop", "gettext_lazy", "ngettext"}
# the house begins a refusal so
BEGINNINGS = ("expected ", "cannot be ", "cannot go ")
# what programs read, or who runs the installation: rules of EN 16931, events of other machines,
# the cluster, packing and planning on the command line, and words of the protocols
OTHERS = {
    "contracts/billing", "contracts/cloud_events.py", "contracts/pricing/charging.py",
    "marketplace/validation.py", "vendors/cluster_setup.py", "vendors/findings.py",
    "vendors/performers", "routing/backups", "routing/planning", "routing/places.py",
    "routing/server_doors.py", "routing/serializers.py",
    "hub/configuration/importing.py", "hub/configuration/naturals.py",
}  # fmt: skip
WORDS_OF_ENGLISH = (" expected ", "expected ", " found ", " because ", " the ", "cannot ")


def written_beside_gettext(path: Path) -> Iterator[str]:
    """Each refusal of a module that no gettext is around, with its line."""
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in CALLS:
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # a docstring
        if isinstance(node, ast.Constant) and str(node.value).lstrip(": ").startswith(BEGINNINGS):
            yield f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}"
        waiting += ast.iter_child_nodes(node)


def test_every_refusal_goes_through_gettext() -> None:
    modules = [path for app in APPS for path in sorted((ROOT / app).rglob("*.py"))]
    assert len(modules) > 300
    told = [
        line
        for path in modules
        if not {"migrations", "management"} & set(path.parts)
        and not any(str(path.relative_to(ROOT)).startswith(other) for other in OTHERS)
        for line in written_beside_gettext(path)
    ]
    assert told == []


def test_what_the_schemas_expect_is_translated() -> None:
    folders = ("vendors", "marketplace", "routing")
    schemas = [path for one in folders for path in (ROOT / one).rglob("*.schema.json")]
    held = {one for path in schemas for one in expectations(json.loads(path.read_text()))}
    assert held == EXPECTATIONS


def expectations(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "x-expected" in part:
            yield part["x-expected"]
        for inner in part.values():
            yield from expectations(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from expectations(inner)


FAULTS = (
    ("roles: [source, results]", "roles: [source, results, orders]"),
    ("receiving_application: RIS, ", ""),
    ("name: Bleed\n", "name: Bleed\n    colour: red\n"),
    ('signing_key: "x"', ""),
    ("model: graduated", "model: stairs"),
    ("lines:\n", "mode: mini_competition\n    lot: x\n    supplier: other\n    lines:\n"),
    ("regime: MDR", "regime: FDA"),
    ("issued: 2025-01-15", "issued: 2031-01-15"),
    ("srn: NO-MF-000012345", "srn: NO-MF-1, colour: red"),
    ("port: 11113", "port: many"),
)


@pytest.mark.django_db
@pytest.mark.parametrize("language", ["nb", "da"])
def test_a_set_up_file_is_refused_in_the_language_of_its_reader(
    tmp_path: Path, language: str
) -> None:
    told: list[Problem] = []
    for before, after in FAULTS:
        if before not in SETUP:
            continue
        with translation.override(language):
            told += refused(write(tmp_path, SETUP.replace(before, after, 1)))
    assert len(told) >= len(FAULTS)
    for one in told:
        assert not any(word in f" {one.text}" for word in WORDS_OF_ENGLISH), str(one)


@pytest.mark.parametrize("language", ["nb", "da"])
def test_a_price_and_a_list_of_usage_are_refused_in_it(language: str, tmp_path: Path) -> None:
    wrong = {"tiers": [{"up_to": 10, "unit_price": "24.00"}]}
    terms = simulation.terms_of_files([write(tmp_path)])
    row = {"call_off": "CO-2", "algorithm": "bleed", "site": "drammen", "date": "2026-05-04"}
    with translation.override(language):
        with pytest.raises(PriceTermsError) as of_price:
            price_of("graduated", wrong)
        with pytest.raises(UsageRefused) as of_usage:
            simulation.simulate(terms, [row | {"quantity": 1}, row, {"call_off": 1}])
    told = [str(of_price.value), *map(str, of_usage.value.faults)]
    assert len(told) >= 4
    for one in told:
        assert not any(word in one for word in WORDS_OF_ENGLISH), one
        assert one.partition(": ")[0].startswith(("tiers", "usage["))
