"""Which algorithms want a study, by which clause, and what a new revision does to earlier ones."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from contracts.models import UsageEvent
from hub.phrases import render
from routing.models import Delivery, Order, Priority, Rule, Study, Verdict, Workitem
from tests.builders import parties
from tests.builders.orders import order_message
from tests.builders.studies import head_ct, send
from tests.routing.conftest import Place


def as_series(datasets: list[Dataset], **changes: Any) -> list[Dataset]:
    """The same images as another series of the study."""
    uid = generate_uid(entropy_srcs=[str(changes)])
    for number, dataset in enumerate(datasets):
        dataset.SeriesInstanceUID = uid
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=[uid, str(number)])
        for keyword, value in changes.items():
            setattr(dataset, keyword, value)
    return datasets


def verdicts(study: Study) -> list[tuple[bool, str]]:
    rows = Verdict.objects.filter(study=study, revision=study.revision).order_by("pk")
    return [(row.is_match, render(row.clause)) for row in rows]


def states(place: Place) -> list[str]:
    return list(place.study.workitems.order_by("pk").values_list("state", flat=True))


# -- verdicts ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "clause"),
    [
        ({"PatientBirthDate": "20090301"}, "age 17 < 18"),
        ({"PatientAge": "", "PatientBirthDate": ""}, "the patient's age is not known"),
        ({"Modality": "MR"}, "series.modality is MR, not one of CT"),
        ({"BodyPartExamined": "KNEE"}, "series.body_part_examined is KNEE, not one of HEAD, BRAIN"),
        ({"BodyPartExamined": ""}, "series.body_part_examined is missing"),
    ],
)
def test_a_study_that_no_algorithm_wants_says_which_clause_decided(
    place: Place, changes: dict[str, str], clause: str
) -> None:
    place.send(head_ct(**changes))
    place.work()
    assert verdicts(place.study) == [(False, clause)]
    assert place.study.state == "matched"
    assert place.study.ai_state == "none"
    assert Workitem.objects.count() == 0
    assert place.nothing_was_sent()


def test_a_study_with_too_few_instances_says_so(place: Place) -> None:
    place.send(head_ct(slices=9))
    place.work()
    assert verdicts(place.study) == [(False, "series.instance_count 9 < 10")]
    assert place.nothing_was_sent()


def test_one_slice_that_says_something_else_decides_against_the_whole_series(
    place: Place,
) -> None:
    made = head_ct()
    made[7].BodyPartExamined = "CHEST"
    place.send(made)
    place.work()
    ((is_match, clause),) = verdicts(place.study)
    assert not is_match
    assert "HEAD, CHEST" in clause
    assert place.nothing_was_sent()


def test_clauses_hold_together_for_one_and_the_same_series(place: Place) -> None:
    place.send(head_ct(slices=4))
    place.send(as_series(head_ct(slices=11), BodyPartExamined="CHEST"))
    place.work()
    assert [is_match for is_match, _clause in verdicts(place.study)] == [False]
    assert place.nothing_was_sent()


def test_of_several_series_the_fullest_is_the_input(place: Place) -> None:
    place.send(head_ct(slices=10))
    fullest = as_series(head_ct(slices=12), SeriesNumber=9)
    place.send(fullest)
    place.work()
    assert place.workitem.input_series == [fullest[0].SeriesInstanceUID]


def test_a_lower_case_code_with_a_blank_is_the_code(place: Place) -> None:
    place.send(head_ct(BodyPartExamined="head "))
    place.work()
    assert [is_match for is_match, _clause in verdicts(place.study)] == [True]


def test_every_rule_of_an_algorithm_is_tried_and_the_one_that_holds_is_named(
    place: Place,
) -> None:
    rows = place.rows
    Rule.objects.filter(pk=rows.rule.pk).update(when={"series.modality": {"equals": "MR"}})
    parties.rule_for(
        rows.algorithm, site=rows.site, code="second", when={"study.patient_sex": {"equals": "F"}}
    )
    place.send(head_ct())
    place.work()
    (verdict,) = Verdict.objects.all()
    assert (verdict.is_match, verdict.rule_code) == (True, "second")
    assert render(verdict.clause) == "study.patient_sex is F"


def test_the_rules_of_one_site_say_nothing_about_another(place: Place) -> None:
    send(place.rows.other_pacs, head_ct())
    place.work()
    study = Study.objects.get()
    assert study.site == place.rows.other_site
    assert verdicts(study) == []
    assert place.nothing_was_sent()


def test_an_order_that_came_at_the_same_moment_is_found_at_the_latest_now(place: Place) -> None:
    """Under READ COMMITTED neither sees the other's row before both are committed."""
    place.send(head_ct())
    Order.objects.create(
        site=place.rows.site, key="K", accession_number="A1", priority=Priority.HIGH
    )
    place.work(until=lambda: place.study.state == "matched")
    assert place.study.order is not None
    assert place.study.priority == Priority.HIGH


def test_an_order_that_comes_after_the_study_is_held_against_the_rules(place: Place) -> None:
    wants_stat(place)
    place.send(head_ct())
    place.work()
    assert verdicts(place.study) == [(False, "order.priority is missing")]
    place.order(order_message())
    place.work()
    assert verdicts(place.study) == [(False, "order.priority is ROUTINE, not STAT")]
    assert not Workitem.objects.exists()
    place.order(order_message(control="XO", priority="S"))
    place.work()
    assert verdicts(place.study) == [(True, "order.priority is STAT")]
    assert place.workitem.state == "written_back"
    # what was started stands: only a person takes a result back
    place.order(order_message(control="XO", priority="R"))
    place.work()
    assert verdicts(place.study) == [(True, "order.priority is STAT")]
    assert (place.workitem.state, place.results()) == ("written_back", ["P"])
    assert UsageEvent.objects.count() == 1


