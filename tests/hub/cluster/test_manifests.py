"""The Job of a run: walled in, by digest, bounded in time, and silent about the patient."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hub.cluster import labels
from hub.cluster.manifests import Placement, job_manifest
from hub.cluster.pods import Wall
from tests.fakes.cluster_api.admission import pod_security
from tests.hub.cluster.specs import spec


def made(**changes):
    return job_manifest(spec(**changes))


def pod(**changes):
    return made(**changes)["spec"]["template"]["spec"]


def container(name, **changes):
    whole = pod(**changes)
    return next(one for one in (*whole["initContainers"], *whole["containers"])
                if one["name"] == name)  # fmt: skip


def mounts(name):
    return {one["name"]: one.get("readOnly", False) for one in container(name)["volumeMounts"]}


def test_the_order_is_kept_by_the_kubelet() -> None:
    assert [one["name"] for one in pod()["initContainers"]] == ["stage", "algorithm"]
    assert [one["name"] for one in pod()["containers"]] == ["collector"]


def test_where_policies_come_late_it_waits_for_the_wall_before_the_algorithm_begins() -> None:
    wall = Wall(("python", "wall.py"), 20, ("10.0.0.1:443", "10.0.0.9:22"))
    names = [one["name"] for one in pod(wall=wall)["initContainers"]]
    assert names == ["stage", "wall", "algorithm"]
    waits = container("wall", wall=wall)
    assert waits["command"] == ["python", "wall.py", "--seconds", "20", "--address",
                                "10.0.0.1:443", "--address", "10.0.0.9:22"]  # fmt: skip
    assert waits["image"] == container("stage")["image"]
    assert "volumeMounts" not in waits
    assert pod_security(made(wall=wall)["spec"]["template"]) == ""


def test_the_restricted_standard_has_nothing_against_it() -> None:
    assert pod_security(made()["spec"]["template"]) == ""
    bare = made()["spec"]["template"]
    del bare["spec"]["initContainers"][1]["securityContext"]
    assert "allowPrivilegeEscalation" in pod_security(bare)


def test_no_account_no_links_and_no_names_are_given() -> None:
    whole = pod()
    assert whole["automountServiceAccountToken"] is False
    assert whole["enableServiceLinks"] is False
    assert (whole["dnsPolicy"], whole["dnsConfig"]) == ("None", {"nameservers": ["127.0.0.1"]})
    assert whole["hostAliases"] == [{"ip": "10.0.0.7", "hostnames": ["hub-web"]}]


def test_the_algorithm_reads_its_input_writes_its_output_and_sees_no_token() -> None:
    assert mounts("algorithm") == {
        "input": True, "output": False, "scratch": False, "shared-memory": False,
    }  # fmt: skip
    assert mounts("stage") == {"input": False, "input-token": True}
    assert mounts("collector") == {"output": True, "output-token": True}
    said = json.dumps(container("algorithm"))
    assert "secret" not in said
    assert "http" not in said


def test_tokens_stand_in_no_argument_and_no_environment() -> None:
    whole = made()
    annotations = whole["spec"]["template"]["metadata"].pop("annotations")
    assert sorted(annotations.values()) == ["in-secret", "out-secret"]
    assert "secret" not in json.dumps(whole).replace("imagePullSecrets", "")


def test_only_the_algorithm_holds_what_the_site_calls_its_gpus() -> None:
    need = replace(spec().need, gpu=2, gpu_resource="nvidia.com/mig-1g.5gb")
    whole = container("algorithm", need=need)["resources"]
    assert whole["limits"]["nvidia.com/mig-1g.5gb"] == whole["requests"]["nvidia.com/mig-1g.5gb"]
    assert whole["limits"]["memory"] == whole["requests"]["memory"] == "4Gi"
    for name in ("stage", "collector"):
        assert "nvidia" not in json.dumps(container(name, need=need)["resources"])
    assert "nvidia" not in json.dumps(
        container("algorithm", need=replace(need, gpu=0))["resources"]
    )


def test_volumes_are_as_large_as_the_study_needs() -> None:
    need = replace(spec().need, input_bytes=10 * 2**30)
    volumes = {one["name"]: one for one in pod(need=need)["volumes"]}
    assert int(volumes["input"]["emptyDir"]["sizeLimit"]) > 10 * 2**30
    assert volumes["shared-memory"]["emptyDir"]["medium"] == "Memory"
    assert "medium" not in volumes["output"]["emptyDir"]


def test_two_clocks_bound_it_and_the_outer_one_counts_waiting() -> None:
    job = made()["spec"]
    inner, outer = job["template"]["spec"]["activeDeadlineSeconds"], job["activeDeadlineSeconds"]
    assert 300 < inner < outer
    assert outer > 14400 + inner


def test_the_hub_alone_decides_what_is_tried_again() -> None:
    job = made()["spec"]
    assert job["backoffLimit"] == 0
    ignore, fail = job["podFailurePolicy"]["rules"]
    assert ignore["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    assert (fail["action"], fail["onExitCodes"]["values"]) == ("FailJob", [64, 65, 66, 78])


def test_it_stands_where_the_site_says_and_as_urgent_as_the_study_is() -> None:
    whole = pod()
    assert whole["nodeSelector"] == {"gpu": "a100"}
    assert whole["runtimeClassName"] == "nvidia"
    assert whole["priorityClassName"] == "hub-stat"
    assert whole["imagePullSecrets"] == [{"name": "registry"}]
    assert whole["tolerations"][0]["key"] == "nvidia.com/gpu"
    plain = pod(placement=Placement())
    assert not {"nodeSelector", "runtimeClassName", "priorityClassName"} & set(plain)


def test_kueue_alone_lets_it_start_where_there_is_a_queue() -> None:
    job = made(placement=Placement(queue="hub"))
    assert job["spec"]["suspend"] is True
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "hub"
    assert "suspend" not in made()["spec"]


def test_a_tag_is_refused() -> None:
    with pytest.raises(ValueError, match="digest"):
        made(image="registry.example/algo:latest")


def test_the_hash_is_of_all_but_the_tokens() -> None:
    def hash_of(**changes):
        return made(**changes)["metadata"]["annotations"][labels.SPEC_HASH]

    renewed = replace(spec().carrier, input_token="other", output_token="other")
    assert hash_of() == hash_of(carrier=renewed)
    assert hash_of() != hash_of(timeout_seconds=301)


def test_names_and_labels_fit() -> None:
    job = made()
    assert len(job["metadata"]["name"]) <= 63
    assert all(len(value) <= 63 for value in job["metadata"]["labels"].values())


def test_the_algorithm_has_a_clock_of_its_own_beside_the_pods() -> None:
    annotations = made(timeout_seconds=42)["metadata"]["annotations"]
    assert annotations["hub.avrop/timeout-seconds"] == "42"
