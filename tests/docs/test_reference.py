"""The reference pages say what the code has: states, fields, commands, metrics, addresses."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class
from drf_spectacular.generators import SchemaGenerator

from contracts import call_offs, options
from hub.dicom import scp
from routing import conditions, pathway, register, slots, worklist
from routing.metrics import RoutingCollector
from routing.models import Priority, Study
from tests.docs import pages

STATES = "docs/reference/states.md"
OWN_APPS = ("hub", "routing", "vendors", "marketplace", "contracts")


@pytest.mark.parametrize(
    ("heading", "moves"),
    [
        ("## Study", pathway.STUDY_MOVES),
        ("## Workitem", pathway.WORKITEM_MOVES),
        ("## Delivery", pathway.DELIVERY_MOVES),
        ("## Call-off", call_offs.MOVES),
        ("## Option", options.MOVES),
    ],
)
def test_the_tables_of_moves_are_those_of_the_pathway(
    heading: str, moves: dict[str, frozenset[str]]
) -> None:
    text = pages.section(STATES, heading)
    table = re.split(r"\n\n(?=[^|])", text[text.index("| from |") :])[0].split("\n\n")[0]
    told = {row[0]: frozenset(filter(None, row[1].split(", "))) for row in pages.rows(table)}
    assert told == moves


@pytest.mark.parametrize(
    ("heading", "moves"),
    [
        ("## Study", pathway.STUDY_MOVES),
        ("## Workitem", pathway.WORKITEM_MOVES),
        ("## Delivery", pathway.DELIVERY_MOVES),
        ("## Call-off", call_offs.MOVES),
        ("## Option", options.MOVES),
    ],
)
def test_every_state_is_explained(heading: str, moves: dict[str, frozenset[str]]) -> None:
    text = pages.section(STATES, heading)
    meanings = text[text.index("| state |") :]
    assert sorted(pages.first_cells(meanings)[: len(moves)]) == sorted(moves)


def test_every_word_for_what_ai_has_done_is_explained() -> None:
    text = pages.section(STATES, "## The one word on the worklist")
    assert set(pages.first_cells(text)) == set(Study.AiState.values)


def test_the_rule_language_lists_exactly_the_fields_there_are() -> None:
    text = pages.section("docs/reference/rule-language.md", "## Fields")
    fields = pages.first_cells(text)
    assert len(fields) == len(set(fields))
    assert set(fields) == conditions.FIELDS


def test_the_rule_language_lists_exactly_the_operators_there_are() -> None:
    text = pages.section("docs/reference/rule-language.md", "## What a clause looks at")
    told = pages.first_cells(text)
    for operator in told:
        faults = conditions.check({"series.modality": {operator: object()}})
        assert "expected an operator" not in faults[0][1]
    ((_path, known),) = conditions.check({"series.modality": {"resembles": 1}})
    assert sorted(told) == sorted(known.removeprefix("expected an operator: ").split(", "))


def test_every_command_of_the_hub_is_documented() -> None:
    text = pages.text_of("docs/reference/management-commands.md")
    told = {cell.split()[0] for cell in pages.first_cells(text)}
    ours = {name for name, app in get_commands().items() if app in OWN_APPS}
    assert ours <= told
    for name in told:
        assert name in get_commands(), name
    for name in ours:
        assert load_command_class(get_commands()[name], name).help


@pytest.mark.django_db
def test_every_metric_is_documented() -> None:
    told = pages.first_cells(pages.prose("docs/reference/metrics.md").split("## Health")[0])
    names = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in RoutingCollector().collect()
    }
    assert names <= set(told)
    assert len(told) == len(names | {"hub_storage_free_bytes"})


def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return schema


def test_every_address_of_the_api_is_documented() -> None:
    text = pages.section("docs/reference/api.md", "## What there is")
    told = {cell for cell in pages.first_cells(text) if "/api/v1/" in cell}
    there = {
        f"{method.upper()} {path}"
        for path, methods in _schema()["paths"].items()
        for method in methods
        if path.startswith("/api/v1/")
    }
    assert told == there


def test_every_filter_and_field_of_the_worklist_is_documented() -> None:
    schema = _schema()
    page = "docs/reference/api.md"
    filters = pages.section(page, "## Paging and filters")
    for parameter in schema["paths"]["/api/v1/worklist/"]["get"]["parameters"]:
        assert f"`{parameter['name']}`" in filters
    row = pages.section(page, "## A row of the worklist")
    for name in schema["components"]["schemas"]["Study"]["properties"]:
        assert f"`{name}`" in row
    detail = pages.section(page, "## One study")
    for shape in ("Transition", "Verdict", "Workitem", "Delivery", "SetAside"):
        for name in schema["components"]["schemas"][shape]["properties"]:
            assert f"`{name}`" in detail, (shape, name)


def _names(schema: dict[str, Any], path: tuple[str, ...]) -> set[str]:
    node: Any = schema
    for step in path:
        node = node[step]
    return {name for name in node["properties"] if not name.startswith("$")}


def test_every_field_of_manifest_and_findings_is_documented() -> None:
    for schema, page, places in (
        (
            "vendors/manifest.schema.json",
            "docs/reference/manifest.md",
            [(), ("$defs", "performer"), ("$defs", "needs"), ("$defs", "resources")],
        ),
        (
            "vendors/findings.schema.json",
            "docs/reference/findings.md",
            [(), ("$defs", "finding"), ("$defs", "region"), ("$defs", "measurement")],
        ),
    ):
        known = json.loads(pages.text_of(schema))
        text = pages.prose(page)
        for place in places:
            for name in _names(known, place) - {"performer", "needs", "returns"}:
                assert re.search(rf"`[^`]*\b{name}\b[^`]*`", text), (page, name)


def test_patience_and_head_start_are_as_told() -> None:
    table = pages.section("docs/explanation/worklist-order.md", "## Two rules")
    told = {row[0]: row[1] for row in pages.rows(table) if row[0] in Priority.names}
    for priority, patience in worklist.PATIENCE.items():
        hours = int(patience.total_seconds() // 3600)
        said = {0: "0", 1: "1 hour"}.get(hours, f"{hours} hours")
        assert told[Priority(priority).name] == said
    text = " ".join(pages.section("docs/explanation/architecture.md", "## Whose turn").split())
    for priority in (Priority.STAT, Priority.HIGH, Priority.MEDIUM):
        minutes = int(slots.HEAD_START[priority].total_seconds() // 60)
        assert re.search(rf"\b{minutes}( minutes)? for {priority.name}\b", text)


def test_every_status_that_receiving_answers_is_in_the_conformance_statement() -> None:
    text = pages.section(
        "docs/reference/dicom-conformance-statement.md", "### 2.2 As SCP: receiving"
    )
    told = {int(cell, 16) for cell in pages.first_cells(text) if cell.startswith("0x")}
    assert told == {
        scp.SUCCESS, scp.NOT_AUTHORISED, scp.OUT_OF_RESOURCES, register.SET_ASIDE,
        scp.CANNOT_UNDERSTAND, scp.PROCESSING_FAILURE,
    }  # fmt: skip
