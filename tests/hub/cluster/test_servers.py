"""A warm server's Deployment behind the same walls as a Job, and what its pods say of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.cluster.failure import Failure
from hub.cluster.pods import Wall
from hub.cluster.seen import ContainerSeen, PodSeen, RunSeen
from hub.cluster.servers import (
    Attendant,
    ServerSpec,
    deployment_manifest,
    fingerprint,
    outline,
    stands,
)
from tests.fakes.cluster_api.admission import _unknown, pod_security
from tests.hub.cluster.specs import spec as job_spec

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def spec(**changes: Any) -> ServerSpec:
    job = job_spec()
    return replace(ServerSpec(
        name="hub-warm-v1-o2-0-abc", key="v1-o2-0-abc", image=job.image, command=job.command,
        environment={"HUB_SERVING": "warm"}, need=job.need, placement=job.placement,
        attendant=Attendant("registry.example/hub:1", ("python", "attendant.py"),
                            "http://hub-web:8000/api/v1/servers/v1-o2-0-abc", "server-secret",
                            {"hub-web": "10.0.0.7"}),
        labels={"hub.avrop/algorithm": "lung-nodule"},
    ), **changes)  # fmt: skip


def containers(manifest: Any) -> dict[str, Any]:
    pod = manifest["spec"]["template"]["spec"]
    return {one["name"]: one for one in pod["containers"]}


def test_a_server_stands_behind_the_walls_of_a_job() -> None:
    manifest = deployment_manifest(spec())
    pod = manifest["spec"]["template"]["spec"]
    assert pod_security(manifest["spec"]["template"]) == ""
    assert list(_unknown(manifest, "V1Deployment", "")) == []
    assert pod["automountServiceAccountToken"] is pod["enableServiceLinks"] is False
    assert (pod["dnsPolicy"], pod["dnsConfig"]) == ("None", {"nameservers": ["127.0.0.1"]})
    assert all(one["securityContext"]["readOnlyRootFilesystem"]
               for one in containers(manifest).values())  # fmt: skip
    # the policy that lets runs reach the hub, and nothing else, is that of Jobs
    assert manifest["spec"]["template"]["metadata"]["labels"]["hub.avrop/kind"] == "run"
    assert pod["runtimeClassName"] == "nvidia"
    limits = containers(manifest)["algorithm"]["resources"]["limits"]
    assert (limits["nvidia.com/gpu"], limits["memory"]) == ("1", "4Gi")
    with pytest.raises(ValueError, match="by its digest"):
        deployment_manifest(spec(image="registry.example/algo:1"))


def test_the_token_is_the_attendants_alone_and_stands_in_no_command() -> None:
    found = containers(deployment_manifest(spec()))
    mounts = {name: {one["mountPath"] for one in box["volumeMounts"]}
              for name, box in found.items()}  # fmt: skip
    assert "/var/run/hub" in mounts["attendant"]
    assert mounts["algorithm"] == {"/input", "/output", "/tmp", "/dev/shm"}
    assert "server-secret" not in str(found)
    assert "server-secret" not in repr(spec())


def test_one_pod_and_never_a_second_beside_it() -> None:
    said = deployment_manifest(spec())["spec"]
    assert (said["replicas"], said["strategy"]) == (1, {"type": "Recreate"})
    assert said["selector"]["matchLabels"].items() <= said["template"]["metadata"]["labels"].items()


def test_certificates_reach_who_speaks_to_the_hub_and_nobody_else() -> None:
    manifest = deployment_manifest(spec(attendant=replace(spec().attendant, ca="PEM")))
    found = containers(manifest)
    assert "--ca-file" in found["attendant"]["command"]
    assert "trusted" in str(found["attendant"]["volumeMounts"])
    assert "trusted" not in str(found["algorithm"])
    assert manifest["spec"]["template"]["metadata"]["annotations"]["hub.avrop/ca"] == "PEM"


def test_another_image_or_carrier_is_another_server_and_another_token_is_not() -> None:
    mine = fingerprint(spec())
    other = replace(spec().attendant, token="x", url="y")
    assert fingerprint(spec(attendant=other, name="a", key="b")) == mine
    assert fingerprint(spec(image="registry.example/algo@sha256:" + "b" * 64)) != mine
    newer = replace(spec().attendant, image="registry.example/hub:2")
    assert fingerprint(spec(attendant=newer)) != mine


def test_where_policies_come_late_no_container_begins_before_the_wall_stands() -> None:
    wall = Wall(("python", "wall.py"), 20)
    template = deployment_manifest(spec(wall=wall))["spec"]["template"]
    (waits,) = template["spec"]["initContainers"]
    assert waits["command"] == ["python", "wall.py", "--seconds", "20"]
    assert pod_security(template) == ""
    assert fingerprint(spec(wall=wall)) != fingerprint(spec())
    assert "initContainers" not in deployment_manifest(spec())["spec"]["template"]["spec"]


def pod(name: str = "p", *boxes: ContainerSeen, **said: Any) -> PodSeen:
    return PodSeen(f"uid-{name}", name, containers=boxes, **said)


RUNS = ContainerSeen("algorithm", "running", started_at="2026-11-30T11:00:00Z")
NO_IMAGE = ContainerSeen("algorithm", "waiting", "ImagePullBackOff")
GONE = {"disruption": "TaintManagerEviction", "disruption_message": "deleting"}
# what was seen, of whom it is asked, how it stands, why, and what kind of failure that is
STANDS: dict[str, tuple[tuple[PodSeen, ...], str, str, str, Failure | None]] = {
    "nothing yet": ((), "", "coming", "is started", None),
    "no room": ((pod(no_place="0/1 nodes: 1 Insufficient nvidia.com/gpu."),), "", "coming",
                "Insufficient nvidia.com/gpu", Failure.NO_PLACE),
    "in a queue": ((pod(no_place="Scheduling is blocked due to non-empty scheduling gates"),), "",
                   "coming", "waits in the queue of the cluster", Failure.NO_PLACE),
    "no image": ((pod("p", NO_IMAGE, pull_error="x: y: not found"),), "", "lost",
                 "no such image", Failure.IMAGE),
    "its network open": ((pod("p", ContainerSeen("wall", "waiting", "CrashLoopBackOff", restarts=2,
                                                 last_exit_code=75)),), "", "coming",
                         "until its network is closed", Failure.WALL),
    "runs": ((pod("p", RUNS),), "", "up", "", None),
    "runs with a run": ((pod("p", RUNS),), "p", "up", "", None),
    "not told of yet": ((), "p", "up", "", None),
    "crashed": ((pod("p", ContainerSeen("algorithm", "terminated", "Error", exit_code=3)),), "p",
                "lost", "ended with exit code 3", Failure.EXIT_CODE),
    "started anew": ((pod("p", replace(RUNS, restarts=1, last_exit_code=9)),), "p", "lost",
                     "ended with exit code 9", Failure.EXIT_CODE),
    "out of memory": ((pod("p", replace(RUNS, restarts=1, last_reason="OOMKilled")),), "p",
                      "lost", "out of memory", Failure.MEMORY),
    "evicted": ((pod("p", RUNS, reason="Evicted", message="The node was low on resource: x."),),
                "p", "lost", "took the run away", Failure.DISRUPTION),
    "tainted": ((pod("p", RUNS, **GONE),), "p", "lost", "TaintManager", Failure.DISRUPTION),
    "deleted": ((pod("p", RUNS, is_gone=True), pod("q", RUNS)), "p", "lost", "deleted",
                Failure.DISRUPTION),
    "come back": ((pod("p", RUNS, is_gone=True), pod("q", RUNS)), "", "up", "", None),
    "silent": ((pod("p", RUNS, silent_since="2026-11-30T11:50:00Z", node="n1"),), "p", "lost",
               "has not answered", Failure.DISRUPTION),
}  # fmt: skip


@pytest.mark.parametrize("case", STANDS)
def test_how_a_server_stands_is_told_from_its_pods(case: str) -> None:
    seen, its, state, why, failure = STANDS[case]
    found = stands(RunSeen(pods=seen), pod=its, now=NOW)
    assert (found.state, found.failure) == (state, failure)
    assert why in found.why
    if state == "lost":
        assert found.is_disruption is (failure is Failure.DISRUPTION)


def test_what_changes_how_it_stands_is_news() -> None:
    before = RunSeen(pods=(pod("p", RUNS),))
    after = RunSeen(pods=(pod("p", replace(RUNS, restarts=1)),))
    assert outline(before) == outline(RunSeen.from_json(before.as_json())) != outline(after)
    late = NOW - timedelta(seconds=10)
    assert stands(before, pod="p", now=late).state == "up"
