"""Warm servers in a cluster: given one run after another, counted, lost, replaced, taken away."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from tests.fakes.cluster_api.answers import failure
from tests.fakes.cluster_api.server import ClusterApi
from tests.fakes.cluster_api.store import now
from tests.fakes.waiting import until
from tests.vendors.cluster import run_of, settings_for, watched
from vendors import warm_servers
from vendors.cluster_setup import cluster_setup
from vendors.manifest import PerformerSpec, Resources
from vendors.models import ClusterRun, WarmRun, WarmServer
from vendors.performers.base import Limits, Run, SubmitFailed
from vendors.performers.kubernetes_warm import WarmPods
from vendors.warm_scaling import IDLE_SECONDS
from vendors.warm_servers import ServerDismissed

pytestmark = pytest.mark.django_db(transaction=True)

DIGEST = "sha256:" + "a1" * 32
SPEC = PerformerSpec(
    "kubernetes", f"registry.example/algo@{DIGEST}", resources=Resources("1", "512Mi", 1),
    timeout_seconds=60, serving="warm", most_servers=2,
)  # fmt: skip


@pytest.fixture
def api():
    server = ClusterApi()
    yield server
    server.stop()


def performer(api: ClusterApi, folder: Path, **changes: Any) -> WarmPods:
    given = {"attendant_command": "python3 attendant.py"} | changes
    setup = cluster_setup(settings_for(api, folder, **given))
    url = "http://127.0.0.1:8000/api/v1/servers"
    return WarmPods(setup, "lung-nodule", Limits(), lambda name: (f"{url}/{name}", f"t-{name}"))


def warm_run(folder: Path, *, group: str = "v1-o1", spec: PerformerSpec = SPEC) -> Run:
    return run_of(folder, spec=spec, group=group)


def pod_of(api: ClusterApi, name: str, state: dict[str, Any], **status: Any) -> Any:
    """The pod that a Deployment's controller would make, as a kubelet tells of it."""
    (deployment,) = [one for one in api.store.all("deployments")
                     if one["metadata"]["labels"]["hub.avrop/run"] == name]  # fmt: skip
    meta = deployment["metadata"]
    box = {"name": "algorithm", "imageID": "", "restartCount": status.pop("restarts", 0),
           "state": state, **status.pop("box", {})}  # fmt: skip
    pod = {
        "metadata": {"name": f"{name}-pod", "labels": meta["labels"], "ownerReferences": [
            {"kind": "Deployment", "name": meta["name"], "uid": meta["uid"]}]},
        "spec": {"nodeName": "n1"},
        "status": {"phase": "Running", "containerStatuses": [box]} | status,
    }  # fmt: skip
    if api.store.get("pods", f"{name}-pod"):
        there = api.store.get("pods", f"{name}-pod")
        return api.store.change("pods", there | {"status": pod["status"]})
    return api.store.add("pods", pod)


UP = {"running": {"startedAt": now()}}


def given_to(name: str, ask: str = "1") -> WarmRun:
    found = warm_servers.give(name, ask=ask, pod=f"{name}-pod")
    assert found is not None
    return found


def test_one_server_takes_one_run_after_another(api, tmp_path) -> None:
    warm, first, second = performer(api, tmp_path), warm_run(tmp_path), warm_run(tmp_path)
    one = replace(SPEC, most_servers=1)
    first, second = replace(first, spec=one), replace(second, spec=one)
    warm.submit(first)
    warm.submit(first)
    warm.submit(second)
    (server,) = WarmServer.objects.all()
    pod_of(api, server.name, UP)
    assert "number 2 of those that wait" in warm.poll(second).why
    for place, run in enumerate((first, second)):
        assert given_to(server.name, str(place)).name == run.name
        assert warm.poll(run).why == "runs in a warm server"
        warm_servers.end(run.name, {"state": "succeeded", "exit_code": 0})
        progress = warm.poll(run)
        assert (progress.state, progress.exit_code) == ("succeeded", 0)
        assert progress.finished_at is not None
        warm.cleanup(run)
    assert warm_servers.give(server.name, ask="9", pod="p") is None
    assert api.requests["POST deployments"] == 1
    assert (WarmRun.objects.count(), warm.poll(first).state) == (0, "unknown")


