"""What every process of the hub imports as it starts: a command is to answer in a second."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What only pages, sums, pictures or a cluster need; together they took longer than all the rest.
NOT_AT_ONCE = (
    "rest_framework.views", "rest_framework.serializers", "numpy", "pydicom", "kubernetes",
)  # fmt: skip
STARTED = "import django, sys; django.setup(); print(*sys.modules)"


def test_a_process_starts_without_what_few_commands_need() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    imported = set(done.stdout.split())
    assert "routing.models" in imported
    assert imported.isdisjoint(NOT_AT_ONCE)
