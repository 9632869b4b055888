"""The whole way of one study in lines, for whoever asks why it stands where it stands."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from routing.explaining import explain
from tests.builders.orders import order_message
from tests.builders.studies import head_ct
from tests.routing.conftest import Place


def test_it_tells_every_step_and_reason_and_never_the_patients_name(place: Place) -> None:
    place.order(order_message())
    place.send(head_ct())
    changed = head_ct()[:1]
    changed[0].PatientID = "another"
    changed[0].SOPInstanceUID = "1.2.3.4.5"
    place.send(changed)
    place.work()
    out = io.StringIO()
    call_command("explain", place.study.study_instance_uid, stdout=out)
    told = out.getvalue()
    for words in (
        "Drammen sykehus", "priority STAT: Intracranial hemorrhage suspected", "order: F1/RP1",
        "First instance received from drammen-pacs", "Linked to order P1",
        "no gap in the numbers of instances (12)", "wanted", "(rule head-ct)",
        "Call-off CO-0001 covers it", "handed to the process performer", "written_back",
        "dicom to drammen-pacs: delivered", "Patient ID differs from that of the study",
    ):  # fmt: skip
        assert words in told, words
    assert "snes" not in told
    # in the order it happened
    steps = ["receiving", "receiving -> complete", "complete -> matched", "matched -> entitled"]
    assert [told.index(step) for step in steps] == sorted(told.index(step) for step in steps)


def test_a_study_that_no_algorithm_wanted_says_by_which_clause(place: Place) -> None:
    place.send(head_ct(PatientBirthDate="20090301"))
    place.work()
    told = "\n".join(explain(place.study))
    assert "ich-triage: not wanted: age 17 < 18" in told
    assert place.nothing_was_sent()


def test_a_study_nobody_knows_is_told_plainly(place: Place) -> None:
    with pytest.raises(CommandError):
        call_command("explain", "1.2.3.4.5.6")
