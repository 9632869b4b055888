"""Jobs over the wire: made once, found again, deleted with their pods, refused with reasons."""

from __future__ import annotations

import pytest

from hub.cluster import jobs
from hub.cluster.client import ClusterAway, ClusterRefused, ClusterSettings, NoCluster, connect
from hub.cluster.jobs import NameTaken
from hub.cluster.manifests import job_manifest
from tests.fakes.cluster_api import made_up
from tests.fakes.cluster_api.answers import failure
from tests.fakes.cluster_api.scripts import Player
from tests.fakes.cluster_api.server import NAMESPACE
from tests.fakes.waiting import until
from tests.hub.cluster.specs import spec


def test_a_job_is_made_strictly_and_without_a_warning(api, cluster) -> None:
    made = jobs.create(cluster, job_manifest(spec()))
    assert (made.was_there, made.warnings) == (False, ())
    assert jobs.get(cluster, spec().name)["metadata"]["uid"] == made.uid


def test_made_twice_is_made_once(api, cluster) -> None:
    first = jobs.create(cluster, job_manifest(spec()))
    again = jobs.create(cluster, job_manifest(spec()))
    assert again.was_there
    assert again.uid == first.uid
    assert len(api.store.all("jobs")) == 1


def test_another_job_under_the_same_name_is_not_taken_for_it(api, cluster) -> None:
    jobs.create(cluster, job_manifest(spec()))
    with pytest.raises(NameTaken, match="made from something else"):
        jobs.create(cluster, job_manifest(spec(timeout_seconds=1)))


def test_a_name_that_is_being_deleted_is_not_taken_for_the_new_one(api, cluster) -> None:
    jobs.create(cluster, job_manifest(spec()))
    api.store.change("jobs", api.store.get("jobs", spec().name) | {"metadata": {
        **api.store.get("jobs", spec().name)["metadata"], "deletionTimestamp": "now",
    }})  # fmt: skip
    with pytest.raises(NameTaken, match="being deleted"):
        jobs.create(cluster, job_manifest(spec()))


def test_an_unknown_field_is_refused_by_its_path(api, cluster) -> None:
    manifest = job_manifest(spec())
    manifest["spec"]["template"]["spec"]["containers"][0]["resources"]["limit"] = {}
    with pytest.raises(ClusterRefused) as refused:
        jobs.create(cluster, manifest)
    assert refused.value.status == 400
    assert "resources.limit" in refused.value.message
    assert api.store.all("jobs") == []


def test_an_invalid_job_is_refused_with_each_cause(api, cluster) -> None:
    manifest = job_manifest(spec())
    manifest["metadata"]["name"] = "Run_09 Study!"
    with pytest.raises(ClusterRefused) as refused:
        jobs.create(cluster, manifest)
    assert (refused.value.status, refused.value.reason) == (422, "Invalid")
    assert refused.value.causes[0].startswith("metadata.name: Invalid value")


def test_a_warning_of_pod_security_is_heard(api, cluster) -> None:
    manifest = job_manifest(spec())
    del manifest["spec"]["template"]["spec"]["securityContext"]
    (warning,) = jobs.create(cluster, manifest).warnings
    assert warning.startswith('would violate PodSecurity "restricted:latest"')


def test_a_used_up_quota_is_told_from_a_lack_of_rights(api, cluster) -> None:
    api.admission.quota = 0
    with pytest.raises(ClusterRefused) as refused:
        jobs.create(cluster, job_manifest(spec()))
    assert (refused.value.is_quota, refused.value.is_forbidden) == (True, False)
    api.admission.quota, api.allowed = None, lambda asked: asked["verb"] != "create"
    with pytest.raises(ClusterRefused) as refused:
        jobs.create(cluster, job_manifest(spec()))
    assert (refused.value.is_quota, refused.value.is_forbidden) == (False, True)
    assert "cannot create resource" in refused.value.message


def test_deleting_takes_the_pods_along_and_is_no_error_the_second_time(api, cluster) -> None:
    api.actor = Player(made_up.success())
    made = jobs.create(cluster, job_manifest(spec()))
    until(lambda: api.store.all("pods"), "a pod is there", seconds=5)
    assert jobs.delete(cluster, spec().name, uid=made.uid)
    assert (api.store.all("jobs"), api.store.all("pods")) == ([], [])
    assert not jobs.delete(cluster, spec().name, uid=made.uid)


def test_a_job_of_another_uid_is_left_alone(api, cluster) -> None:
    jobs.create(cluster, job_manifest(spec()))
    assert not jobs.delete(cluster, spec().name, uid="another")
    assert len(api.store.all("jobs")) == 1


def test_the_fake_orphans_pods_as_the_real_one_does_without_a_policy(api, cluster) -> None:
    api.actor = Player(made_up.success(scale=10))
    jobs.create(cluster, job_manifest(spec()))
    api.store.add("pods", {"metadata": {"name": "p", "ownerReferences": [
        {"uid": api.store.all("jobs")[0]["metadata"]["uid"]}]}})  # fmt: skip
    path = jobs.jobs_path(NAMESPACE, spec().name)
    said = cluster.ask("DELETE", path, query={"propagationPolicy": "Background"}, body={})
    assert "preserved by default" in said.warnings[0]
    assert len(api.store.all("pods")) == 1


def test_the_end_of_a_log_is_read_and_none_is_no_error(api, cluster) -> None:
    api.actor = Player(made_up.exit_code(3))
    jobs.create(cluster, job_manifest(spec()))
    until(lambda: api.logs, "the algorithm ended", seconds=5)
    (pod,) = jobs.pods_of(cluster, spec().run)
    name = pod["metadata"]["name"]
    assert jobs.log_tail(cluster, name, "algorithm", lines=1) == (
        "ERROR: unsupported transfer syntax\n"
    )
    assert jobs.log_tail(cluster, name, "collector", lines=50) == ""
    assert jobs.log_tail(cluster, "gone", "algorithm", lines=50) == ""
    api.logs[name, "algorithm"] = (200, "unable to retrieve container logs for containerd://x")
    assert jobs.log_tail(cluster, name, "algorithm", lines=50) == ""


def test_a_token_that_was_renewed_on_disk_is_read_again(api, cluster, tmp_path) -> None:
    api.token = "renewed"
    with pytest.raises(ClusterRefused) as refused:
        jobs.get(cluster, "x")
    assert (refused.value.status, refused.value.is_forbidden) == (401, True)
    api.kubeconfig(tmp_path)
    assert jobs.get(cluster, "x") is None


def test_a_busy_or_dead_api_server_is_away_and_nothing_is_refused(api, cluster) -> None:
    for status in (429, 500, 503, 504):
        api.faults.append(failure(status, "Busy", "try again later"))
        with pytest.raises(ClusterAway, match="try again later"):
            jobs.get(cluster, "x")
    api.stop()
    with pytest.raises(ClusterAway, match="does not answer"):
        jobs.get(cluster, "x")
    api.start_again()
    assert jobs.get(cluster, "x") is None


def test_without_a_way_to_a_cluster_it_is_said(tmp_path) -> None:
    with pytest.raises(NoCluster, match="nowhere"):
        connect(ClusterSettings(NAMESPACE, str(tmp_path / "nowhere")))
    with pytest.raises(NoCluster, match="account of this pod"):
        connect(ClusterSettings(NAMESPACE))
