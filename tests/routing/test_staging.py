"""What an algorithm is given, and what it is not."""

from __future__ import annotations

from routing.models import Workitem
from tests.builders.studies import head_ct, send
from tests.routing.conftest import Place


def test_images_with_text_in_them_reach_an_algorithm_that_may_have_them(place: Place) -> None:
    place.rows.version.manifest["needs"]["allow_burned_in"] = True
    place.rows.version.save()
    send(place.rows.pacs, head_ct(BurnedInAnnotation="YES"))
    place.work()
    assert len(place.pacs.of_study(place.study.study_instance_uid)) == 1


def test_images_with_text_in_them_reach_no_other_algorithm(place: Place) -> None:
    send(place.rows.pacs, head_ct(BurnedInAnnotation="YES"))
    place.work()
    (item,) = Workitem.objects.all()
    assert item.state == Workitem.State.FAILED
    assert "cannot be de-identified" in item.why["text"]
    assert place.pacs.received == []
    assert place.ris.received == []
