"""What PostgreSQL does for a question: its statements, their plans, and what they scan whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

# Tables that grow with every study: to read one of them whole takes as long as the hub is old.
GROWING = (
    "routing_study", "routing_series", "routing_instance", "routing_order", "routing_message",
    "routing_verdict", "routing_workitem", "routing_finding", "routing_result", "routing_delivery",
    "routing_transition", "contracts_usageevent", "hub_auditevent",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """One statement with EXPLAIN (ANALYZE, BUFFERS), how long it took, and what it read whole."""

    statement: str
    milliseconds: float
    text: str
    scanned: tuple[str, ...]


def plans_of(ask: Callable[[], object]) -> list[Plan]:
    """The plan of every SELECT that ``ask`` sends, the slowest first."""
    with CaptureQueriesContext(connection) as asked:
        ask()
    statements = [query["sql"] for query in asked.captured_queries]
    found = [_plan(one) for one in dict.fromkeys(statements) if one.startswith("SELECT")]
    return sorted(found, key=lambda plan: -plan.milliseconds)


def _plan(statement: str) -> Plan:
    with connection.cursor() as cursor:
        # the statement is whole already: its per cent signs are its own
        cursor.cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}")
        told = cursor.fetchone()[0]
        cursor.cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {statement}")
        text = "\n".join(line for (line,) in cursor.fetchall())
    whole = (json.loads(told) if isinstance(told, str) else told)[0]
    scanned = tuple(sorted(set(_scanned(whole["Plan"]))))
    return Plan(statement, whole["Planning Time"] + whole["Execution Time"], text, scanned)


def _scanned(node: dict[str, Any]) -> Iterator[str]:
    if node["Node Type"] == "Seq Scan" and node["Relation Name"] in GROWING:
        yield node["Relation Name"]
    for inner in node.get("Plans", ()):
        yield from _scanned(inner)
