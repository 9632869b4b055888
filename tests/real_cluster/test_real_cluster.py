"""The performer and the whole way against a real cluster: real images, real walls, real deaths.

`make test-kubernetes` with KUBECONFIG and HUB_TEST_ALGORITHM_IMAGE, the image of the example
algorithms by digest, pullable by (or present on) the nodes. HUB_TEST_CARRIER_IMAGE: the hub's own;
without it the carrier is handed to a Python of the algorithms' image.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from hub.cluster import jobs
from hub.cluster.client import Cluster
from tests.fakes.modality import program
from tests.fakes.obstinate import Door, ObstinateRis
from tests.fakes.ports import free_ports
from tests.fakes.running_hub import ROOT, RunningHub, running_hub
from tests.fakes.waiting import until
from tests.journeys.hospitals import HEAD_CT, ICH, Hospital, setup_of
from tests.journeys.region import Region
from tests.real_cluster.furnishing import NAMESPACE, furnished, hub_host, kubeconfig

IMAGE = os.environ["HUB_TEST_ALGORITHM_IMAGE"]
CARRIER = ROOT / "vendors" / "performers" / "carrier.py"
MISSING = IMAGE.split("@")[0] + "@sha256:" + "0" * 64
ABSENT = {"schema": "hub.findings/1", "outcome": "complete",
          "findings": [{"code": ICH, "status": "absent", "probability": 0.02}]}  # fmt: skip
# What looks whether the walls stand, from within: each line that it prints says what it found.
LOOK = f"""
import json, os, socket
def reach(host, port):
    try:
        socket.create_connection((host, port), 3).close()
        return True
    except OSError:
        return False
found = []
for path in ('/probe', '/input/probe', '/app/probe'):
    try:
        open(path, 'w')
        found.append(path + ' was written')
    except OSError:
        pass
if os.getuid() == 0:
    found.append('root')
for path in ('/var/run/secrets/kubernetes.io', '/var/run/hub'):
    if os.path.exists(path):
        found.append(path + ' is there')
try:
    socket.gethostbyname('kubernetes.default.svc')
    found.append('a name was looked up')
except OSError:
    pass
if {os.environ.get("HUB_TEST_ENFORCED", "")!r}:
    host = os.environ.get('KUBERNETES_SERVICE_HOST')
    if host and reach(host, int(os.environ['KUBERNETES_SERVICE_PORT'])):
        found.append('the API server was reached')
if found:
    raise SystemExit('; '.join(found))
