"""One study goes the whole way, and what PACS and RIS received of it."""

from __future__ import annotations

from contracts.models import UsageEvent
from routing.models import Priority, Study
from tests.builders.studies import head_ct, send
from tests.routing.conftest import Place


def test_a_critical_finding_reaches_pacs_ris_and_the_top_of_the_worklist(place: Place) -> None:
    assert send(place.rows.pacs, head_ct()) == [0] * 12
    place.work()
    study = place.study
    assert study.state == Study.State.MATCHED
    assert (study.priority, study.reading_band) == (Priority.STAT, 0)
    assert "Intracranial hemorrhage" in str(study.reason)
    assert [one.Modality for one in place.pacs.of_study(study.study_instance_uid)] == ["SR"]
    assert len(place.ris.of_type("ORU^R01")) == 1
    assert UsageEvent.objects.count() == 1
