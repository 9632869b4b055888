"""An algorithm that fails harms nobody: the study is read as ordered, nothing is sent or billed."""

from __future__ import annotations

import pytest

from tests.journeys.hospitals import BEHAVIOUR
from tests.journeys.region import Region, Scan

WHY = {
    "crashes": "ended with exit code 3",
    "hangs": "timed out after 1 s",
    "babbles": "findings.json is not as agreed",
    "oversteps": "region",
}


@pytest.fixture(scope="module")
def failed(region: Region) -> dict[str, Scan]:
    """A study for each way to fail, sent at once: trying again takes its time."""
    scans = {does: region.scan(does) for does in WHY}
    for number, scan in enumerate(scans.values()):
        region.order(scan.order(priority="A" if number % 2 else "R"))
        region.send(scan)
    return scans


@pytest.mark.parametrize("does", sorted(WHY))
def test_a_failed_algorithm_blocks_nothing_and_is_told(
    region: Region, failed: dict[str, Scan], does: str
) -> None:
    scan = failed[does]
    study = region.settled(scan)
    (item,) = study["workitems"]
    assert item["state"] == "failed"
    assert WHY[does] in item["why"]
    assert study["ai_state"] == "failed"
    assert study["reason"].startswith("AI failed")
    assert study["findings"] == []
    region.assert_nothing_left(scan)
    assert scan.uid in region.hub.manage("deadletters")


def test_a_failure_leaves_the_order_to_read_as_it_was(
    region: Region, failed: dict[str, Scan]
) -> None:
    for scan in failed.values():
        region.settled(scan)
    uids = {scan.uid for scan in failed.values()}
    rows = [
        row for row in region.hub.worklist(user="radiologist.drammen")
        if row["study_instance_uid"] in uids
    ]  # fmt: skip
    assert [row["priority"] for row in rows] == ["HIGH", "HIGH", "ROUTINE", "ROUTINE"]


def test_a_crash_is_tried_again_and_then_left_to_a_person(
    region: Region, failed: dict[str, Scan]
) -> None:
    study = region.settled(failed["crashes"])
    moves = [move["to_state"] for move in study["transitions"] if move["workitem"]]
    assert moves.count("dispatched") == 3


def test_a_replay_delivers_once_the_cause_is_gone(region: Region) -> None:
    scan = region.scan("babbles")
    region.order(scan.order())
    region.send(scan)
    (item,) = region.settled(scan)["workitems"]
    assert item["state"] == "failed"
    region.switch("babbles", "present")
    try:
        region.hub.ask(f"workitems/{item['uid']}/replay/", user="admin", post={})
        study = region.settled(scan)
    finally:
        region.switch("babbles", BEHAVIOUR["babbles"])
    assert (study["workitems"][0]["state"], study["ai_state"]) == ("written_back", "done")
    assert study["priority"] == "STAT"
    assert len(region.received(scan, site="drammen")) == 1
    assert len(region.told(scan, "ORU^R01")) == 1
    assert len(region.told(scan, "OMI^O23")) == 1
    assert region.usage(scan) == 1