def test_an_order_that_changes_after_the_study_was_read_starts_nothing(place: Place) -> None:
    wants_stat(place)
    place.send(head_ct())
    place.order(order_message())
    place.work()
    Study.objects.update(is_read=True)
    place.order(order_message(control="XO", priority="S"))
    place.work()
    assert not Workitem.objects.exists()
    assert place.ris.of_type("ORU^R01") == []


def wants_stat(place: Place) -> None:
    rule = {"order.priority": {"equals": "STAT"}}
    Rule.objects.filter(pk=place.rows.rule.pk).update(when=rule)


def test_a_result_whose_answer_was_lost_is_corrected_and_not_told_anew(place: Place) -> None:
    def deaf(message: bytes) -> str:
        place.ris.received.append(message)
        raise ConnectionAbortedError

    place.ris.answer = deaf
    made = head_ct(slices=13)
    place.send(made[:12])
    place.work(until=lambda: Delivery.objects.filter(kind="result", attempts=1).exists())
    place.ris.answer = lambda _message: "AA"
    place.send(made[12:])
    place.work()
    place.time_passes()
    assert place.results() == ["P", "C"]


# -- revisions ---------------------------------------------------------------------------------
def test_a_late_slice_opens_a_revision_that_takes_the_place_of_the_first(place: Place) -> None:
    made = head_ct(slices=13)
    place.send(made[:12])
    place.work()
    place.send(made[12:])
    place.work()
    assert place.study.revision == 2
    assert states(place) == ["superseded", "written_back"]
    first, second = place.study.workitems.order_by("pk")
    assert second.replaces == first
    assert place.results() == ["P", "C"]
    old, new = place.objects()
    (predecessor,) = new.PredecessorDocumentsSequence
    referenced = predecessor.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert referenced.ReferencedSOPInstanceUID == old.SOPInstanceUID
    assert UsageEvent.objects.count() == 1


def test_a_late_series_that_is_not_input_leaves_the_result_as_it_is(place: Place) -> None:
    place.send(head_ct())
    place.work()
    place.send(as_series(head_ct(slices=2), BodyPartExamined="NECK"))
    place.work()
    assert place.study.revision == 2
    assert states(place) == ["written_back"]
    assert place.workitem.revision == 1
    assert place.results() == ["P"]
    assert len(place.objects()) == 1


def test_a_result_whose_study_turns_out_not_to_fit_is_taken_back(place: Place) -> None:
    made = head_ct(slices=13)
    place.send(made[:12])
    place.work()
    made[12].BodyPartExamined = "CHEST"
    place.send(made[12:])
    place.work()
    assert states(place) == ["superseded"]
    assert place.results() == ["P", "X"]
    assert place.study.priority == Priority.ROUTINE
    assert place.study.ai_state == "none"


def test_an_input_that_is_wanted_again_is_analysed_again(place: Place) -> None:
    place.send(head_ct())
    place.work()
    Rule.objects.update(when={"series.modality": {"equals": "MR"}})
    place.send(as_series(head_ct(slices=1), BodyPartExamined="NECK"))
    place.work()
    assert states(place) == ["superseded"]
    Rule.objects.update(when=parties.HEAD_CT)
    place.send(as_series(head_ct(slices=1), BodyPartExamined="ARM"))
    place.work()
    assert states(place) == ["superseded", "written_back"]
    assert place.study.priority == Priority.STAT
    assert UsageEvent.objects.count() == 1


def test_what_the_hub_wrote_never_comes_round_again(place: Place) -> None:
    place.send(head_ct())
    place.work()
    (report,) = place.objects()
    assert place.send([report]) == [0]
    place.time_passes()
    assert (place.study.revision, place.study.instance_count) == (1, 12)
    assert place.study.modality == "CT"
    assert len(place.objects()) == 1
    assert Workitem.objects.count() == 1


def test_a_result_replaces_that_of_its_own_version_and_not_of_the_one_in_shadow(
    place: Place,
) -> None:
    shadow = parties.algorithm_version(version="2.0.0")
    shadow.manifest = place.rows.version.manifest | {"version": "2.0.0"}
    shadow.save()
    parties.deployment_of(shadow, site=place.rows.site, state="shadow")
    made = head_ct(slices=13)
    place.send(made[:12])
    place.work()
    place.send(made[12:])
    place.work()
    pairs = {
        (item.replaces.version.version, item.version.version)
        for item in Workitem.objects.exclude(replaces=None).select_related("replaces__version")
        if item.replaces
    }
    assert pairs == {("1.0.0", "1.0.0"), ("2.0.0", "2.0.0")}
    assert place.results() == ["P", "C"]


def test_a_change_of_priority_that_was_cancelled_is_asked_for_again(place: Place) -> None:
    """The RIS was away, a late slice came, and the second run found it critical too."""
    place.order(order_message())
    made = head_ct(slices=13)
    place.send(made[:12])
    place.work(until=lambda: Delivery.objects.filter(kind="priority").exists())
    place.send(made[12:])
    place.work()
    place.time_passes()
    assert states(place) == ["superseded", "written_back"]
    assert len(place.ris.of_type("OMI^O23")) == 1
    assert Order.objects.get().raised_to == Priority.STAT
