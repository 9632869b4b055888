"""Which tests run here, and that none is left out unseen: the hooks of tests/conftest.py.

A test that cannot run (a peer is missing, the corpus is not beside the project) is skipped, listed
at the end with its reason, and with HUB_REQUIRE_ALL=1 it has failed.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

USES_DATABASE = {"db", "transactional_db", "django_db_reset_sequences", "live_server"}
# These start processes of the hub with a database of their own, unless a marker says otherwise.
OWN_DATABASE = ("tests/journeys/", "tests/browser/", "tests/demo/", "tests/faults/")
# These import no Django, or look at files.
NO_DATABASE = (
    "tests/hub/dicom/", "tests/hub/hl7/", "tests/hub/cluster/", "tests/charts/", "tests/image/",
    "tests/examples/", "tests/bench/", "tests/real_cluster/",
)  # fmt: skip
FAULTS = ("tests/faults/", "tests/image/")
ROOT = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database", choices=["sqlite", "postgresql"],
        help="sqlite: leave out what needs PostgreSQL; postgresql: only what uses the database",
    )  # fmt: skip
    parser.addoption("--long", action="store_true", help="also what takes minutes")
    parser.addoption(
        "--faults", action="store_true",
        help="only the faults and the image, and of all else what takes minutes",
    )  # fmt: skip
    parser.addoption("--seconds", default="60", help="how long faults at random go on")
    parser.addoption("--seed", help="repeat the faults at random of a run that printed this")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Spare what cannot use the database, where nothing else is wanted."""
    if config.getoption("--database") != "postgresql" or not collection_path.is_relative_to(ROOT):
        return None
    return f"{collection_path.relative_to(ROOT)}/".startswith(NO_DATABASE) or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    database = config.getoption("--database")
    wanted = {"sqlite": needs_no_postgresql, "postgresql": gains_from_postgresql}.get(database)
    faults, is_long_wanted = config.getoption("--faults"), config.getoption("--long")

    def is_chosen(item: pytest.Item) -> bool:
        is_long = item.get_closest_marker("long") is not None
        if faults:
            return is_long or item.nodeid.startswith(FAULTS)
        return (wanted is None or wanted(item)) and (is_long_wanted or not is_long)

    config.hook.pytest_deselected(items=[item for item in items if not is_chosen(item)])
    items[:] = filter(is_chosen, items)
    if database != "postgresql":
        # Those that wait for processes come first: at the end nobody waits for the last of them,
        # and meanwhile what PostgreSQL begins with computes.
        items.sort(key=lambda item: not starts_processes(item))


def starts_processes(item: pytest.Item) -> bool:
    return item.nodeid.startswith(OWN_DATABASE)


def needs_no_postgresql(item: pytest.Item) -> bool:
    return item.get_closest_marker("postgresql") is None


def gains_from_postgresql(item: pytest.Item) -> bool:
    if item.get_closest_marker("sqlite") or item.get_closest_marker("once"):
        return False
    if item.get_closest_marker("postgresql") or item.get_closest_marker("large"):
        return True
    if starts_processes(item):
        return False
    fixtures = USES_DATABASE.intersection(getattr(item, "fixturenames", ()))
    return bool(fixtures or item.get_closest_marker("django_db"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Any:
    return must_not_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Any:
    return must_not_skip((yield))


def must_not_skip(report: Any) -> Any:
    """Turn a skip into a failure where everything is required; an expected failure stays one."""
    if report.skipped and not hasattr(report, "wasxfail") and is_all_required():
        report.outcome = "failed"
        report.longrepr = f"skipped, but HUB_REQUIRE_ALL=1: {reason_of(report)}"
    return report


def is_all_required() -> bool:
    return os.environ.get("HUB_REQUIRE_ALL", "") not in ("", "0")


def reason_of(report: Any) -> str:
    where = report.longrepr
    text = str(where[2]) if isinstance(where, tuple) else str(where)
    return text.removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """List what was skipped, by reason; also into the file HUB_TEST_SKIPS, for tools/test."""
    by_reason = defaultdict(list)
    for report in terminalreporter.stats.get("skipped", []):
        by_reason[reason_of(report)].append(report.nodeid)
    if not by_reason:
        return
    lines = [
        f"  {reason}: {len(nodes)} test{'s' if len(nodes) > 1 else ''}, such as {nodes[0]}"
        for reason, nodes in sorted(by_reason.items())
    ]
    if path := os.environ.get("HUB_TEST_SKIPS"):
        with Path(path).open("a") as file:
            file.write("\n".join(lines) + "\n")
    else:
        terminalreporter.section("not tested here")
        for line in lines:
            terminalreporter.write_line(line)
