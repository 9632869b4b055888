"""Runs in a cluster: handed over once, watched for all, told apart when they fail, cleaned up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.fakes.cluster_api import made_up
from tests.fakes.cluster_api.answers import failure
from tests.fakes.cluster_api.scripts import Player
from tests.fakes.cluster_api.server import ClusterApi
from tests.fakes.waiting import until
from tests.vendors.cluster import performer_for, run_of, settings_for, wait_for, watched
from vendors import cluster_runs
from vendors.cluster_setup import cluster_setup
from vendors.models import ClusterRun
from vendors.performers.base import PerformerRefused, SubmitFailed
from vendors.performers.base import performer_for as by_kind

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def api():
    server = ClusterApi()
    yield server
    server.stop()


def test_a_run_comes_to_its_end_and_leaves_nothing_behind(api, tmp_path) -> None:
    api.actor = Player(made_up.success(log="found 3 slices\ndone\n"))
    performer, run = performer_for(api, tmp_path), run_of(tmp_path)
    with watched(api, tmp_path) as told:
        performer.submit(run)
        progress = wait_for(performer, run)
        assert (progress.state, progress.exit_code) == ("succeeded", 0)
        assert progress.log_tail == ("found 3 slices", "done")
        assert progress.started_at <= progress.finished_at
        assert run.name in told
        performer.cleanup(run)
    assert (api.store.all("jobs"), api.store.all("pods")) == ([], [])
    assert ClusterRun.objects.count() == 0
    assert performer.poll(run).state == "unknown"


def test_handed_over_twice_it_runs_once(api, tmp_path) -> None:
    performer, run = performer_for(api, tmp_path), run_of(tmp_path)
    performer.submit(run)
    performer.submit(run)
    (job,) = api.store.all("jobs")
    assert job["metadata"]["name"] == f"hub-{run.name}"
    assert job["metadata"]["labels"]["hub.avrop/workitem"] == run.labels["workitem"]


def test_the_job_bears_the_priority_of_the_study(api, tmp_path) -> None:
    performer = performer_for(api, tmp_path)
    for priority in (1, 4, 5):
        performer.submit(run_of(tmp_path, priority=priority))
    classes = {job["spec"]["template"]["spec"]["priorityClassName"]
               for job in api.store.all("jobs")}  # fmt: skip
    assert classes == {"hub-stat", "hub-routine", "hub-background"}


def test_a_worker_that_died_after_making_the_job_leaves_it_to_be_found(api, tmp_path) -> None:
    performer, run = performer_for(api, tmp_path), run_of(tmp_path)
    performer.submit(run)
    ClusterRun.objects.update(job_uid="")
    assert performer.poll(run).state == "running"
    assert ClusterRun.objects.get().job_uid == api.store.all("jobs")[0]["metadata"]["uid"]


def test_a_worker_that_died_before_making_the_job_is_no_run(api, tmp_path) -> None:
    performer, run = performer_for(api, tmp_path), run_of(tmp_path)
    cluster_runs.begin(run.name, priority=4)
    assert performer.poll(run).state == "unknown"
    performer.cancel(run)
    assert api.requests["DELETE jobs"] == 0


ENDS = {
    "out of memory": (made_up.out_of_memory(), "out of memory: the limit is 512Mi", False, False),
    "out of memory with 0": (made_up.out_of_memory(0), "out of memory", False, False),
    "out of memory with 1": (made_up.out_of_memory(1), "out of memory", False, False),
    "exit code": (made_up.exit_code(3), "ended with exit code 3", True, False),
    "final exit code": (made_up.exit_code(65), "ended with exit code 65", False, False),
    "deadline": (made_up.deadline(), "timed out after", True, False),
    "evicted": (made_up.evicted(), "EvictionByEvictionAPI", True, True),
    "refused": (made_up.refused(), "violates PodSecurity", False, False),
    "no image": (made_up.no_image(), "the registry has no such image", False, False),
}  # fmt: skip


def test_failures_are_told_apart_and_treated_apart(api, tmp_path) -> None:
    api.actor = player = Player()
    performer = performer_for(api, tmp_path)
    runs = {name: run_of(tmp_path) for name in ENDS}
    player.by_name = {f"hub-{runs[name].name}": end[0] for name, end in ENDS.items()}
    with watched(api, tmp_path):
        for run in runs.values():
            performer.submit(run)
        for name, (_, why, is_retryable, is_disruption) in ENDS.items():
            progress = wait_for(performer, runs[name])
            assert progress.state == "failed", name
            assert why in progress.why, name
            assert progress.is_retryable is is_retryable, name
            assert progress.is_disruption is is_disruption, name


def test_the_last_lines_of_a_failed_run_are_kept(api, tmp_path) -> None:
    api.actor = Player(made_up.exit_code(3))
    performer, run = performer_for(api, tmp_path), run_of(tmp_path)
    performer.submit(run)
    progress = wait_for(performer, run)
    assert progress.log_tail == ("loading model", "ERROR: unsupported transfer syntax")
    api.logs.clear()
    assert performer.poll(run).log_tail == progress.log_tail


def test_who_finds_no_place_waits_and_is_told_its_number(api, tmp_path) -> None:
    api.actor = player = Player()
    player.always = made_up.never_placed()
    performer = performer_for(api, tmp_path)
    routine, stat = run_of(tmp_path), run_of(tmp_path, priority=1)
    with watched(api, tmp_path):
        for run in (routine, stat):
            performer.submit(run)

        def why(run) -> str:
            return performer.poll(run).why

        until(lambda: "number 1 of" in why(stat), "the STAT waits first", seconds=10)
        until(lambda: "number 2 of" in why(routine), "the other behind it", seconds=10)
        assert "1 Insufficient nvidia.com/gpu" in why(routine)
        assert performer.poll(routine).state == "running"


def test_who_is_placed_late_comes_to_a_good_end(api, tmp_path) -> None:
    api.actor = Player(made_up.placed_late())
    performer, run = performer_for(api, tmp_path), run_of(tmp_path)
    with watched(api, tmp_path):
        performer.submit(run)
        assert wait_for(performer, run).state == "succeeded"


def test_a_quota_of_pods_is_waited_for(api, tmp_path) -> None:
    api.actor = Player(made_up.quota())
    performer, run = performer_for(api, tmp_path), run_of(tmp_path)
    with watched(api, tmp_path):
        performer.submit(run)
        until(lambda: "waits for the quota" in performer.poll(run).why, "it waits", seconds=10)
        assert performer.poll(run).state == "running"


def refused_with(api, tmp_path) -> SubmitFailed:
    with pytest.raises(SubmitFailed) as failed:
        performer_for(api, tmp_path).submit(run_of(tmp_path))
    assert api.store.all("jobs") == []
    return failed.value


def test_a_quota_of_jobs_and_a_missing_right_are_waited_for_and_named(api, tmp_path) -> None:
    api.admission.quota = 0
    said = refused_with(api, tmp_path)
    assert (said.is_away, said.is_permanent) == (True, False)
    assert said.reason.startswith("the quota of the namespace is used up: exceeded quota")
    api.admission.quota, api.allowed = None, lambda asked: False
    said = refused_with(api, tmp_path)
    assert (said.is_away, said.is_permanent) == (True, False)
    assert "the hub may not make Jobs in" in said.reason
    assert "cluster check" in said.reason


def test_a_job_that_the_cluster_refuses_is_not_tried_again(api, tmp_path) -> None:
    causes = [{"field": "spec.backoffLimit", "message": "must be greater than 0"}]
    api.faults.append(failure(422, "Invalid", "is invalid", causes=causes))
    said = refused_with(api, tmp_path)
    assert (said.is_away, said.is_permanent) == (False, True)
    assert "spec.backoffLimit: must be greater than 0" in said.reason


def test_a_cluster_that_is_away_is_waited_for_and_is_no_word_about_the_run(api, tmp_path) -> None:
    performer, run = performer_for(api, tmp_path), run_of(tmp_path)
    performer.submit(run)
    api.stop()
    progress = performer.poll(run)
    assert (progress.state, progress.next_look.total_seconds()) == ("running", 10)
    assert "does not answer" in progress.why
    ClusterRun.objects.update(submitted_at=timezone.now() - timedelta(hours=6))
    assert performer.poll(run).state == "silent"
    ClusterRun.objects.update(submitted_at=timezone.now())
    with pytest.raises(SubmitFailed) as failed:
        performer.submit(run_of(tmp_path))
    assert failed.value.is_away
    with pytest.raises(SubmitFailed):
        performer.cancel(run)
    api.start_again()
    assert performer.poll(run).state == "running"
    performer.cancel(run)
    assert api.store.all("jobs") == []


def test_what_waits_overnight_in_kueues_queue_is_not_given_up_for_a_silent_cluster(
    api, tmp_path
) -> None:
    performer, run = performer_for(api, tmp_path, queue="night"), run_of(tmp_path)
    performer.submit(run)
    api.stop()
    ClusterRun.objects.update(submitted_at=timezone.now() - timedelta(hours=12))
    assert performer.poll(run).state == "running"
    ClusterRun.objects.update(submitted_at=timezone.now() - timedelta(days=8))
    assert performer.poll(run).state == "silent"


def test_a_hub_that_starts_again_picks_up_what_runs(api, tmp_path) -> None:
    api.actor = Player(made_up.success(scale=0.2))
    performer, run = performer_for(api, tmp_path), run_of(tmp_path)
    with watched(api, tmp_path):
        performer.submit(run)
        until(lambda: ClusterRun.objects.get().state == "running", "it runs", seconds=10)
    with watched(api, tmp_path):
        assert wait_for(performer, run).state == "succeeded"


def test_what_ended_while_nobody_watched_is_found(api, tmp_path) -> None:
    api.actor = Player(made_up.success())
    performer, run = performer_for(api, tmp_path), run_of(tmp_path)
    with watched(api, tmp_path):
        performer.submit(run)
    until(lambda: api.store.all("jobs")[0]["status"].get("conditions"), "it ended", seconds=10)
    with watched(api, tmp_path) as told:
        assert wait_for(performer, run).state == "succeeded"
        assert run.name in told


def test_a_job_that_somebody_deleted_is_run_again(api, tmp_path) -> None:
    api.actor = Player(made_up.never_placed())
    performer, run = performer_for(api, tmp_path), run_of(tmp_path)
    with watched(api, tmp_path):
        performer.submit(run)
        until(lambda: ClusterRun.objects.get().state == "waiting", "it is seen", seconds=10)
        api.store.remove("jobs", f"hub-{run.name}")
        progress = wait_for(performer, run)
        assert progress.why == "the Job was deleted by somebody else"
        assert (progress.is_retryable, progress.is_disruption) == (True, True)


def test_to_ask_about_watched_runs_asks_the_cluster_nothing(api, tmp_path) -> None:
    api.actor = player = Player()
    player.always = made_up.never_placed()
    performer = performer_for(api, tmp_path)
    runs = [run_of(tmp_path) for _ in range(20)]
    counts: list[int] = []
    with watched(api, tmp_path, counts=counts):
        for run in runs:
            performer.submit(run)
        until(lambda: ClusterRun.objects.filter(state="waiting").count() == 20, "all wait")
        until(lambda: counts, "the watch has counted GPUs")
        before = sum(api.requests.values())
        looks = [performer.poll(run) for run in runs for _ in range(5)]
        assert {look.state for look in looks} == {"running"}
        assert {look.next_look.total_seconds() for look in looks} == {60}
        assert sum(api.requests.values()) == before
        assert api.requests["POST jobs"] == 20
        # three lists, three watches, a Job each, and the nodes once a minute
        assert before == 27


def test_settings_that_lead_nowhere_are_named(api, tmp_path) -> None:
    good = settings_for(api, tmp_path)
    for changes, says in [
        ({"namespace": ""}, "HUB_CLUSTER_NAMESPACE"),
        ({"carrier_image": ""}, "HUB_CLUSTER_CARRIER_IMAGE"),
        ({"priority_classes": ["one"]}, "HUB_CLUSTER_PRIORITY_CLASSES"),
        ({"tolerations": ["a b"]}, "HUB_CLUSTER_TOLERATIONS"),
    ]:
        with pytest.raises(PerformerRefused, match=says):
            by_kind("kubernetes", {"kubernetes": good | changes})


def test_the_watch_counts_the_gpus_of_nodes_that_take_pods(api, tmp_path) -> None:
    for name, gpus, is_cordoned in (("a", "2", False), ("b", "4", False), ("c", "8", True)):
        api.store.add("nodes", {
            "metadata": {"name": name}, "spec": {"unschedulable": is_cordoned},
            "status": {"allocatable": {"cpu": "8", "nvidia.com/gpu": gpus}},
        })  # fmt: skip
    counts: list[int] = []
    with watched(api, tmp_path, counts=counts):
        until(lambda: counts, "it has counted", seconds=20)
    assert counts == [6]


def test_who_may_not_see_nodes_is_told_no_number_and_watches_all_the_same(api, tmp_path) -> None:
    api.allowed = lambda asked: asked["resource"] != "nodes"
    api.actor = Player(made_up.success())
    counts: list[int] = []
    performer, run = performer_for(api, tmp_path), run_of(tmp_path)
    with watched(api, tmp_path, counts=counts):
        performer.submit(run)
        assert wait_for(performer, run).state == "succeeded"
    assert counts == []


def test_gpus_have_the_name_that_the_site_or_the_algorithm_gives_them(api, tmp_path) -> None:
    names = {"lung-nodule": "mig-1g", "@drammen": "mig-2g", "lung-nodule@bergen": "mig-3g"}
    setup = cluster_setup(settings_for(api, tmp_path, gpu_resources=names))
    asked = [setup.gpu_resource_of(*who) for who in (
        ("lung-nodule", "oslo"), ("lung-nodule", "bergen"), ("ich", "drammen"), ("ich", "oslo"))]
    assert asked == ["mig-1g", "mig-3g", "mig-2g", "nvidia.com/gpu"]
    performer, run = performer_for(api, tmp_path, gpu_resources=names), run_of(tmp_path)
    there = replace(run, labels=run.labels | {"site": "bergen"})
    _stage, algorithm = performer.manifest_of(there)["spec"]["template"]["spec"]["initContainers"]
    assert algorithm["resources"]["limits"]["mig-3g"] == "1"


def test_pods_are_given_the_certificates_of_who_signed_the_hubs_and_no_key(api, tmp_path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n")
    performer, run = performer_for(api, tmp_path, ca_file=str(file)), run_of(tmp_path)
    template = performer.manifest_of(run)["spec"]["template"]
    stage, algorithm = template["spec"]["initContainers"]
    (collector,) = template["spec"]["containers"]
    assert template["metadata"]["annotations"]["hub.avrop/ca"] == file.read_text()
    for one in (stage, collector):
        assert one["command"][-2:] == ["--ca-file", "/var/run/hub-ca/ca.crt"]
        assert "/var/run/hub-ca" in {mount["mountPath"] for mount in one["volumeMounts"]}
    assert "hub-ca" not in str(algorithm)
    performer.submit(run)
    assert len(api.store.all("jobs")) == 1
    for text in ("nothing", "BEGIN CERTIFICATE and PRIVATE KEY", "BEGIN CERTIFICATE" + "x" * 2**18):
        file.write_text(text)
        with pytest.raises(PerformerRefused, match="HUB_CLUSTER_CA_FILE: expected certificates"):
            performer_for(api, tmp_path, ca_file=str(file))
    with pytest.raises(PerformerRefused, match="HUB_CLUSTER_CA_FILE: cannot be read"):
        performer_for(api, tmp_path, ca_file=str(tmp_path / "none"))


def test_the_disk_of_a_run_has_room_for_its_own_input(api, tmp_path) -> None:
    performer, run = performer_for(api, tmp_path), run_of(tmp_path)
    large = replace(run, transfer=replace(run.transfer, input_bytes=5 * 2**30))
    pod = performer.manifest_of(large)["spec"]["template"]["spec"]
    volumes = [int(one["emptyDir"]["sizeLimit"]) for one in pod["volumes"]
               if "emptyDir" in one and "medium" not in one["emptyDir"]]  # fmt: skip
    room = int(pod["initContainers"][1]["resources"]["limits"]["ephemeral-storage"])
    assert room > sum(volumes) > 5 * 2**30
