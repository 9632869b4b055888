"""The hub between real peers: one for all journeys that leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.modality import program
from tests.fakes.obstinate import Door, ObstinateRis
from tests.fakes.orthanc import running_orthanc
from tests.fakes.ports import free_ports
from tests.fakes.running_hub import running_hub
from tests.journeys.hospitals import ALGORITHMS, Hospital, setup_of
from tests.journeys.region import Region, Scan

TRUSTS = {
    "drammen": "vestre-viken", "baerum": "vestre-viken", "kongsberg": "vestre-viken",
    "ulleval": "ous",
}  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "journeys" in item.nodeid:
            item.add_marker(pytest.mark.peer)


@pytest.fixture(scope="package")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    """Four hospitals of two trusts, with a hub as a user runs it.

    Drammen has Orthanc and all algorithms; Bærum's PACS is a door that a test opens; Kongsberg has
    no algorithm; Ullevål belongs to the other trust.
    """
    program("storescu")
    folder = tmp_path_factory.mktemp("region")
    rises = {code: ObstinateRis() for code in TRUSTS}
    doors = {code: Door(port) for code, port in zip(TRUSTS, free_ports(4), strict=True)}
    doors["ulleval"].open()
    doors["kongsberg"].open()
    with running_orthanc(folder / "orthanc", ae_title="DRAMMENPACS") as pacs:
        ports = {code: door.port for code, door in doors.items()} | {"drammen": pacs.dicom_port}
        algorithms = {"drammen": tuple(ALGORITHMS), "kongsberg": ()}
        hospitals = [
            Hospital(code, trust, ports[code], rises[code].port, algorithms.get(code, ("finds",)))
            for code, trust in TRUSTS.items()
        ]
        setup = setup_of(hospitals, folder / "switches")
        # long enough for a study that says how many it is, and comes with a break
        with running_hub(folder / "hub", setup, HUB_QUIET_SECONDS="6") as hub:
            yield Region(hub, pacs, doors, rises, folder)
    for stand_in in (*doors.values(), *rises.values()):
        stand_in.close()


@pytest.fixture
def scan(region: Region) -> Scan:
    """A new study for the algorithm that finds something, on disk and not sent yet."""
    return region.scan()
