"""A study over a cluster: its input goes into a pod and its findings come out, by the hub's doors.

The API server is a fake with a kubelet that really runs the three containers of a pod; what they
fetch and bring goes through the hub's own HTTP.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fakes.cluster_api.kubelet import Kubelet
from tests.fakes.cluster_api.server import NAMESPACE, ClusterApi
from tests.fakes.modality import program
from tests.fakes.obstinate import Door, ObstinateRis
from tests.fakes.ports import free_ports
from tests.fakes.running_hub import ROOT, running_hub
from tests.fakes.waiting import until
from tests.hub.cluster.specs import DIGEST
from tests.journeys.hospitals import Hospital, setup_of
from tests.journeys.region import Region

IMAGE = f"registry.example/algorithm@{DIGEST}"
ALGORITHMS = ("finds", "crashes", "hangs", "clears")


@dataclass
class Clustered:
    """A region whose algorithms run in a cluster."""

    region: Region
    api: ClusterApi
    kubelet: Kubelet

    def run(self, does: str, **seconds: Any) -> tuple[Any, dict[str, Any]]:
        """A study for an algorithm, ordered, sent, and settled."""
        scan = self.region.scan(does)
        self.region.order(scan.order())
        self.region.send(scan)
        return scan, self.region.settled(scan, **seconds)


def in_the_cluster(setup: str) -> str:
    """The set-up file with its algorithms moved into the cluster, one GPU each."""
    document = yaml.safe_load(setup)
    for algorithm in document["algorithms"]:
        for version in algorithm["versions"]:
            performer = version["manifest"]["performer"]
            if performer["kind"] == "process":
                performer |= {"kind": "kubernetes", "image": IMAGE, "resources": {"gpu": 1}}
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False)


@pytest.fixture(scope="module")
def clustered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clustered]:
    program("storescu")
    folder = tmp_path_factory.mktemp("clustered")
    api, kubelet, ris = ClusterApi(), Kubelet(gpus=2), ObstinateRis()
    api.actor = kubelet
    door = Door(*free_ports(1))
    door.open()
    hospital = Hospital("drammen", "vestre-viken", door.port, ris.port, ALGORITHMS)
    setup = in_the_cluster(setup_of([hospital], folder / "switches"))
    with running_hub(folder / "hub", setup, **settings_of(api, folder)) as hub:
        region = Region(hub, door.pacs, {"drammen": door}, {"drammen": ris}, folder)
        yield Clustered(replace(region), api, kubelet)
    door.close()
    ris.close()
    api.stop()


def settings_of(api: ClusterApi, folder: Path, **more: str) -> dict[str, str]:
    """The variables of a hub whose algorithms run there, by the programs of this checkout."""
    programs = ("carrier", "attendant", "wall")
    commands = {
        f"HUB_CLUSTER_{name.upper()}_COMMAND":
            f"{sys.executable} -I -S {carrier().with_name(f'{name}.py')}"
        for name in programs
    }  # fmt: skip
    return commands | more | {
        "HUB_CLUSTER_NAMESPACE": NAMESPACE,
        "HUB_CLUSTER_KUBECONFIG": str(api.kubeconfig(folder)),
        "HUB_CLUSTER_CARRIER_IMAGE": f"registry.example/avrop@{DIGEST}",
    }  # fmt: skip


def carrier() -> Path:
    return ROOT / "vendors" / "performers" / "carrier.py"


def test_a_finding_travels_from_the_pod_to_pacs_ris_and_worklist(clustered: Clustered) -> None:
    scan, study = clustered.run("finds")
    (item,) = study["workitems"]
    assert item["state"] == "written_back"
    assert study["priority"] == "STAT"
    assert len(clustered.region.doors["drammen"].pacs.of_study(scan.uid)) == 1
    assert len(clustered.region.told(scan, "ORU^R01")) == 1
    assert clustered.region.usage(scan) == 1
    job = next(body for what, resource, body in clustered.api.log
               if (what, resource) == ("POST", "jobs"))  # fmt: skip
    assert job["metadata"]["labels"]["hub.avrop/workitem"] == item["uid"]
    said = str(job)
    for secret in (scan.uid, scan.patient_id, scan.accession_number, "snes"):
        assert secret not in said


def test_nothing_is_left_in_the_cluster(clustered: Clustered) -> None:
    _, study = clustered.run("clears")
    assert study["workitems"][0]["state"] == "written_back"
    until(lambda: not clustered.api.store.all("jobs"), "the Job is deleted")
    until(lambda: not clustered.api.store.all("pods"), "its pod is deleted")
    asked = [body for what, resource, body in clustered.api.log
             if (what, resource) == ("DELETE", "jobs")]  # fmt: skip
    assert {body["propagationPolicy"] for body in asked} == {"Background"}
    assert all(body["preconditions"]["uid"] for body in asked)


def test_the_algorithm_was_given_no_token_and_no_address(clustered: Clustered) -> None:
    clustered.run("clears")
    given = [one for one in clustered.kubelet.seen if one["name"] == "algorithm"]
    assert given
    for one in given:
        said = f"{one['words']} {one['env']}"
        assert "token" not in said
        assert "http" not in said


def test_a_crash_is_tried_again_and_told_with_its_last_lines(clustered: Clustered) -> None:
    scan, study = clustered.run("crashes", seconds=90)
    (item,) = study["workitems"]
    assert item["state"] == "failed"
    assert "ended with exit code 3" in item["why"]
    moves = [move["to_state"] for move in study["transitions"] if move["workitem"]]
    assert moves.count("dispatched") == 3
    kept = clustered.region.hub.rows(
        "SELECT log_tail FROM routing_workitem WHERE state = 'failed'"
    )
    assert [text for (text,) in kept if "the model file is broken" in text]
    clustered.region.assert_nothing_left(scan)


def test_what_hangs_is_ended_by_its_own_clock(clustered: Clustered) -> None:
    scan, study = clustered.run("hangs", seconds=90)
    (item,) = study["workitems"]
    assert item["state"] == "failed"
    assert "timed out after 1 s" in item["why"]
    until(lambda: not clustered.api.store.all("pods"), "nothing runs any more")
    clustered.region.assert_nothing_left(scan)


def test_who_finds_no_gpu_waits_says_so_and_is_run_when_one_is_free(clustered: Clustered) -> None:
    for _ in range(2):
        clustered.kubelet.take_gpus(1, lambda: True)
    scan = clustered.region.scan("clears")
    clustered.region.order(scan.order())
    clustered.region.send(scan)
    try:
        def why() -> str:
            study = clustered.region.hub.study(scan.uid, user="radiologist.drammen")
            return study["workitems"][0]["why"] if study and study["workitems"] else ""

        said = until(lambda: why() if "Insufficient" in why() else "", "it says what it waits for")
        assert "number 1 of those that wait" in said
    finally:
        clustered.kubelet.give_gpus(2)
    (item,) = clustered.region.settled(scan)["workitems"]
    assert item["state"] == "written_back"


def test_what_runs_while_the_watch_and_the_worker_die_comes_to_its_end(
    clustered: Clustered,
) -> None:
    clustered.region.switch("clears", "slow 2")
    try:
        scan = clustered.region.scan("clears")
        clustered.region.order(scan.order())
        clustered.region.send(scan)
        until(lambda: clustered.api.store.all("pods"), "its pod is there")
        assert clustered.region.hub.kill("watch_cluster")
        assert clustered.region.hub.kill("worker")
        (item,) = clustered.region.settled(scan, seconds=90)["workitems"]
        assert item["state"] == "written_back"
        assert clustered.region.usage(scan) == 1
    finally:
        clustered.region.switch("clears", "absent")


def test_an_api_server_that_dies_in_between_loses_nothing(clustered: Clustered) -> None:
    clustered.region.switch("clears", "slow 2")
    try:
        scan = clustered.region.scan("clears")
        clustered.region.order(scan.order())
        clustered.region.send(scan)
        until(lambda: clustered.api.store.all("pods"), "its pod is there")
        clustered.api.stop()
        until(lambda: not clustered.api.watches, "nobody watches", seconds=180)
        clustered.api.start_again()
        (item,) = clustered.region.settled(scan, seconds=90)["workitems"]
        assert item["state"] == "written_back"
    finally:
        clustered.region.switch("clears", "absent")


def test_the_cluster_check_says_what_is_missing_and_ends_with_1(clustered: Clustered) -> None:
    hub = clustered.region.hub
    said = hub.manage("cluster", "check", is_fine=False)
    assert "ok     settings: namespace" in said
    assert "FAILS  PriorityClass hub-stat" in said
    assert "must be put right" in said
    assert os.environ.get("HUB_CLUSTER_NAMESPACE") is None
