"""Holds a cluster against what the hub's settings and its algorithms ask of it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hub.cluster import jobs
from hub.cluster.check import Demand, Line, Wanted, check
from hub.cluster.client import (
    Cluster,
    ClusterAway,
    ClusterRefused,
    ClusterSettings,
    NoCluster,
    connect,
)
from hub.cluster.looking import look
from hub.cluster.probe import probe_of, said_of
from hub.cluster.pulls import pull_of, pulled
from hub.cluster.seen import RunSeen
from hub.cluster.verdicts import RunVerdict, verdict
from vendors.cluster_setup import ClusterSetup, SetupRefused, cluster_setup
from vendors.manifest import PerformerSpec, Resources
from vendors.performers.base import Limits, Run, SubmitFailed, Transfer
from vendors.performers.kubernetes import KubernetesPerformer

_NO_DIGEST = "sha256:" + "0" * 64
# for a Job that tries everything, and for all images of vendors together
_PROBE_SECONDS, _PULL_SECONDS = 180.0, 900.0


def lines(
    settings: Mapping[str, Any], algorithms: Mapping[str, PerformerSpec], *, with_probe: bool
) -> Iterator[Line]:
    """All lines for the cluster of ``settings``; ``with_probe`` also runs a Job there."""
    try:
        setup = cluster_setup(settings)
        cluster = connect(ClusterSettings(setup.namespace, setup.kubeconfig))
        manifest = KubernetesPerformer(setup).manifest_of(_sample(setup))
    except (SetupRefused, NoCluster) as fault:
        yield Line("settings", "fails", str(fault))
        return
    except SubmitFailed as fault:
        yield Line("settings", "fails", fault.reason)
        return
    yield Line("settings", "ok", f"namespace {setup.namespace}")
    if "@sha256:" not in setup.carrier_image:
        says = f"{setup.carrier_image} is a tag: name it by its digest, or it may change unseen"
        yield Line("image of the carrier", "unseen", says)
    demands = tuple(_demand(setup, code, spec) for code, spec in sorted(algorithms.items()))
    wanted = Wanted(
        manifest, demands, setup.priority_classes, setup.runtime_class, setup.queue,
        is_warm=any(spec.is_warm for spec in algorithms.values()),
        gpu_resources=tuple(setup.gpu_resources.values()),
    )
    yield from check(cluster, wanted)
    if with_probe:
        yield from _probe(cluster, setup)
        yield from _pulls(cluster, setup, demands)


def _demand(setup: ClusterSetup, code: str, spec: PerformerSpec) -> Demand:
    limits, asked = Limits(), spec.resources
    disk = 2 * limits.output_bytes + limits.scratch_bytes
    return Demand(
        code, asked.cpu, asked.memory, asked.gpu, setup.gpu_resource_of(code.split()[0]), disk,
        spec.image,
    )  # fmt: skip


def _sample(setup: ClusterSetup) -> Run:
    """A run such as any other, of nobody."""
    url = f"{setup.hub_url.rstrip('/')}/api/v1/runs/check"
    nowhere = Path("check")
    image = setup.carrier_image.split("@")[0].rsplit(":", 1)[0] + "@" + _NO_DIGEST
    spec = PerformerSpec("kubernetes", image, resources=Resources("100m", "128Mi", 0))
    transfer = Transfer(f"{url}/input", "none", f"{url}/output", "none", 0)
    name = f"check-{secrets.token_hex(4)}"
    return Run(name, spec, nowhere, nowhere, nowhere, transfer=transfer)


def _probe(cluster: Cluster, setup: ClusterSetup) -> Iterator[Line]:
    """Run a Job that tries what a run must be able to do, and what it must not."""
    run = _sample(setup)
    manifest = probe_of(
        KubernetesPerformer(setup).manifest_of(run), image=setup.carrier_image,
        program=setup.carrier_command[0], hub_url=setup.hub_url,
    )  # fmt: skip
    name = manifest["metadata"]["name"]
    try:
        made = jobs.create(cluster, manifest)
        try:
            said = _wait(cluster, name, run.name, until=time.monotonic() + _PROBE_SECONDS)
            logs = _logs(cluster, run.name)
        finally:
            jobs.delete(cluster, name, uid=made.uid)
    except (ClusterRefused, ClusterAway) as fault:
        yield Line("probe", "fails", str(fault))
        return
    yield from said_of(said, logs)


def _pulls(cluster: Cluster, setup: ClusterSetup, demands: Sequence[Demand]) -> Iterator[Line]:
    """Let a node pull each image: all at once, for one may take minutes."""
    of_image: dict[str, str] = {}
    for demand in demands:
        of_image.setdefault(demand.image, demand.algorithm)
    made: dict[str, tuple[str, str]] = {}
    try:
        for image in of_image:
            run = _sample(setup)
            job = pull_of(KubernetesPerformer(setup).manifest_of(run), image)
            made[image] = (run.name, jobs.create(cluster, job).uid)
        ends_at = time.monotonic() + _PULL_SECONDS
        for image, (run_name, _uid) in made.items():
            said = _wait(cluster, f"hub-{run_name}", run_name, until=ends_at)
            yield pulled(f"probe: image of {of_image[image]}", said)
    except (ClusterRefused, ClusterAway) as fault:
        yield Line("probe: images", "fails", str(fault))
    finally:
        for run_name, uid in made.values():
            with suppress(ClusterRefused, ClusterAway):
                jobs.delete(cluster, f"hub-{run_name}", uid=uid)


def _wait(cluster: Cluster, name: str, run: str, *, until: float) -> RunVerdict:
    seen = RunSeen()
    while True:
        seen = look(cluster, name, run, seen) or seen.with_job_gone()
        said = verdict(seen, now=datetime.now(UTC))
        if said.is_over or time.monotonic() > until:
            return said
        time.sleep(1.0)


def _logs(cluster: Cluster, run: str) -> Sequence[str]:
    names = [pod["metadata"]["name"] for pod in jobs.pods_of(cluster, run)]
    return [
        jobs.log_tail(cluster, pod, container, lines=50)
        for pod in names[:1] for container in ("stage", "algorithm", "collector")
    ]  # fmt: skip
