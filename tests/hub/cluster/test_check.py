"""`cluster check`: each line passes, or says what to do."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from hub.cluster.check import Demand, Wanted, check
from hub.cluster.checks import policies, quantity, why_no_node
from hub.cluster.manifests import job_manifest
from hub.cluster.pods import Wall
from hub.cluster.probe import probe_of, said_of
from hub.cluster.pulls import pull_of, pulled
from hub.cluster.verdicts import RunVerdict
from tests.fakes.cluster_api.admission import pod_security
from tests.fakes.cluster_api.server import NAMESPACE
from tests.fakes.recordings import needs_recordings, recording
from tests.hub.cluster.recorded import moments
from tests.hub.cluster.specs import DIGEST, spec

DEMAND = Demand("lung-nodule 1.0", "2", "4Gi", 1, "nvidia.com/gpu", 3 * 2**30,
                f"registry.example/algo@{DIGEST}")  # fmt: skip
WANTED = Wanted(job_manifest(spec()), (DEMAND,), ("hub-stat", "hub-routine", "hub-background"))
DENY = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
TO_HUB = {
    "podSelector": {"matchLabels": {"hub.avrop/kind": "run"}}, "policyTypes": ["Egress"],
    "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.7/32"}}], "ports": [{"port": 8000}]}],
}  # fmt: skip


def furnish(api) -> None:
    """All that an administrator makes once."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.store.add("namespaces", {"metadata": {"name": NAMESPACE, "labels": labels}})
    for name, value in (("hub-stat", 100000), ("hub-routine", 10000), ("hub-background", 1000)):
        api.store.add("priorityclasses", {"metadata": {"name": name}, "value": value})
    api.store.add("networkpolicies", {"metadata": {"name": "default-deny"}, "spec": DENY})
    api.store.add("networkpolicies", {"metadata": {"name": "to-hub"}, "spec": TO_HUB})
    there = {"cpu": "16", "memory": "64Gi", "ephemeral-storage": "100Gi", "nvidia.com/gpu": "2"}
    images = [{"names": [DEMAND.image, "registry.example/algo:1"]}]
    status = {"allocatable": there, "images": images}
    api.store.add("nodes", {"metadata": {"name": "gpu1"}, "status": status})


def found(cluster, wanted=WANTED) -> dict[str, tuple[str, str]]:
    return {line.what: (line.state, line.says) for line in check(cluster, wanted)}


def failing(cluster, wanted=WANTED) -> dict[str, str]:
    lines = found(cluster, wanted)
    return {what: says for what, (state, says) in lines.items() if state == "fails"}


def test_a_cluster_that_has_all_passes_and_nothing_is_made_there(api, cluster) -> None:
    furnish(api)
    lines = found(cluster)
    assert {state for state, _ in lines.values()} == {"ok"}
    assert len(lines) == 16
    assert lines["GPUs (nvidia.com/gpu)"] == ("ok", "2 in all")
    assert lines["storage of runs (ephemeral-storage)"][1] == "100 GiB on the node that has most"
    assert lines["image of lung-nodule 1.0"] == ("ok", "lies on 1 of 1 nodes")
    assert api.store.all("jobs") == []


def test_each_right_that_is_missing_is_named(api, cluster) -> None:
    furnish(api)
    api.allowed = lambda asked: (asked["resource"], asked["verb"]) not in {
        ("jobs", "patch"), ("events", "list"), ("events", "watch"),
    }  # fmt: skip
    said = failing(cluster)
    assert "patch on jobs" in said[f"right to jobs in {NAMESPACE}"]
    assert "list, watch on events" in said[f"right to events in {NAMESPACE}"]
    assert len(said) == 2


def test_an_empty_cluster_is_told_all_that_it_lacks(api, cluster) -> None:
    api.store.add("namespaces", {"metadata": {"name": NAMESPACE}})
    said = failing(cluster, replace(WANTED, runtime_class="nvidia", queue="hub"))
    assert "pod-security.kubernetes.io/enforce=restricted" in said["Pod Security"]
    assert "HUB_CLUSTER_PRIORITY_CLASSES" in said["PriorityClass hub-stat"]
    assert "podSelector {}" in said["network: default deny"]
    assert "HUB_CLUSTER_RUNTIME_CLASS" in said["RuntimeClass nvidia"]
    assert "Kueue is not installed" in said["Kueue's LocalQueue hub"]
    assert "no node has any" in said["GPUs (nvidia.com/gpu)"]
    assert said["algorithm lung-nodule 1.0"] == "there is no node"


def test_what_the_account_may_not_see_fails_nothing(api, cluster) -> None:
    furnish(api)
    own = {"jobs", "pods", "events"}
    api.allowed = lambda asked: asked["resource"] in own
    lines = found(cluster)
    assert [what for what, (state, _) in lines.items() if state == "fails"] == []
    assert lines["nodes"][0] == lines["image of lung-nodule 1.0"][0] == "unseen"
    assert lines["network policies"][0] == "unseen"


