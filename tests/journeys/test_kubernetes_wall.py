"""Studies in a cluster whose policies come late: an algorithm begins behind a wall, or not at all.

What its pods can reach is a door on loopback that stands for the API server's.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.fakes.cluster_api.kubelet import Kubelet
from tests.fakes.cluster_api.server import ClusterApi
from tests.fakes.modality import program
from tests.fakes.obstinate import Door, ObstinateRis
from tests.fakes.ports import free_ports
from tests.fakes.running_hub import running_hub
from tests.fakes.waiting import until
from tests.journeys.hospitals import Hospital, setup_of
from tests.journeys.region import Region
from tests.journeys.test_kubernetes import Clustered, in_the_cluster, settings_of


@dataclass
class Open(Clustered):
    """A region, and the door that its runs must not reach."""

    door: socket.socket

    def begun(self, name: str) -> int:
        return sum(one["name"] == name for one in self.kubelet.seen)


@pytest.fixture
def wide_open(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    program("storescu")
    folder = tmp_path_factory.mktemp("wall")
    door = socket.create_server(("127.0.0.1", 0), backlog=512)
    api, ris = ClusterApi(), ObstinateRis()
    kubelet = Kubelet(gpus=2, api_server=door.getsockname())
    api.actor = kubelet
    pacs = Door(*free_ports(1))
    pacs.open()
    hospital = Hospital("drammen", "vestre-viken", pacs.port, ris.port, ("finds",))
    settings = settings_of(api, folder, HUB_CLUSTER_WALL_SECONDS="3")
    setup = in_the_cluster(setup_of([hospital], folder / "switches"))
    with running_hub(folder / "hub", setup, **settings) as hub:
        region = Region(hub, pacs.pacs, {"drammen": pacs}, {"drammen": ris}, folder)
        yield Open(region, api, kubelet, door)
    for one in (pacs, ris, door):
        one.close()
    api.stop()


def test_an_algorithm_begins_once_its_network_is_closed_and_never_on_an_open_one(
    wide_open: Open,
) -> None:
    """First none comes within the time, three times; then one comes while it is waited for."""
    scan, study = wide_open.run("finds", seconds=90)
    (item,) = study["workitems"]
    assert item["state"] == "failed"
    assert "its network was not seen to close" in item["why"]
    assert f"port {wide_open.door.getsockname()[1]} is still reached after 3 s" in item["why"]
    assert (wide_open.begun("wall"), wide_open.begun("algorithm")) == (3, 0)
    assert wide_open.region.usage(scan) == 0
    assert wide_open.region.told(scan, "ORU^R01") == []
    second = wide_open.region.scan("finds")
    wide_open.region.order(second.order())
    wide_open.region.send(second)
    until(lambda: wide_open.begun("wall") == 4, "it waits for its wall", seconds=60)
    time.sleep(1.0)
    assert wide_open.begun("algorithm") == 0
    wide_open.door.close()
    (item,) = wide_open.region.settled(second, seconds=60)["workitems"]
    assert item["state"] == "written_back", item["why"]
    assert wide_open.begun("algorithm") == 1
    assert wide_open.region.usage(second) == 1
