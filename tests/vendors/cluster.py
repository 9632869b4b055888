"""A fake cluster with the hub's own watch of it, and runs as the hub makes them."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection

from hub.cluster.watch import Rhythm
from tests.fakes.cluster_api.server import NAMESPACE, ClusterApi
from tests.fakes.waiting import until
from tests.hub.cluster.specs import DIGEST
from vendors import cluster_runs
from vendors.cluster_setup import cluster_setup
from vendors.cluster_watch import Watch
from vendors.manifest import PerformerSpec, Resources
from vendors.performers.base import Run, Transfer
from vendors.performers.kubernetes import make


def settings_for(api: ClusterApi, folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "namespace": NAMESPACE, "kubeconfig": str(api.kubeconfig(folder)),
        "carrier_image": "registry.example/hub:1", "carrier_command": "python3 carrier.py",
        "tolerations": ["nvidia.com/gpu"],
        "priority_classes": ["hub-stat", "hub-routine", "hub-background"],
        "hub_url": "http://127.0.0.1:8000",
    } | changes  # fmt: skip


def performer_for(api: ClusterApi, folder: Path, **changes: Any) -> Any:
    return make(settings_for(api, folder, **changes))


def run_of(folder: Path, *, number: int = 0, **changes: Any) -> Run:
    """A run of a Workitem of its own."""
    uid = uuid.uuid4()
    url = f"http://127.0.0.1:8000/api/v1/runs/{uid}"
    spec = PerformerSpec(kind="kubernetes", image=f"registry.example/algo@{DIGEST}",
                         resources=Resources("1", "512Mi", 1), timeout_seconds=60)  # fmt: skip
    return Run(**{
        "name": f"{uid.hex}-{number}", "spec": spec, "input_dir": folder / "input",
        "output_dir": folder / "output", "work_dir": folder / "work",
        "transfer": Transfer(f"{url}/input", "in-token", f"{url}/output", "out-token", 1000),
        "labels": {"workitem": str(uid), "algorithm": "lung-nodule"},
    } | changes)  # fmt: skip


@contextmanager
def watched(
    api: ClusterApi, folder: Path, *, counts: list[int] | None = None, **rhythm: Any
) -> Iterator[list[str]]:
    """The hub's watch, in a thread; gives the names of runs that it told of, as they come.

    ``counts`` gets how many GPUs it saw.
    """
    told: list[str] = []
    counts = [] if counts is None else counts
    stop = threading.Event()
    watch = Watch(cluster_setup(settings_for(api, folder)), told.extend, counts.append)

    def work() -> None:
        try:
            watch.run(stop, rhythm=Rhythm(**{"longest_pause": 0.3} | rhythm))
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        until(lambda: cluster_runs.is_watched(NAMESPACE), "it is watched", seconds=20)
        yield told
    finally:
        stop.set()
        thread.join(20)


def wait_for(performer: Any, run: Run, *, seconds: float = 20.0) -> Any:
    """The progress of a run once it is over."""
    def over() -> Any:
        progress = performer.poll(run)
        return progress if progress.is_over else None

    return until(over, "the run is over", seconds=seconds)