def test_a_job_that_would_be_warned_of_fails(api, cluster) -> None:
    furnish(api)
    manifest = job_manifest(spec())
    del manifest["spec"]["template"]["spec"]["securityContext"]
    said = failing(cluster, replace(WANTED, manifest=manifest))
    assert "would violate PodSecurity" in said["a Job of the hub"]
    api.admission.quota = 0
    assert "exceeded quota" in failing(cluster)["a Job of the hub"]


def test_an_algorithm_that_no_node_can_ever_hold_is_told_apart_from_a_busy_cluster(
    api, cluster
) -> None:
    furnish(api)
    said = failing(cluster, replace(WANTED, demands=(replace(DEMAND, gpu=3),)))
    assert said == {
        "algorithm lung-nodule 1.0": "no node is large enough: asks for 3 of nvidia.com/gpu, "
        "which none has with the rest"
    }


def test_what_gpus_are_called_for_a_site_is_looked_for_as_well(api, cluster) -> None:
    furnish(api)
    wanted = replace(WANTED, gpu_resources=("nvidia.com/mig-1g.5gb", "nvidia.com/gpu"))
    lines = found(cluster, wanted)
    assert lines["GPUs (nvidia.com/gpu)"] == ("ok", "2 in all")
    assert lines["GPUs (nvidia.com/mig-1g.5gb)"][0] == "fails"
    # where nothing asks for any, nothing is missed
    quiet = replace(wanted, demands=(replace(DEMAND, gpu=0),))
    assert not failing(cluster, quiet)


def test_an_image_that_no_node_has_and_nodes_without_disk_are_told(api, cluster) -> None:
    furnish(api)
    node = api.store.get("nodes", "gpu1")
    node["status"] = {"allocatable": {"cpu": "16", "memory": "64Gi", "nvidia.com/gpu": "2"}}
    api.store.change("nodes", node)
    lines = found(cluster)
    assert "no node offers any" in failing(cluster)["storage of runs (ephemeral-storage)"]
    state, says = lines["image of lung-nodule 1.0"]
    assert state == "unseen"
    assert "`--probe` tells whether it can be pulled" in says


def test_a_limit_range_that_is_too_small_is_named(api, cluster) -> None:
    furnish(api)
    limits = [{"type": "Container", "max": {"memory": "1Gi"}}]
    api.store.add("limitranges", {"metadata": {"name": "l"}, "spec": {"limits": limits}})
    assert list(check(cluster, WANTED))
    says = [line.says for line in check(cluster, WANTED) if line.state == "fails"]
    assert says == ["asks for 4Gi of memory, the LimitRange allows 1Gi"]


def test_without_an_api_server_nothing_else_is_said(api, cluster) -> None:
    api.stop()
    (line,) = check(cluster, WANTED)
    assert line.state == "fails"
    assert "HUB_CLUSTER_KUBECONFIG" in line.says
    api.start_again()


def test_policies_are_read_for_the_pods_of_runs_alone() -> None:
    marks = {"hub.avrop/kind": "run"}

    def of(*specs):
        items = [{"metadata": {"name": f"p{n}"}, "spec": one} for n, one in enumerate(specs)]
        return policies(items, marks)

    other = {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"]}
    assert not of(other).is_denied
    assert of(DENY).is_denied
    assert of(DENY, TO_HUB).ways == ("p1",)
    everything = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}
    assert of(DENY, everything).is_open == ("p1",)
    several = [{"key": "hub.avrop/kind", "operator": "In", "values": ["run"]}]
    assert of({"podSelector": {"matchExpressions": several}, "policyTypes": ["Egress"]}).is_denied


@pytest.mark.parametrize(
    ("peer", "is_open"),
    [
        ({"ipBlock": {"cidr": "0.0.0.0/0"}}, True),
        ({"ipBlock": {"cidr": "::/0", "except": ["fd00::1/128"]}}, True),
        ({"namespaceSelector": {}}, True),
        ({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "web"}}}, False),
        ({"podSelector": {"matchLabels": {"app": "web"}}}, False),
        ({"ipBlock": {"cidr": "10.0.0.7/32"}}, False),
    ],
    ids=str,
)
def test_a_way_to_everybody_is_none_to_the_hub_also_where_it_names_a_port(
    peer: dict, is_open: bool
) -> None:
    spec_ = {"podSelector": {}, "policyTypes": ["Egress"],
             "egress": [{"to": [peer], "ports": [{"port": 443}]}]}  # fmt: skip
    found_ = policies([{"metadata": {"name": "out"}, "spec": spec_}], {"hub.avrop/kind": "run"})
    assert (found_.is_open, found_.ways) == ((("out",), ()) if is_open else ((), ("out",)))