def test_two_organisations_never_share_a_server(api, tmp_path) -> None:
    warm = performer(api, tmp_path)
    warm.submit(warm_run(tmp_path, group="v1-o1"))
    warm.submit(theirs := warm_run(tmp_path, group="v1-o2"))
    mine, other = WarmServer.objects.order_by("group")
    given_to(mine.name)
    assert given_to(other.name).name == theirs.name
    assert len(api.store.all("deployments")) == 2


def test_a_run_of_nobody_and_one_that_is_too_large_are_given_to_no_server(api, tmp_path) -> None:
    warm = performer(api, tmp_path)
    with pytest.raises(SubmitFailed, match="it is not known whose run it is"):
        warm.submit(warm_run(tmp_path, group=""))
    run = warm_run(tmp_path)
    huge = replace(run, transfer=replace(run.transfer, input_bytes=2**40))
    with pytest.raises(SubmitFailed, match="too large for a warm server"):
        warm.submit(huge)
    assert api.requests["POST deployments"] == 0


def test_servers_are_added_while_runs_wait_and_taken_away_when_idle(api, tmp_path) -> None:
    warm = performer(api, tmp_path)
    for _ in range(3):
        warm.submit(warm_run(tmp_path))
    assert [one.number for one in WarmServer.objects.order_by("number")] == [0, 1]
    WarmRun.objects.all().delete()
    WarmServer.objects.update(idle_since=timezone.now() - timedelta(seconds=IDLE_SECONDS + 1))
    spec = replace(SPEC, least_servers=1)
    assert warm.tend("v1-o1", spec) == 1
    assert len(api.store.all("deployments")) == WarmServer.objects.count() == 1
    assert warm.tend("v1-o1", SPEC) == 1
    assert (api.store.all("deployments"), ClusterRun.objects.count()) == ([], 0)
    assert warm.tend("v1-o1", spec) == 1
    assert len(api.store.all("deployments")) == 1


def test_another_image_replaces_servers_between_two_runs_and_loses_none(api, tmp_path) -> None:
    warm, run = performer(api, tmp_path), warm_run(tmp_path)
    warm.submit(run)
    (old,) = WarmServer.objects.all()
    given_to(old.name)
    newer = performer(api, tmp_path, carrier_image="registry.example/hub:2")
    newer.tend("v1-o1", SPEC)
    assert newer.poll(run).state == "running"
    assert WarmServer.objects.get().name == old.name
    warm_servers.end(run.name, {"state": "succeeded", "exit_code": 0})
    assert newer.poll(run).state == "succeeded"
    newer.tend("v1-o1", replace(SPEC, least_servers=1))
    newer.tend("v1-o1", replace(SPEC, least_servers=1))
    (now,) = api.store.all("deployments")
    assert now["metadata"]["name"] == f"hub-warm-{WarmServer.objects.get().name}"
    assert "registry.example/hub:2" in str(now)
    with pytest.raises(ServerDismissed):
        warm_servers.give(old.name, ask="7", pod="p")


