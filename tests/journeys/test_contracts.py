"""What may leave the hub: nothing without a contract, without acceptance, or from a shadow."""

from __future__ import annotations

import urllib.error

import pytest

from tests.fakes.running_hub import Json
from tests.journeys.region import Region, Scan, field

RADIOLOGIST = "radiologist.drammen"


def held(region: Region) -> tuple[Scan, Json]:
    """A study whose result waits for a radiologist, and its Workitem."""
    scan = region.scan("waits")
    region.order(scan.order())
    region.send(scan)
    study = region.settled(scan)
    (item,) = study["workitems"]
    assert (item["state"], study["ai_state"]) == ("held", "held")
    region.assert_nothing_left(scan)
    return scan, item


def test_without_a_contract_nothing_is_sent_and_a_sentence_says_why(region: Region) -> None:
    scan = region.scan("uncovered")
    region.order(scan.order())
    region.send(scan)
    study = region.settled(scan)
    (item,) = study["workitems"]
    assert item["state"] == "refused"
    assert "call-off" in item["why"].lower()
    assert len(item["why"].split()) > 5
    assert item["why"] in region.hub.manage("explain", scan.uid)
    assert study["priority"] == "ROUTINE"
    region.assert_nothing_left(scan)
    assert not (region.hub.state / "work" / item["uid"].replace("-", "")).exists()


def test_a_held_result_leaves_once_a_radiologist_accepts_it(region: Region) -> None:
    scan, item = held(region)
    answer = region.hub.ask(f"workitems/{item['uid']}/accept/", user=RADIOLOGIST, post={})
    assert answer["review"] == "accepted"
    study = region.settled(scan)
    assert (study["workitems"][0]["state"], study["priority"]) == ("written_back", "STAT")
    assert len(region.received(scan, site="drammen")) == 1
    assert len(region.told(scan, "ORU^R01")) == 1
    assert len(region.told(scan, "OMI^O23")) == 1
    assert region.usage(scan) == 1


def test_a_rejected_result_never_leaves(region: Region) -> None:
    scan, item = held(region)
    reason = {"reason": "motion artefact"}
    region.hub.ask(f"workitems/{item['uid']}/reject/", user=RADIOLOGIST, post=reason)
    study = region.settled(scan)
    assert study["workitems"][0]["state"] == "rejected"
    assert "motion artefact" in study["workitems"][0]["why"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        region.hub.ask(f"workitems/{item['uid']}/accept/", user=RADIOLOGIST, post={})
    assert refused.value.code == 409
    region.assert_nothing_left(scan)


def test_a_result_rejected_after_it_left_is_cancelled_at_the_ris(
    region: Region, scan: Scan
) -> None:
    region.send(scan)
    (item,) = region.settled(scan)["workitems"]
    reason = {"reason": "old blood"}
    region.hub.ask(f"workitems/{item['uid']}/reject/", user=RADIOLOGIST, post=reason)
    study = region.settled(scan)
    results = region.told(scan, "ORU^R01")
    assert [field(one, "OBR", 25) for one in results] == ["P", "X"]
    assert (study["priority"], study["findings"]) == ("ROUTINE", [])


def test_a_shadow_sends_nothing_and_is_not_billed(region: Region) -> None:
    scan = region.scan("shadows")
    region.order(scan.order())
    region.send(scan)
    study = region.settled(scan)
    (item,) = study["workitems"]
    assert (item["state"], item["purpose"]) == ("withheld", "shadow")
    assert (study["priority"], study["findings"]) == ("ROUTINE", [])
    region.assert_nothing_left(scan)