@needs_recordings
def test_the_recorded_node_and_policies_are_read() -> None:
    bodies = {one["request"]["path"].split("/")[-1]: one["response"]["body"]
              for one in recording("00").exchanges}  # fmt: skip
    read = policies(bodies["networkpolicies"]["items"], {"hub.example.org/egress": "hub"})
    assert (read.is_denied, read.ways, read.is_open) == (True, ("collector-to-hub",), ())
    from hub.cluster.checks import node_of

    node = node_of(bodies["node1"])
    assert node.count("nvidia.com/gpu") == 2
    assert why_no_node([node], {"nvidia.com/gpu": "2", "memory": "64Mi"}) == ""
    assert "3 of nvidia.com/gpu" in why_no_node([node], {"nvidia.com/gpu": "3"})


@pytest.mark.parametrize(
    ("text", "number"), [("500m", 0.5), ("2", 2), ("1Gi", 2**30), ("1.5G", 1.5e9), ("0", 0)]
)
def test_quantities_are_numbers(text: str, number: float) -> None:
    assert float(quantity(text)) == number


def test_the_probe_is_walled_in_as_any_run_and_tries_from_all_three_containers() -> None:
    whole = job_manifest(spec())
    probe = probe_of(whole, image="hub@x", program="python3", hub_url="http://hub:8000/")
    assert pod_security(probe["spec"]["template"]) == ""
    pod = probe["spec"]["template"]["spec"]
    everyone = [*pod["initContainers"], *pod["containers"]]
    assert {one["image"] for one in everyone} == {"hub@x"}
    for one in everyone:
        compile(one["command"][2], one["name"], "exec")
    assert "http://hub:8000/health/live" in everyone[0]["command"][2] or (
        "'http://hub:8000' + '/health/live'" in everyone[0]["command"][2]
    )
    assert job_manifest(spec()) == whole


def test_the_probe_waits_for_the_wall_where_runs_do() -> None:
    wall = Wall(("python", "wall.py"), 20)
    probe = probe_of(job_manifest(spec(wall=wall)), image="hub@x", program="python3",
                     hub_url="http://hub:8000/")  # fmt: skip
    begin = probe["spec"]["template"]["spec"]["initContainers"]
    assert [one["command"][1] for one in begin] == ["-c", "wall.py", "-c"]


def test_a_wall_that_comes_late_is_told_from_one_that_does_not_come() -> None:
    whole = probe_of(job_manifest(spec()), image="hub@x", program="python3", hub_url="http://h")
    walls = whole["spec"]["template"]["spec"]["initContainers"][1]["command"][2]
    looks = walls[: walls.index("host = os.environ")]
    with socket.create_server(("127.0.0.1", 0), backlog=64) as door:
        port = door.getsockname()[1]
        closing = threading.Timer(1.2, door.close)
        closing.start()
        tried = f"{looks}\nreach('the API server is out of reach', '127.0.0.1', {port})\n"
        told = subprocess.run([sys.executable, "-c", tried * 2], capture_output=True, text=True,
                              check=True, timeout=60).stdout  # fmt: skip
        closing.join()
    (late, closed, _end) = said_of(RunVerdict("succeeded"), [told])
    assert late.state == "fails"
    assert late.says.startswith("in the first 2 s a connection to 127.0.0.1 was made")
    assert "HUB_CLUSTER_WALL_SECONDS" in late.says
    assert closed.state == "ok"


def test_to_pull_an_image_a_pod_stands_behind_the_same_walls_and_starts_nothing() -> None:
    whole = job_manifest(spec(placement=replace(spec().placement, queue="hub")))
    assert whole["spec"]["suspend"] is True
    job = pull_of(whole, DEMAND.image)
    template = job["spec"]["template"]
    assert pod_security(template) == ""
    assert "suspend" not in job["spec"]
    assert template["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert template["spec"]["nodeSelector"] == {"gpu": "a100"}
    (only,) = template["spec"]["containers"]
    assert only["image"] == DEMAND.image
    assert "nvidia.com/gpu" not in str(only["resources"])
    assert "token" not in str(template["metadata"])
    assert "initContainers" not in template["spec"]


@needs_recordings
@pytest.mark.parametrize(
    ("start", "state", "says"),
    [
        ("25a", "ok", "was pulled"),
        ("25b", "ok", "was pulled"),
        ("06b", "fails", "the registry has no such image"),
        ("06d", "fails", "the registry refuses the image"),
        ("06c", "fails", "connection refused"),
        ("07a", "unseen", "waits"),
        ("17", "fails", "violates PodSecurity"),
    ],
)
def test_what_becomes_of_a_pull_is_told_as_it_was_recorded(
    start: str, state: str, says: str
) -> None:
    line = pulled("image", moments(start)[-1].verdict)
    assert line.state == state
    assert says in line.says


def test_what_a_probe_found_becomes_lines() -> None:
    logs = ["the hub is reached: no: timed out\n", "the root is read-only: ok\nnoise\n"]
    lines = {one.what: (one.state, one.says) for one in said_of(RunVerdict("succeeded"), logs)}
    assert lines["probe: the hub is reached"] == ("fails", "timed out")
    assert lines["probe: the root is read-only"] == ("ok", "tried")
    assert lines["probe"][0] == "ok"
    (last,) = said_of(RunVerdict("failed", "no such image"), [])
    assert (last.state, last.says) == ("fails", "no such image")
