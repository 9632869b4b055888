"""What an administrator sets about the cluster in which algorithms run (HUB_CLUSTER_*)."""

from __future__ import annotations

import os
from typing import Any

from hub.environment import pairs, text, texts, whole


def read() -> dict[str, Any]:
    """The settings of the performer ``kubernetes``; ``namespace`` is empty where there is none."""
    return {
        "namespace": text("HUB_CLUSTER_NAMESPACE", ""),
        "kubeconfig": text("HUB_CLUSTER_KUBECONFIG", os.environ.get("KUBECONFIG", "")),
        "carrier_image": text("HUB_CLUSTER_CARRIER_IMAGE", ""),
        "carrier_command": text(
            "HUB_CLUSTER_CARRIER_COMMAND", "python3 -I -S /app/vendors/performers/carrier.py"
        ),
        "attendant_command": text(
            "HUB_CLUSTER_ATTENDANT_COMMAND",
            "python3 -I -S /app/vendors/performers/attendant.py",
        ),
        "wall_command": text(
            "HUB_CLUSTER_WALL_COMMAND", "python3 -I -S /app/vendors/performers/wall.py"
        ),
        "wall_seconds": whole("HUB_CLUSTER_WALL_SECONDS", 0, least=0, most=300),
        "wall_addresses": texts("HUB_CLUSTER_WALL_ADDRESSES"),
        "ca_file": text("HUB_CLUSTER_CA_FILE", ""),
        "gpu_resource": text("HUB_CLUSTER_GPU_RESOURCE", "nvidia.com/gpu"),
        "gpu_resources": pairs("HUB_CLUSTER_GPU_RESOURCES"),
        "node_selector": pairs("HUB_CLUSTER_NODE_SELECTOR"),
        "tolerations": texts("HUB_CLUSTER_TOLERATIONS", ("nvidia.com/gpu",)),
        "runtime_class": text("HUB_CLUSTER_RUNTIME_CLASS", ""),
        "priority_classes": texts(
            "HUB_CLUSTER_PRIORITY_CLASSES", ("hub-stat", "hub-routine", "hub-background")
        ),
        "pull_secrets": texts("HUB_CLUSTER_PULL_SECRETS"),
        "queue": text("HUB_CLUSTER_KUEUE_QUEUE", ""),
    }
