"""Tests against the cluster of KUBECONFIG; only `make test-kubernetes` collects them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.real_cluster.real_hub import Real, real_hub

IMAGE = "HUB_TEST_ALGORITHM_IMAGE"
# A cluster is nothing that a test run may start by itself, so without one these are not skipped:
# they are not there.
collect_ignore_glob = [] if os.environ.get(IMAGE) else ["test_*.py"]
# What somebody must give for a test that needs more than a cluster, and what it is then.
MEANS = {
    IMAGE: "the image of the example algorithms by digest, which the nodes have or can pull",
    "HUB_TEST_GPUS": "accelerators (nvidia.com/gpu) of one node that the tests may take",
    "HUB_TEST_NODES": "set where a node may be tainted, which everything leaves",
    "HUB_TEST_LOSE_NODE": "a command that takes one of several nodes away, and brings it back",
    "HUB_TEST_RESTART_API": "a command that kills the API server and starts it again",
    "HUB_TEST_ADMIT": "set where no Kueue is at work: the tests admit Jobs in its place",
    "HUB_TEST_KUEUE": "a ClusterQueue of a Kueue that is at work",
    "HUB_TEST_ENFORCED": "set where something enforces network policies",
}
LEFT_OUT = pytest.StashKey[list[str]]()


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with real_hub(tmp_path_factory.mktemp("real")) as made:
        yield made


@pytest.fixture
def leave_out(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say at the end what a test could not try here, though it passed."""
    kept = request.config.stash[LEFT_OUT]
    return lambda why: kept.append(f"{request.node.name}: in part, because {why}")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(variable): left out where that is not set")
    config.stash[LEFT_OUT] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what whoever runs the tests gave nothing for, and say so at the end."""
    lacking = {item: [mark.args[0] for mark in item.iter_markers("needs")
                      if not os.environ.get(mark.args[0])] for item in items}  # fmt: skip
    out = [item for item, names in lacking.items() if names]
    for item in out:
        config.stash[LEFT_OUT].append(f"{item.name}: skipped, because {_unset(*lacking[item])}")
    items[:] = [item for item in items if item not in out]
    config.hook.pytest_deselected(items=out)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    lines = list(config.stash[LEFT_OUT])
    if not any("real_cluster" in one for one in config.args):
        return
    if not os.environ.get(IMAGE):
        lines.append(f"everything: skipped, because {_unset(IMAGE)}")
    elif not os.environ.get("HUB_TEST_ENFORCED"):
        lines.append(f"what a run reaches: skipped, because {_unset('HUB_TEST_ENFORCED')}")
    terminalreporter.section("not tried on this cluster")
    for line in lines or ["nothing: all was tried"]:
        terminalreporter.write_line(f"  {line}")


def _unset(*names: str) -> str:
    return "; ".join(f"{name} is not set ({MEANS[name]})" for name in names)
