"""An empty database is made in one step for each app; one that has tables goes on as before."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from django.db import connection, migrations, models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

from hub.together import CreateTogether
from tests.upgrades.schema import APPS, state_of, unsquashed

Node = tuple[str, str]
TABLES = CreateTogether([
    migrations.CreateModel("Song", [
        ("id", models.AutoField(primary_key=True)),
        ("title", models.CharField(max_length=9, db_index=True)),
        ("sung_by", models.ForeignKey("hub.singer", models.CASCADE)),  # listed later
    ], options={"constraints": [models.UniqueConstraint(fields=["title"], name="song_once")]}),
    migrations.CreateModel("Singer", [
        ("id", models.AutoField(primary_key=True)),
        ("first", models.ForeignKey("hub.song", models.SET_NULL, null=True)),  # and earlier
    ]),
])  # fmt: skip


def replaced() -> list[Node]:
    """All that is squashed now."""
    return [node for one in MigrationLoader(None).replacements.values() for node in one.replaces]


def standings() -> Iterator[frozenset[Node]]:
    """The migrations that a database may have: after each one on the way, and of each one alone."""
    graph = unsquashed().graph
    way: list[Node] = []
    for leaf in graph.leaf_nodes():
        way += [node for node in graph.forwards_plan(leaf) if node not in way]
    for number, node in enumerate(way):
        yield frozenset(way[: number + 1])
        yield frozenset(graph.forwards_plan(node))


def stand_at(applied: frozenset[Node]) -> None:
    rows = MigrationRecorder(connection).migration_qs
    rows.all().delete()
    rows.bulk_create([rows.model(app=app, name=name) for app, name in applied])


@cache
def now() -> ProjectState:
    return state_of()


@pytest.mark.django_db
def test_wherever_a_database_stands_the_rest_is_applied_once_and_comes_to_the_same() -> None:
    ways: dict[frozenset[Node], frozenset[Node]] = {}
    for applied in {*standings()}:
        stand_at(applied)
        executor = MigrationExecutor(connection)
        executor.loader.check_consistent_history(connection)
        assert executor.loader.detect_conflicts() == {}
        graph = executor.loader.graph
        plan = [(one.app_label, one.name) for one, _ in executor.migration_plan(graph.leaf_nodes())]
        done = [node for one in plan for node in graph.nodes[one].replaces or [one]]
        assert len(done) == len(set(done))
        assert applied.isdisjoint(done)
        assert applied.union(done) >= set(unsquashed().graph.nodes)
        ways[frozenset(graph.nodes)] = applied
    assert len(ways) > len(APPS)  # parts of an app, one app of several, all
    for applied in ways.values():
        stand_at(applied)
        state = MigrationLoader(connection).project_state()
        assert MigrationAutodetector(state, now())._detect_changes() == {}
        assert MigrationAutodetector(now(), state)._detect_changes() == {}


def test_an_empty_database_takes_one_step_for_each_app() -> None:
    graph = MigrationLoader(None).graph
    assert {app for app, name in graph.nodes if "squashed" in name} == set(APPS)
    assert set(replaced()).isdisjoint(graph.nodes)
    assert len(replaced()) > 40


def tables() -> set[str]:
    with connection.cursor() as cursor:
        return set(connection.introspection.table_names(cursor)) & {"hub_song", "hub_singer"}


@pytest.mark.django_db(transaction=True)
def test_tables_that_name_each_other_are_made_in_one_step_and_taken_back() -> None:
    before = state_of()
    after = before.clone()
    TABLES.state_forwards("hub", after)
    with connection.schema_editor() as editor:
        TABLES.database_forwards("hub", editor, before, after)
    assert tables() == {"hub_song", "hub_singer"}
    with connection.cursor() as cursor:
        rules = connection.introspection.get_constraints(cursor, "hub_song")
    assert rules["song_once"]["columns"] == ["title"]
    assert ("hub_singer", "id") in {one["foreign_key"] for one in rules.values()}
    with connection.schema_editor() as editor:
        TABLES.database_backwards("hub", editor, after, before)
    assert tables() == set()


def test_the_step_is_written_down_as_it_was_read() -> None:
    name, given, _ = TABLES.deconstruct()
    again = CreateTogether(*given)
    assert (name, again.describe()) == ("CreateTogether", "Create 2 models together")
    assert again.tables == TABLES.tables
