"""Runs as the hub describes them to a cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hub.cluster.manifests import Carrier, JobSpec, Need, Placement

DIGEST = "sha256:" + "a1" * 32
GIB = 2**30


def spec(run: str = "0f" * 16 + "-0", **changes: Any) -> JobSpec:
    """A run that asks for one GPU."""
    whole = JobSpec(
        name=f"hub-{run}",
        run=run,
        image=f"registry.example/algo@{DIGEST}",
        command=("python", "run.py"),
        environment={"HUB_INPUT_DIR": "/input", "HUB_OUTPUT_DIR": "/output", "HOME": "/tmp"},
        need=Need("2", "4Gi", 1, "nvidia.com/gpu", GIB, GIB, GIB, GIB // 4),
        carrier=Carrier(
            image="registry.example/hub:1", command=("python", "-I", "-S", "carrier.py"),
            input_url="http://hub-web:8000/api/v1/runs/x/input", input_token="in-secret",
            output_url="http://hub-web:8000/api/v1/runs/x/output", output_token="out-secret",
            addresses={"hub-web": "10.0.0.7"},
        ),
        placement=Placement(
            node_selector={"gpu": "a100"}, runtime_class="nvidia", priority_class="hub-stat",
            tolerations=({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},),
            pull_secrets=("registry",),
        ),
        timeout_seconds=300, wait_seconds=14400, keep_seconds=3600,
        labels={"hub.avrop/algorithm": "lung-nodule"}, final_exit_codes=(64, 65, 66, 78),
    )  # fmt: skip
    return replace(whole, **changes)
