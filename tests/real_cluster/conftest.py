"""Tests against the cluster of KUBECONFIG; only `make test-kubernetes` collects them."""

from __future__ import annotations

import os

# A cluster is nothing that a test run may start by itself, so without one these are not skipped:
# they are not there.
collect_ignore_glob = [] if os.environ.get("HUB_TEST_ALGORITHM_IMAGE") else ["test_*.py"]
