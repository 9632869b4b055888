"""A hub on this host whose algorithms run in a real cluster, and what each of them does there."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hub.cluster import deployments, jobs
from hub.cluster.client import Cluster
from tests.fakes.modality import program
from tests.fakes.obstinate import Door, ObstinateRis
from tests.fakes.ports import free_ports
from tests.fakes.running_hub import ROOT, RunningHub, running_hub
from tests.fakes.waiting import until
from tests.journeys.hospitals import HEAD_CT, ICH, Hospital, setup_of
from tests.journeys.region import Region
from tests.real_cluster.furnishing import NAMESPACE, furnished, hub_host, kubeconfig

IMAGE = os.environ.get("HUB_TEST_ALGORITHM_IMAGE", "")
# accelerators that the tests may take of one node; without, what needs one is left out
GPUS = int(os.environ.get("HUB_TEST_GPUS", "0"))
PERFORMERS = ROOT / "vendors" / "performers"
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
"""
TELL = f"import json\nopen('/output/findings.json', 'w').write(json.dumps({ABSENT!r}))\n"
# One that stays up: it loads, and takes some seconds for each study; it says who else it found.
STAYS = f"""
import json, os, time
open('/output/ready', 'w').close()
while True:
    if not os.path.exists('/output/request.json') or os.path.exists('/output/response.json'):
        time.sleep(0.02)
        continue
    asked = json.load(open('/output/request.json'))
    others = set(os.listdir('/output')) - {{asked['run'], 'ready', 'request.json'}}
    assert os.path.exists('/output/' + asked['input'] + '/study.json')
    time.sleep(8)
    with open('/output/' + asked['output'] + '/findings.json', 'w') as file:
        json.dump({ABSENT!r}, file)
    said = {{'run': asked['run'], 'exit_code': 3 if others else 0, 'why': str(others)}}
    with open('/output/.part', 'w') as file:
        json.dump(said, file)
    os.replace('/output/.part', '/output/response.json')
"""


def _python(*program_text: str, **more: Any) -> dict[str, Any]:
    return {"command": ["python3", "-c", "\n".join(program_text)], **more}


def _sleep(seconds: int) -> str:
    return f"import time; time.sleep({seconds})"


BEHAVIOUR: dict[str, dict[str, Any]] = {
    "finds": _python(LOOK, TELL),
    "crashes": _python("raise SystemExit('the model file is broken')"),
    "refuses": _python("raise SystemExit(65)"),
    "overeats": _python("x = bytearray(2**30); print(len(x))", resources={"memory": "64Mi"}),
    "hangs": _python(_sleep(600), timeout_seconds=5),
    "absent": _python("pass", image=MISSING),
    "greedy": _python("pass", resources={"gpu": 16}),
    "waits": _python(_sleep(20), TELL),
    # all accelerators of a node, and one of them
    "holds": _python(_sleep(20), TELL, resources={"gpu": GPUS}),
    "grabs": _python(TELL, resources={"gpu": min(GPUS, 1)}),
    "stays": _python(STAYS, serving="warm", max=1),
}
CODES = (HEAD_CT, *BEHAVIOUR)


@dataclass
class Real:
    """A hub, and a cluster in which its algorithms run."""

    hub: RunningHub
    region: Region
    cluster: Cluster

    def jobs(self) -> list[Any]:
        return list(self.cluster.ask("GET", jobs.jobs_path(NAMESPACE)).body["items"])

    def pods(self, does: str = "") -> list[Any]:
        """The pods of an algorithm, or all."""
        found = self.cluster.ask("GET", jobs.pods_path(NAMESPACE)).body["items"]
        return [one for one in found if does in ("", algorithm_of(one))]

    def servers(self) -> list[Any]:
        path = deployments.deployments_path(NAMESPACE)
        return list(self.cluster.ask("GET", path).body["items"])

    def send(
        self, does: str, *, priority: str = "R", slices: int = 10, **changes: Any
    ) -> Any:
        """A study that says itself how many instances it has: on a slow host no gap closes it."""
        changes |= {"NumberOfStudyRelatedInstances": slices}
        scan = self.region.scan(does, slices=slices, **changes)
        self.region.order(scan.order(priority=priority))
        self.region.send(scan)
        return scan

    def running(self, does: str) -> Any:
        """A pod of the algorithm once that runs in it."""
        def look() -> Any:
            return next((one for one in self.pods(does) if _runs(one)), None)

        return until(look, f"{does} runs", seconds=180)

    def ended(self, scan: Any, *, seconds: float = 300) -> Any:
        """The one Workitem of a study, once it is over."""
        (item,) = self.region.settled(scan, seconds=seconds)["workitems"]
        return item

    def assert_written_back_once(self, scan: Any) -> None:
        item = self.ended(scan)
        assert item["state"] == "written_back", item["why"]
        assert self.region.usage(scan) == 1
        assert len(self.region.told(scan, "ORU^R01")) == 1


