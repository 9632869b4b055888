"""What one trust sends, finds and sees, no other trust ever gets."""

from __future__ import annotations

import urllib.error

import pytest

from tests.journeys.region import Region


def test_one_study_uid_from_two_trusts_is_two_studies_that_never_meet(region: Region) -> None:
    here = region.scan()
    there = region.scan(StudyInstanceUID=here.uid)
    region.order(here.order("DRAMMEN", priority="A"))
    region.send(here, site="drammen")
    region.send(there, site="ulleval")
    region.settled(here, site="drammen")
    region.settled(there, site="ulleval")

    for scan, site, priority in ((here, "drammen", "OMI"), (there, "ulleval", None)):
        study = region.study(scan, site=site)
        assert (study["site"], study["patient_id"]) == (site, scan.patient_id)
        (report,) = region.received(scan, site=site)
        assert report.PatientID == scan.patient_id
        (result,) = region.told(scan, "ORU^R01", site=site)
        assert scan.patient_id in str(result)
        assert len(region.told(scan, "OMI", site=site)) == (1 if priority else 0)
    assert region.usage(here) == 2  # one for each trust, under the one UID


def test_a_radiologist_sees_the_studies_of_the_own_site_alone(region: Region) -> None:
    here, there = region.scan(), region.scan()
    region.send(here, site="drammen")
    region.send(there, site="ulleval")
    region.settled(here, site="drammen")
    study = region.settled(there, site="ulleval")
    for site, own, other in (("drammen", here, there), ("ulleval", there, here)):
        user = f"radiologist.{site}"
        seen = region.hub.worklist(user=user)
        assert own.uid in [row["study_instance_uid"] for row in seen]
        assert {row["site"] for row in seen} == {site}
        assert region.hub.study(other.uid, user=user) is None
    (item,) = study["workitems"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        region.hub.ask(
            f"workitems/{item['uid']}/reject/", user="radiologist.drammen", post={"reason": "no"}
        )
    assert refused.value.code in (403, 404)
    assert region.settled(there, site="ulleval")["workitems"][0]["state"] == "written_back"


def test_an_order_of_another_trust_is_not_linked(region: Region) -> None:
    scan = region.scan()
    region.order(scan.order("ULLEVAL", priority="S"))
    region.send(scan, site="drammen")
    study = region.study(scan)
    assert study["priority"] == "ROUTINE"
    region.settled(scan)
    assert region.told(scan, "OMI", site="drammen") == []
    assert region.rises["ulleval"].about(scan.uid) == []


def test_without_a_token_nobody_sees_anything(region: Region) -> None:
    region.hub._tokens["stranger"] = "0" * 64
    for path in ("worklist/", "dead-letters/", "studies/1.2.3/"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            region.hub.ask(path, user="stranger")
        assert refused.value.code == 401
