"""How the tests get their database, and properties their time."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from django.db import connection
from django.test import TransactionTestCase
from django.utils import translation

from hub.append_only import MARKER
from tests import emptying, templates
from tests.peers import (  # noqa: F401 (pytest finds its hooks here)
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_ignore_collect,
    pytest_make_collect_report,
    pytest_runtest_makereport,
    pytest_terminal_summary,
)

# Beside other tests, on a busy machine, anything may take long: that is no fault of what is tested.
hypothesis.settings.register_profile(
    "beside others", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("beside others")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A copy of a database with all tables, in the place of one that must be migrated.

    SQLite in a file, as in production: in memory there is no WAL, and threads collide.
    """
    test = connection.settings_dict["TEST"]
    # The tables are there; what is left is to tell signals that they are.
    test["MIGRATE"] = False
    if connection.vendor == "sqlite":
        file = tmp_path_factory.mktemp("database") / "test.sqlite3"
        templates.copy_sqlite(file)
        test["NAME"] = str(file)
    else:
        test["TEMPLATE"] = templates.postgresql_template(os.environ["HUB_TEST_DATABASE_URL"])


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Django would remove the file that was just put there."""
    return connection.vendor == "sqlite"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """The test database, marked as one, so that it may be emptied between tests."""
    TransactionTestCase._fixture_teardown = lambda _case: emptying.empty()
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {MARKER} (id integer)")


def pytest_collection_finish() -> None:
    """What was collected stays to the end: no collector of garbage need look at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def database_as_in_production(db: None) -> None:
    """Append-only tables that refuse DELETE as they do outside a test run; undone by rollback."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE {MARKER}")


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    """Each test begins in English: a page asked for in Norwegian leaves its language behind."""
    with translation.override("en"):
        yield
