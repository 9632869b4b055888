"""A destination that is dead, silent or unwilling: the others go on, and nothing is lost."""

from __future__ import annotations

import urllib.request
from functools import partial

import pytest

from tests.fakes.running_hub import Json
from tests.fakes.waiting import until
from tests.journeys.region import Region, Scan, field


def delivery(region: Region, scan: Scan, kind: str, *, site: str = "drammen") -> Json:
    """The one Delivery of a kind of a study."""
    (found,) = [one for one in region.study(scan, site=site)["deliveries"] if one["kind"] == kind]
    return found


def await_tried(region: Region, scan: Scan, kind: str, *, site: str = "drammen") -> Json:
    """A Delivery that was tried in vain and waits to be tried again."""

    def look() -> Json | None:
        study = region.study(scan, site=site)
        found = [one for one in study["deliveries"] if one["kind"] == kind and one["attempts"]]
        return found[0] if found else None

    one = until(look, f"{kind} was tried")
    assert one["state"] == "pending"
    return one


def test_a_dead_pacs_holds_up_nobody_else_and_gets_all_when_it_returns(region: Region) -> None:
    door = region.doors["baerum"]
    refused, unheard = region.scan(), region.scan()
    region.send(refused, site="baerum")
    assert "refused" in await_tried(region, refused, "dicom", site="baerum")["last_error"].lower()
    door.fall_silent()
    region.send(unheard, site="baerum")
    until(lambda: door.callers, "the hub calls the silent PACS")
    # while it waits for an answer that never comes
    elsewhere = region.scan()
    region.send(elsewhere, site="ulleval")
    region.settled(elsewhere, site="ulleval", seconds=20)
    assert len(region.received(elsewhere, site="ulleval")) == 1
    for scan in (refused, unheard):
        until(partial(region.told, scan, "ORU^R01", site="baerum"), "the RIS of Bærum is told")
        assert delivery(region, scan, "dicom", site="baerum")["state"] == "pending"
    pacs = door.open()
    for scan in (refused, unheard):
        region.settled(scan, site="baerum")
        assert len({one.SOPInstanceUID for one in pacs.of_study(scan.uid)}) == 1
        assert len(region.told(scan, "ORU^R01", site="baerum")) == 1
        assert region.usage(scan) == 1


@pytest.mark.parametrize("code", ["AE", "AR"])
def test_a_result_that_the_ris_refuses_waits_for_a_person(
    region: Region, scan: Scan, code: str
) -> None:
    ris = region.rises["drammen"]
    ris.refuses[scan.uid] = code
    region.send(scan)
    region.settled(scan)
    dead = delivery(region, scan, "result")
    assert dead["state"] == "dead"
    assert f"{code} refused by the stand-in" in dead["last_error"]
    assert len(region.told(scan, "ORU^R01")) == 1
    assert len(region.received(scan, site="drammen")) == 1
    listed = region.hub.ask("dead-letters/", user="admin")["results"]
    assert dead["id"] in [one["id"] for one in listed]
    assert scan.uid in region.hub.manage("deadletters")

    del ris.refuses[scan.uid]
    region.hub.ask(f"deliveries/{dead['id']}/replay/", user="admin", post={})
    region.settled(scan)
    assert delivery(region, scan, "result")["state"] == "delivered"
    first, second = region.told(scan, "ORU^R01")
    assert field(first, "MSH", 10) == field(second, "MSH", 10)
    assert region.usage(scan) == 1


def test_a_priority_change_that_the_ris_refuses_is_a_dead_letter_of_its_own(
    region: Region, scan: Scan
) -> None:
    region.rises["drammen"].refuses["OMI^O23^OMI_O23|"] = "AE"
    try:
        region.order(scan.order())
        region.send(scan)
        region.settled(scan)
    finally:
        region.rises["drammen"].refuses.clear()
    assert delivery(region, scan, "priority")["state"] == "dead"
    assert delivery(region, scan, "result")["state"] == "delivered"
    assert region.study(scan)["priority"] == "STAT"
    assert region.usage(scan) == 1


def test_an_answer_to_another_message_is_not_taken_for_success(
    region: Region, scan: Scan
) -> None:
    ris = region.rises["ulleval"]
    ris.misnames.add(scan.uid)
    region.send(scan, site="ulleval")
    one = await_tried(region, scan, "result", site="ulleval")
    assert "ANOTHER" in one["last_error"]
    ris.misnames.clear()
    region.settled(scan, site="ulleval")
    told = region.told(scan, "ORU^R01", site="ulleval")
    assert len(told) >= 2
    assert len({field(message, "MSH", 10) for message in told}) == 1
    assert region.usage(scan) == 1


def test_a_pacs_that_is_short_of_space_is_tried_again(region: Region, scan: Scan) -> None:
    pacs = region.doors["ulleval"].pacs
    assert pacs is not None
    pacs.status = lambda dataset: 0xA700 if dataset.StudyInstanceUID == scan.uid else 0
    region.send(scan, site="ulleval")
    assert "0xA700" in await_tried(region, scan, "dicom", site="ulleval")["last_error"]
    assert region.received(scan, site="ulleval") == []
    pacs.status = lambda _dataset: 0
    region.settled(scan, site="ulleval")
    assert len(region.received(scan, site="ulleval")) == 1
    assert region.usage(scan) == 1


def test_the_hub_is_ready_while_destinations_are_down(region: Region) -> None:
    address = f"http://127.0.0.1:{region.hub.http_port}/health/ready"
    with urllib.request.urlopen(address, timeout=10) as answer:
        assert answer.status == 200
