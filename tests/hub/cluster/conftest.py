"""A fake API server for each test, and a way to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.cluster.client import Cluster, ClusterSettings, connect
from tests.fakes.cluster_api.server import NAMESPACE, ClusterApi


@pytest.fixture
def api() -> Iterator[ClusterApi]:
    server = ClusterApi()
    yield server
    server.stop()


@pytest.fixture
def cluster(api: ClusterApi, tmp_path: Path) -> Cluster:
    return connect(ClusterSettings(NAMESPACE, str(api.kubeconfig(tmp_path)), read_seconds=5.0))
