"""Which faults are tried: the short ones always, the long ones with --long (make faults)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.modality import program
from tests.fakes.running_hub import ROOT
from tests.faults.trusts import Trusts, two_trusts
from tests.upgrades.schema import recorded


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


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """A clone without the commit of the release before (shallow, a tarball) cannot run its code."""
    if collection_path.name != "test_upgrade.py":
        return None
    words = ["git", "cat-file", "-e", f"{recorded().commit}^{{commit}}"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, check=False)
    return True if done.returncode else None