CRASH = {"terminated": {"exitCode": 3, "reason": "Error"}}
OOM = {"lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
TAKEN = {"conditions": [{"type": "DisruptionTarget", "status": "True",
                         "reason": "EvictionByEvictionAPI", "message": "evicted"}]}  # fmt: skip
# of a Job that would be final; a server's memory may be full of what came before
LOSSES: dict[str, tuple[dict[str, Any], dict[str, Any], str, bool, bool]] = {
    "crashed": (CRASH, {}, "ended with exit code 3", True, False),
    "out of memory": (UP, {"restarts": 1, "box": OOM}, "out of memory", True, False),
    "evicted": (UP, TAKEN, "EvictionByEvictionAPI", True, True),
}


@pytest.mark.parametrize("case", LOSSES)
def test_a_server_that_dies_loses_its_own_run_alone_and_is_started_anew(
    case: str, api, tmp_path
) -> None:
    state, status, why, is_retryable, is_disruption = LOSSES[case]
    warm, run, next_run = performer(api, tmp_path), warm_run(tmp_path), warm_run(tmp_path)
    one = replace(SPEC, most_servers=1)
    run, next_run = replace(run, spec=one), replace(next_run, spec=one)
    with watched(api, tmp_path) as told:
        warm.submit(run)
        (server,) = WarmServer.objects.all()
        pod_of(api, server.name, UP)
        given_to(server.name)
        warm.submit(next_run)
        until(lambda: server.name in told, "its pod was seen")
        told.clear()
        pod_of(api, server.name, state, **status)
        until(lambda: server.name in told, "its loss was seen")
        progress = warm.poll(run)
    assert progress.state == "failed"
    assert why in progress.why
    assert (progress.is_retryable, progress.is_disruption) == (is_retryable, is_disruption)
    with pytest.raises(ServerDismissed):
        warm_servers.heard(server.name, run.name)
    warm.poll(next_run)
    (fresh,) = WarmServer.objects.all()
    assert fresh.name != server.name
    assert [one["metadata"]["labels"]["hub.avrop/run"]
            for one in api.store.all("deployments")] == [fresh.name]  # fmt: skip
    assert given_to(fresh.name).name == next_run.name


def test_a_server_that_asks_anew_while_it_has_a_run_has_lost_it(api, tmp_path) -> None:
    warm, run = performer(api, tmp_path), warm_run(tmp_path)
    warm.submit(run)
    (server,) = WarmServer.objects.all()
    assert given_to(server.name, "a").name == given_to(server.name, "a").name == run.name
    with pytest.raises(ServerDismissed):
        warm_servers.give(server.name, ask="b", pod="another")
    progress = warm.poll(run)
    assert (progress.state, progress.is_disruption) == ("failed", True)
    assert api.store.all("deployments") == []


def test_silence_and_overtime_end_a_run(api, tmp_path) -> None:
    warm = performer(api, tmp_path)
    silent, late = warm_run(tmp_path), warm_run(tmp_path)
    warm.submit(silent)
    warm.submit(late)
    for server in WarmServer.objects.order_by("number"):
        given_to(server.name)
    past = timezone.now() - timedelta(seconds=1300)
    WarmServer.objects.filter(run=silent.name).update(heard_at=past)
    WarmRun.objects.filter(name=late.name).update(given_at=past)
    lost, stuck = warm.poll(silent), warm.poll(late)
    assert (lost.why, lost.is_disruption) == ("the warm server was silent for 300 s", True)
    assert (stuck.why, stuck.is_disruption) == ("timed out after 60 s", False)
    assert api.store.all("deployments") == []


def test_a_run_that_is_cancelled_ends_its_server(api, tmp_path) -> None:
    warm, run = performer(api, tmp_path), warm_run(tmp_path)
    warm.submit(run)
    (server,) = WarmServer.objects.all()
    given_to(server.name)
    warm.cancel(run)
    assert api.store.all("deployments") == []
    with pytest.raises(ServerDismissed):
        warm_servers.heard(server.name, run.name)
    waiting = warm_run(tmp_path)
    warm.submit(waiting)
    warm.cancel(waiting)
    assert len(api.store.all("deployments")) == 1


def test_an_image_that_is_nowhere_fails_the_run_and_leaves_no_server(api, tmp_path) -> None:
    warm, run = performer(api, tmp_path), warm_run(tmp_path)
    warm.submit(run)
    (server,) = WarmServer.objects.all()
    for reason in ("ErrImagePull", "ImagePullBackOff"):
        pod_of(api, server.name, {"waiting": {"reason": reason, "message": "x: y: not found"}})
        warm.poll(run)
    progress = warm.poll(run)
    assert (progress.state, progress.is_retryable) == ("failed", False)
    assert "the registry has no such image" in progress.why
    assert api.store.all("deployments") == []


def test_an_account_without_the_right_is_told_and_nothing_is_left_waiting(api, tmp_path) -> None:
    api.allowed = lambda asked: asked["resource"] != "deployments"
    warm, run = performer(api, tmp_path), warm_run(tmp_path)
    with pytest.raises(SubmitFailed, match="cluster check") as refused:
        warm.submit(run)
    assert refused.value.is_away
    assert (WarmRun.objects.count(), WarmServer.objects.count()) == (0, 0)


def test_a_server_whose_making_was_not_answered_is_deleted_before_another(api, tmp_path) -> None:
    warm, run = performer(api, tmp_path), warm_run(tmp_path)
    api.faults = [failure(500, "InternalError", "etcd is away")]
    warm.submit(run)
    (server,) = WarmServer.objects.all()
    assert server.is_stopping
    warm.poll(run)
    (fresh,) = WarmServer.objects.filter(is_stopping=False)
    assert fresh.name != server.name
    assert not WarmServer.objects.filter(name=server.name).exists()
