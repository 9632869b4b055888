"""Every recording of a run played over HTTP: the informer sees it, and it is judged the same.

All are played at once, by one API server, fifty times as fast as they were recorded.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from hub.cluster import jobs
from hub.cluster.client import Cluster, ClusterSettings, connect
from hub.cluster.ledger import Ledger
from hub.cluster.manifests import job_manifest
from hub.cluster.second_looks import SecondLooks
from hub.cluster.verdicts import RunVerdict, verdict
from hub.cluster.watch import Informer, Told
from tests.fakes.cluster_api.scripts import Player, of_recording
from tests.fakes.cluster_api.server import NAMESPACE, ClusterApi
from tests.fakes.recordings import needs_recordings, recording
from tests.fakes.waiting import until
from tests.hub.cluster.recorded import EXPECTED, Expected
from tests.hub.cluster.specs import spec

pytestmark = needs_recordings
SCALE = 0.02
LOGS = {
    "03a": "ERROR: unsupported transfer syntax", "05c": "got SIGTERM, exit 143",
    "24b": "No space left on device", "25f": "Read-only file system",
    "22i": "ERROR: unsupported transfer syntax", "28": "done", "02b": "done",
}  # fmt: skip


def run_of(expected: Expected) -> str:
    return f"{EXPECTED.index(expected):032x}-0"


@dataclass
class Played:
    """What came of all recordings: the first verdict on each that was the last word."""

    api: ClusterApi
    cluster: Cluster
    ledger: Ledger = field(default_factory=Ledger)
    ends: dict[str, RunVerdict] = field(default_factory=dict)
    looked_at: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.second_looks = SecondLooks(self.ledger)

    def missing(self) -> list[str]:
        return [f"{one}: {verdict(self.ledger.of(run_of(one)), now=datetime.now(UTC))}"
                for one in EXPECTED if run_of(one) not in self.ends]  # fmt: skip

    def hear(self, told: Told) -> None:
        self.judge(self.ledger.hear(told))

    def idle(self) -> None:
        read = self.second_looks.take(self.cluster)
        self.looked_at += read
        self.judge(read)

    def judge(self, runs: tuple[str, ...]) -> None:
        for run in runs:
            said = verdict(self.ledger.of(run), now=datetime.now(UTC))
            self.second_looks.note(run, must_look=said.must_look)
            if said.is_over:
                self.ends.setdefault(run, said)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    api, player = ClusterApi(), Player()
    config = api.kubeconfig(tmp_path_factory.mktemp("kube"))
    cluster = connect(ClusterSettings(NAMESPACE, str(config)))
    for one in EXPECTED:
        script = of_recording(recording(one.start), scale=SCALE, job=one.job)
        player.by_name[spec(run_of(one)).name] = script
    api.actor = player
    all_of_it, stop = Played(api, cluster), threading.Event()
    informer = Informer(cluster)
    idle = {"idle": all_of_it.idle, "stop": stop}
    thread = threading.Thread(target=informer.run, args=(all_of_it.hear,), kwargs=idle)
    thread.start()
    try:
        until(lambda: informer.is_up_to_date, "it watches")
        for one in EXPECTED:
            jobs.create(cluster, job_manifest(spec(run_of(one))))
        try:
            until(lambda: not all_of_it.missing(), "all have ended")
        except AssertionError as late:
            raise AssertionError("\n".join(all_of_it.missing())) from late
        yield all_of_it
    finally:
        stop.set()
        thread.join(20)
        api.stop()


@pytest.mark.parametrize("expected", EXPECTED, ids=str)
def test_a_recording_that_is_played_comes_to_the_same_end(
    played: Played, expected: Expected
) -> None:
    end = played.ends[run_of(expected)]
    assert (end.state, end.failure) == (expected.state, expected.failure), end.why
    assert end.is_retryable == expected.is_retryable
    if expected.failure is None or "the limit is" not in expected.says:
        assert expected.says.split(" after ")[0] in end.why


@pytest.mark.parametrize("expected", [one for one in EXPECTED if one.start in LOGS], ids=str)
def test_its_log_is_read_as_it_was_recorded(played: Played, expected: Expected) -> None:
    end = played.ends[run_of(expected)]
    text = jobs.log_tail(played.cluster, end.pod, end.container, lines=50)
    assert LOGS[expected.start] in text


def test_an_evicted_pod_has_no_log_though_the_server_answers_with_success(played: Played) -> None:
    (expected,) = (one for one in EXPECTED if one.start == "24a")
    end = played.ends[run_of(expected)]
    assert end.pod
    assert jobs.log_tail(played.cluster, end.pod, end.container, lines=50) == ""


def test_all_of_it_cost_three_lists_and_three_watches(played: Played) -> None:
    asked = {what: count for what, count in played.api.requests.items()
             if what.split()[1] in ("jobs", "pods", "events")}  # fmt: skip
    assert asked.pop("POST jobs") == len(EXPECTED)
    looks = sum(count for what, count in asked.items() if what.split()[0] in ("GET", "WATCH"))
    logs = len(LOGS) + 1
    assert looks <= 6 + logs + len(played.looked_at)


def test_a_disruption_that_fails_a_job_of_the_hubs_is_looked_into(played: Played) -> None:
    (expected,) = (one for one in EXPECTED if one.start == "20b")
    assert run_of(expected) in played.looked_at