def algorithm_of(obj: Any) -> str:
    return str(obj["metadata"]["labels"].get("hub.avrop/algorithm", ""))


def _runs(pod: Any) -> bool:
    status = pod["status"]
    states = (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
    return "deletionTimestamp" not in pod["metadata"] and any(
        "running" in one["state"] for one in states if one["name"] == "algorithm"
    )


def set_up(setup: str) -> str:
    """The set-up file, with algorithms that do what BEHAVIOUR says in the cluster."""
    document = yaml.safe_load(setup)
    known = {one["code"]: one for one in document["algorithms"]}
    document["algorithms"] = []
    for code in CODES:
        algorithm = json.loads(json.dumps(known.get(code, known["finds"])))
        algorithm |= {"code": code, "name": code}
        manifest = algorithm["versions"][0]["manifest"]
        manifest["algorithm"] = code
        performer = {"kind": "kubernetes", "image": IMAGE, "timeout_seconds": 120,
                     "concurrency": 4, "resources": {"cpu": "250m", "memory": "256Mi"}}  # fmt: skip
        if code == HEAD_CT:
            performer["command"] = manifest["performer"]["command"]
        does = BEHAVIOUR.get(code, {})
        performer["resources"] |= does.get("resources", {})
        manifest["performer"] = performer | {k: v for k, v in does.items() if k != "resources"}
        document["algorithms"].append(algorithm)
    document["frameworks"][0]["price_book"] = [
        {"algorithm": code, "model": "flat", "unit_price": "10.00"} for code in CODES
    ]
    for row in document["deployments"]:
        row |= {"state": "clinical", "write_back": "automatic"}
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False)


def carrier() -> dict[str, str]:
    """The hub's own image, or its two programs handed to the Python of the algorithms' image."""
    if image := os.environ.get("HUB_TEST_CARRIER_IMAGE"):
        return {"HUB_CLUSTER_CARRIER_IMAGE": image}
    waits = (PERFORMERS / "wall.py").read_text()
    carries = (PERFORMERS / "carrier.py").read_text()
    attends = (
        "import sys, types\n"
        "sys.modules['carrier'] = carrier = types.ModuleType('carrier')\n"
        f"exec({carries!r}, carrier.__dict__)\n"
        "__file__ = '/attendant.py'\n"
    ) + (PERFORMERS / "attendant.py").read_text().replace("from __future__ import annotations", "")
    python = ("python3", "-I", "-S", "-c")
    return {
        "HUB_CLUSTER_CARRIER_IMAGE": IMAGE,
        "HUB_CLUSTER_CARRIER_COMMAND": shlex.join([*python, carries]),
        "HUB_CLUSTER_ATTENDANT_COMMAND": shlex.join([*python, attends]),
        "HUB_CLUSTER_WALL_COMMAND": shlex.join([*python, waits]),
    }


@contextmanager
def real_hub(folder: Path, **more: str) -> Iterator[Real]:
    """A hospital, its PACS and RIS, the hub, and the furnished namespace."""
    program("storescu")
    ris = ObstinateRis()
    door = Door(*free_ports(1))
    door.open()
    hospital = Hospital("drammen", "vestre-viken", door.port, ris.port, CODES)
    (port,) = free_ports(1)
    settings = {
        "HUB_BIND": "0.0.0.0", "HUB_HTTP_PORT": str(port), "HUB_QUIET_SECONDS": "60",
        "HUB_ALLOWED_HOSTS": f"127.0.0.1,{hub_host()}",
        "HUB_CLUSTER_HUB_URL": f"http://{hub_host()}:{port}",
        "HUB_CLUSTER_NAMESPACE": NAMESPACE, "HUB_CLUSTER_KUBECONFIG": kubeconfig(),
        "HUB_CLUSTER_WALL_SECONDS": os.environ.get("HUB_TEST_WALL_SECONDS", "0"),
    } | more  # fmt: skip
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