open('/output/findings.json', 'w').write(json.dumps({ABSENT!r}))
"""
BEHAVIOUR: dict[str, dict[str, Any]] = {
    "finds": {"command": ["python3", "-c", LOOK]},
    "crashes": {"command": ["python3", "-c", "raise SystemExit('the model file is broken')"]},
    "refuses": {"command": ["python3", "-c", "raise SystemExit(65)"]},
    "overeats": {"command": ["python3", "-c", "x = bytearray(2**30); print(len(x))"],
                 "resources": {"memory": "64Mi"}},
    "hangs": {"command": ["python3", "-c", "import time; time.sleep(600)"], "timeout_seconds": 5},
    "absent": {"command": ["python3", "-c", "pass"], "image": MISSING},
    "greedy": {"command": ["python3", "-c", "pass"], "resources": {"gpu": 16}},
    "waits": {"command": ["python3", "-c", "import time; time.sleep(20)\n" + LOOK]},
}  # fmt: skip
WHY = {
    "crashes": "ended with exit code 1",
    "refuses": "ended with exit code 65",
    "overeats": "out of memory: the limit is 64Mi",
    "hangs": "timed out after 5 s",
    "absent": "image",
}


@dataclass
class Real:
    """A hub, and a cluster in which its algorithms run."""

    hub: RunningHub
    region: Region
    cluster: Cluster

    def jobs(self) -> list[Any]:
        return list(self.cluster.ask("GET", jobs.jobs_path(NAMESPACE)).body["items"])

    def pods(self) -> list[Any]:
        return list(self.cluster.ask("GET", jobs.pods_path(NAMESPACE)).body["items"])

    def send(self, does: str, **changes: Any) -> Any:
        scan = self.region.scan(does, **changes)
        self.region.order(scan.order())
        self.region.send(scan)
        return scan


def set_up(setup: str) -> str:
    """The set-up file, with algorithms that do what BEHAVIOUR says in the cluster."""
    document = yaml.safe_load(setup)
    known = {one["code"]: one for one in document["algorithms"]}
    sample = known["finds"]
    document["algorithms"] = []
    for code in (HEAD_CT, *BEHAVIOUR):
        algorithm = json.loads(json.dumps(known.get(code, sample)))
        algorithm |= {"code": code, "name": code}
        manifest = algorithm["versions"][0]["manifest"]
        manifest["algorithm"] = code
        performer = {"kind": "kubernetes", "image": IMAGE, "timeout_seconds": 120,
                     "concurrency": 4, "resources": {"cpu": "500m", "memory": "512Mi"}}  # fmt: skip
        if code == HEAD_CT:
            performer["command"] = manifest["performer"]["command"]
        manifest["performer"] = performer | BEHAVIOUR.get(code, {})
        document["algorithms"].append(algorithm)
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False)


def carrier() -> dict[str, str]:
    if image := os.environ.get("HUB_TEST_CARRIER_IMAGE"):
        return {"HUB_CLUSTER_CARRIER_IMAGE": image}
    command = shlex.join(["python3", "-I", "-S", "-c", CARRIER.read_text()])
    return {"HUB_CLUSTER_CARRIER_IMAGE": IMAGE, "HUB_CLUSTER_CARRIER_COMMAND": command}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    program("storescu")
    folder = tmp_path_factory.mktemp("real")
    ris = ObstinateRis()
    door = Door(*free_ports(1))
    door.open()
    hospital = Hospital(
        "drammen", "vestre-viken", door.port, ris.port, (HEAD_CT, *BEHAVIOUR)
    )
    (port,) = free_ports(1)
    settings = {
        "HUB_BIND": "0.0.0.0", "HUB_HTTP_PORT": str(port),
        "HUB_ALLOWED_HOSTS": f"127.0.0.1,{hub_host()}",
        "HUB_CLUSTER_HUB_URL": f"http://{hub_host()}:{port}",
        "HUB_CLUSTER_NAMESPACE": NAMESPACE, "HUB_CLUSTER_KUBECONFIG": kubeconfig(),
    }  # fmt: skip
    setup = set_up(setup_of([hospital], folder / "switches"))
    with (
        furnished(port) as cluster,
        running_hub(folder / "hub", setup, **settings, **carrier()) as hub,
    ):
        hub.http_port = port
        region = Region(hub, door.pacs, {"drammen": door}, {"drammen": ris}, folder)
        yield Real(hub, region, cluster)
    door.close()
    ris.close()


def test_the_example_algorithm_reads_a_head_and_the_pacs_gets_its_report(real: Real) -> None:
    scan = real.send("head", slices=28, size=256)
    (item,) = real.region.settled(scan, seconds=300)["workitems"]
    assert item["state"] == "written_back"
    assert len(real.region.doors["drammen"].pacs.of_study(scan.uid)) >= 1
    assert real.region.usage(scan) == 1


def test_the_walls_stand_where_an_algorithm_tries_them(real: Real) -> None:
    scan = real.send("finds")
    (item,) = real.region.settled(scan, seconds=300)["workitems"]
    assert item["state"] == "written_back", item["why"]


def test_failures_are_told_apart(real: Real) -> None:
    scans = {does: real.send(does) for does in WHY}
    for does, why in WHY.items():
        study = real.region.settled(scans[does], seconds=600)
        (item,) = study["workitems"]
        assert item["state"] == "failed", does
        assert why in item["why"], does
        assert real.region.usage(scans[does]) == 0


def test_who_asks_for_more_than_there_is_waits_and_says_so(real: Real) -> None:
    scan = real.send("greedy")

    def why() -> str:
        (item,) = real.region.study(scan)["workitems"] or [{"why": ""}]
        return item["why"] if "waits for room" in item["why"] else ""

    assert "of those that wait" in until(why, "it says what it waits for", seconds=120)


def test_a_pod_that_is_evicted_runs_again_and_is_billed_once(real: Real) -> None:
    scan = real.send("waits")

    def running() -> Any:
        return next((one for one in real.pods() if one["metadata"]["labels"].get(
            "hub.avrop/algorithm") == "waits" and any(
            "running" in state["state"]
            for state in one["status"].get("initContainerStatuses", ())
            if state["name"] == "algorithm")), None)  # fmt: skip

    pod = until(running, "the algorithm runs", seconds=120)
    name = pod["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction",
                "metadata": {"name": name, "namespace": NAMESPACE}}  # fmt: skip
    real.cluster.ask("POST", f"{jobs.pods_path(NAMESPACE, name)}/eviction", body=eviction)
    (item,) = real.region.settled(scan, seconds=300)["workitems"]
    assert item["state"] == "written_back"
    assert real.region.usage(scan) == 1


def test_what_runs_while_hub_processes_die_comes_to_its_end(real: Real) -> None:
    scan = real.send("waits")
    until(lambda: real.pods(), "its pod is there", seconds=120)
    assert real.hub.kill("watch_cluster")
    assert real.hub.kill("worker")
    (item,) = real.region.settled(scan, seconds=300)["workitems"]
    assert item["state"] == "written_back"


def test_nothing_is_left_of_what_is_over(real: Real) -> None:
    def left() -> list[str]:
        marks = (one["metadata"]["labels"]["hub.avrop/algorithm"] for one in real.jobs())
        return [code for code in marks if code != "greedy"]

    until(lambda: not left(), "all Jobs are deleted", seconds=120)


def test_cluster_check_with_its_probe_says_what_is_so(real: Real) -> None:
    said = real.hub.manage("cluster", "check", "--probe", is_fine=False)
    for line in ("right to jobs", "a Job of the hub", "Pod Security", "PriorityClass hub-stat",
                 "network: default deny", "probe: the hub is reached",
                 "probe: the root is read-only", "probe: it has no account"):  # fmt: skip
        assert f"ok     {line}" in said, said
