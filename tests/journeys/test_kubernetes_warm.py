"""Studies over a warm server in a cluster: one takes them one after another, and is lost once.

The API server is a fake whose kubelet really runs both containers; the attendant comes to the
hub's own HTTP for its runs.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
import yaml

from tests.fakes.cluster_api.kubelet import Kubelet
from tests.fakes.cluster_api.server import ClusterApi
from tests.fakes.modality import program
from tests.fakes.obstinate import Door, ObstinateRis
from tests.fakes.ports import free_ports
from tests.fakes.running_hub import running_hub
from tests.fakes.waiting import until
from tests.journeys.hospitals import Hospital, setup_of
from tests.journeys.region import Region
from tests.journeys.test_kubernetes import IMAGE, Clustered, settings_of

SECONDS = 1.0


def kept_warm(setup: str) -> str:
    """The set-up file with its algorithms kept warm in the cluster, one GPU each."""
    document = yaml.safe_load(setup)
    for algorithm in document["algorithms"]:
        for version in algorithm["versions"]:
            version["manifest"]["performer"] |= {
                "kind": "kubernetes", "image": IMAGE, "resources": {"gpu": 1},
                "command": ["python", "-m", "tests.fakes.warm_algorithm", "0.2", str(SECONDS)],
                "serving": "warm", "max": 1, "timeout_seconds": 60,
            }  # fmt: skip
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False)


def begun(kubelet: Kubelet, name: str) -> int:
    """How many containers of this name were started."""
    return sum(one["name"] == name for one in kubelet.seen)


def closed_late(kubelet: Kubelet, door: socket.socket) -> None:
    """The API server is out of reach once the wall of the first server was tried in vain."""
    until(lambda: begun(kubelet, "wall") >= 2, "the wall is tried again", seconds=120)
    door.close()


@pytest.fixture
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clustered]:
    program("storescu")
    folder = tmp_path_factory.mktemp("warm")
    door = socket.create_server(("127.0.0.1", 0), backlog=512)
    api, ris = ClusterApi(), ObstinateRis()
    kubelet = Kubelet(gpus=1, api_server=door.getsockname())
    api.actor = kubelet
    closing = threading.Thread(target=closed_late, args=(kubelet, door))
    closing.start()
    pacs = Door(*free_ports(1))
    pacs.open()
    hospital = Hospital("drammen", "vestre-viken", pacs.port, ris.port, ("finds",))
    settings = settings_of(api, folder, HUB_CLUSTER_WALL_SECONDS="1")
    setup = kept_warm(setup_of([hospital], folder / "switches"))
    with running_hub(folder / "hub", setup, **settings) as hub:
        yield Clustered(
            Region(hub, pacs.pacs, {"drammen": pacs}, {"drammen": ris}, folder), api, kubelet
        )
    for one in api.store.all("deployments"):
        api.store.remove("deployments", one["metadata"]["name"])
    for pod in api.store.all("pods"):
        api.store.remove("pods", pod["metadata"]["name"])
    pacs.close()
    ris.close()
    api.stop()
    closing.join()


@pytest.mark.long
def test_one_server_takes_one_study_after_another_and_what_it_loses_runs_again(
    warm: Clustered,
) -> None:
    for _ in range(2):
        scan, study = warm.run("finds", seconds=60)
        (item,) = study["workitems"]
        assert item["state"] == "written_back", item["why"]
        assert warm.region.usage(scan) == 1
    names = [one["name"] for one in warm.kubelet.seen]
    assert names.index("algorithm") > names.index("wall", names.index("wall") + 1)
    assert warm.api.requests["POST deployments"] == 1
    assert warm.api.requests["POST jobs"] == 0
    assert scan.uid not in str(warm.api.log)
    # a node that is drained takes the pod with it while a study is in it
    third = warm.region.scan("finds")
    warm.region.order(third.order())
    warm.region.send(third)
    at_work = "SELECT 1 FROM vendors_warmserver WHERE run <> ''"
    until(lambda: warm.region.hub.rows(at_work), "a run was given", seconds=30)
    (pod,) = warm.api.store.all("pods")
    warm.api.store.remove("pods", pod["metadata"]["name"])
    study = warm.region.settled(third, seconds=60)
    (item,) = study["workitems"]
    assert item["state"] == "written_back", item["why"]
    assert warm.region.usage(third) == 1
    moves = [move["to_state"] for move in study["transitions"] if move["workitem"]]
    assert moves.count("dispatched") == 2
    assert warm.api.requests["POST deployments"] == 2
