"""Which faults are tried: the short ones always, the long ones with --long (make faults)."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.fakes.modality import program
from tests.faults.trusts import Trusts, two_trusts


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/faults/" in item.nodeid:
            item.add_marker(pytest.mark.peer)


@pytest.fixture(scope="session")
def seconds_of_faults(pytestconfig: pytest.Config) -> float:
    """For how long a test at random goes on."""
    return float(pytestconfig.getoption("--seconds"))


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """What makes chance repeatable; printed, so that a failure can be run again."""
    given = pytestconfig.getoption("--seed")
    chosen = int.from_bytes(os.urandom(4)) if given is None else int(given)
    print(f"seed {chosen}")
    return chosen


@pytest.fixture(scope="session")
def trusts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trusts]:
    """Two hospitals with a hub on the embedded database and broker, for all tests of a process."""
    program("storescu")
    with two_trusts(tmp_path_factory.mktemp("trusts")) as trusts:
        yield trusts
