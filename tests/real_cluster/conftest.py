"""Tests against the cluster of KUBECONFIG; only `make test-kubernetes` collects them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.real_cluster.real_hub import Real, real_hub

# A cluster is nothing that a test run may start by itself, so without one these are not skipped:
# they are not there.
collect_ignore_glob = [] if os.environ.get("HUB_TEST_ALGORITHM_IMAGE") else ["test_*.py"]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with real_hub(tmp_path_factory.mktemp("real")) as made:
        yield made


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(variable): left out where that is not set")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, which is no skip, what whoever runs the tests gave nothing for."""
    out = [item for item in items
           for mark in item.iter_markers("needs") if not os.environ.get(mark.args[0])]  # fmt: skip
    items[:] = [item for item in items if item not in out]
    config.hook.pytest_deselected(items=out)
