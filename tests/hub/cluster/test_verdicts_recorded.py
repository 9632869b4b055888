"""Every recording of a run is judged to be what it was, told piece by piece as a watch told it."""

from __future__ import annotations

import json

import pytest

from hub.cluster.failure import Failure
from hub.cluster.seen import RunSeen
from hub.cluster.verdicts import verdict
from tests.fakes.recordings import FOLDER, needs_recordings, recording
from tests.hub.cluster.recorded import EXPECTED, Expected, moments

pytestmark = needs_recordings
# what no run of an algorithm is in: set-up, discovery, refusals of requests, patches, the client
NO_RUN = {"00", "01", "08", "09", "11", "12", "13", "14", "15b", "18", "19", "23", "26a", "26b"}


@pytest.mark.parametrize("expected", EXPECTED, ids=str)
def test_a_recorded_run_is_judged_by_what_it_came_to(expected: Expected) -> None:
    last = moments(expected.start, expected.job)[-1].verdict
    assert (last.state, last.failure) == (expected.state, expected.failure)
    assert expected.says in last.why
    assert last.is_retryable == expected.is_retryable
    assert last.exit_code == expected.exit_code
    assert last.is_disruption == (expected.failure is Failure.DISRUPTION)


def test_no_recording_of_a_run_is_left_out() -> None:
    there = {path.name.split("_")[0] for path in FOLDER.glob("[0-9]*.json")}
    assert there == NO_RUN | {one.start for one in EXPECTED}
    assert len(there) > 55


@pytest.mark.parametrize("expected", EXPECTED, ids=str)
def test_what_was_seen_can_be_kept_and_read_again_at_any_moment(expected: Expected) -> None:
    for moment in moments(expected.start, expected.job):
        kept = json.loads(json.dumps(moment.seen.as_json()))
        assert RunSeen.from_json(kept) == moment.seen


@pytest.mark.parametrize("expected", EXPECTED, ids=str)
def test_no_run_that_came_to_a_good_end_was_ever_given_up_on_the_way(expected: Expected) -> None:
    if expected.state != "succeeded":
        return
    assert [one for one in moments(expected.start, expected.job)
            if one.verdict.state == "failed"] == []  # fmt: skip


@pytest.mark.parametrize("expected", EXPECTED, ids=str)
def test_who_hears_of_the_job_before_its_pod_comes_to_no_other_verdict(expected: Expected) -> None:
    heard = moments(expected.start, expected.job, pods_late_by=2.0)
    first = next(one.verdict for one in heard if one.verdict.is_over)
    assert (first.state, first.failure) == (expected.state, expected.failure), first.why
    assert first.is_disruption == (expected.failure is Failure.DISRUPTION)


def first(start: str, job: str = "", *, state: str) -> float:
    return next(one.at for one in moments(start, job) if one.verdict.state == state)


def test_a_result_is_there_seconds_before_the_job_says_so() -> None:
    told = [one for one in recording("28").told() if one.kind == "Job"]
    assert first("28", state="succeeded") < told[-1].at - 2.5


@pytest.mark.parametrize(("start", "most"), [("06a", 1), ("06e", 2), ("25b", 1.5), ("25c", 2)])
def test_what_can_never_start_is_given_up_at_once(start: str, most: float) -> None:
    assert first(start, state="failed") < most


def test_a_registry_is_asked_twice_before_an_image_counts_as_missing() -> None:
    assert first("06b", state="waiting") < 2
    assert 12 < first("06b", state="failed") < 20


@pytest.mark.parametrize(("start", "says"), [("06b", "no such image"), ("06d", "refuses")])
def test_who_saw_nothing_but_the_back_off_reads_in_the_events_why(start: str, says: str) -> None:
    told = [one for one in recording(start).told() if one.type != "BOOKMARK"]
    (job,) = [one.object for one in told if one.kind == "Job"][-1:]
    pods = [one.object for one in told if one.kind == "Pod" and "ImagePullBackOff" in str(one)]
    seen = RunSeen().with_job(job | {"status": {}}).with_pod(pods[0])
    now = recording(start).began_at
    assert verdict(seen, now=now).state == "waiting"
    for one in told:
        if one.kind == "Event" and one.object["type"] == "Warning":
            seen = seen.with_event(one.object)
    end = verdict(seen, now=now)
    assert (end.state, end.failure) == ("failed", Failure.IMAGE)
    assert says in end.why


def test_a_registry_that_is_down_is_waited_for() -> None:
    on_the_way = [one.verdict for one in moments("06c") if one.at < 19]
    assert {one.state for one in on_the_way} == {"unknown", "running", "waiting"}


def test_who_waits_for_a_gpu_waits_and_says_for_what() -> None:
    waits = [one.verdict for one in moments("07b", "run-07b-3") if one.verdict.state == "waiting"]
    assert {one.failure for one in waits} == {Failure.NO_PLACE}
    assert waits[0].why.endswith("0/1 nodes are available: 1 Insufficient nvidia.com/gpu")


def test_who_waits_for_a_quota_says_so() -> None:
    waits = [one.verdict for one in moments("10", "run-10-2") if one.verdict.state == "waiting"]
    assert {one.failure for one in waits} == {Failure.QUOTA}
    assert "limited: requests.nvidia.com/gpu=1" in waits[0].why


def test_who_is_run_again_says_who_took_the_first_away() -> None:
    said = {one.verdict.why for one in moments("20a", "run-20-b")}
    assert any("again, for it was taken away by PreemptionByKubeScheduler" in one for one in said)


def test_a_node_that_says_nothing_is_named_and_given_up_in_the_end() -> None:
    said = [one.verdict for one in moments("22h") if "does not answer" in one.verdict.why]
    assert said
    assert {one.state for one in said} == {"running"}
