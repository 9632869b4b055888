"""Warm servers that will never give an answer count as gone, and no race leaves one stuck."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.fakes.cluster_api.answers import failure
from tests.vendors.test_kubernetes_warm import UP, api, given_to, performer, pod_of, warm_run
from vendors import warm_servers
from vendors.models import WarmRun, WarmServer
from vendors.warm_servers import ServerDismissed

__all__ = ["api"]
pytestmark = pytest.mark.django_db(transaction=True)


def ago(seconds: float):
    return timezone.now() - timedelta(seconds=seconds)


def test_one_that_was_written_down_and_never_made_is_replaced(api, tmp_path) -> None:
    warm, run = performer(api, tmp_path), warm_run(tmp_path)
    left = warm_servers.begin("v1-o1", 0, fingerprint="of a worker that died")
    WarmServer.objects.filter(pk=left.pk).update(made_at=ago(60))
    warm_servers.queue(run.name, group="v1-o1", priority=4)
    # not at once: its worker may be at it
    assert warm._stands(WarmServer.objects.get(pk=left.pk)).state == "coming"
    WarmServer.objects.filter(pk=left.pk).update(made_at=ago(121))
    found = warm._stands(WarmServer.objects.get(pk=left.pk))
    assert (found.state, found.is_disruption) == ("lost", True)
    warm.poll(run)
    warm.poll(run)
    assert not WarmServer.objects.filter(pk=left.pk).exists()
    assert len(api.store.all("deployments")) == WarmServer.objects.count() == 1


def test_when_one_cannot_be_made_the_next_is_not_written_down(api, tmp_path) -> None:
    warm = performer(api, tmp_path)
    runs = [warm_run(tmp_path) for _ in range(2)]
    for run in runs:
        warm_servers.queue(run.name, group="v1-o1", priority=4)
    api.faults = [failure(500, "InternalError", "etcd is away")]
    warm.poll(runs[0])
    assert [one.is_stopping for one in WarmServer.objects.all()] == [True]


def test_an_idle_one_that_fell_silent_is_replaced_unless_it_loads_anew(api, tmp_path) -> None:
    warm, first = performer(api, tmp_path), warm_run(tmp_path)
    warm.submit(first)
    (server,) = WarmServer.objects.all()
    pod_of(api, server.name, UP)
    given_to(server.name)
    warm_servers.end(first.name, {"state": "succeeded", "exit_code": 0})
    warm.cleanup(first)
    WarmServer.objects.update(heard_at=ago(301))
    began = {"running": {"startedAt": f"{ago(200):%Y-%m-%dT%H:%M:%SZ}"}}
    pod_of(api, server.name, began)
    server.refresh_from_db()
    assert warm._stands(server).state == "up"  # its container is younger than its last word
    pod_of(api, server.name, {"running": {"startedAt": f"{ago(400):%Y-%m-%dT%H:%M:%SZ}"}})
    assert warm._stands(server).why == "the warm server was silent for 300 s"
    second = warm_run(tmp_path)
    warm.submit(second)
    warm.poll(second)
    (fresh,) = WarmServer.objects.all()
    assert fresh.name != server.name
    assert given_to(fresh.name).name == second.name


def test_a_run_that_is_given_while_it_is_cancelled_takes_its_server_along(
    api, tmp_path
) -> None:
    warm, run = performer(api, tmp_path), warm_run(tmp_path)
    warm.submit(run)
    (server,) = WarmServer.objects.all()
    given_to(server.name)
    # as whoever found it waiting a moment ago would go on
    assert not warm_servers.forget_run(run.name)
    assert WarmRun.objects.get().state == "given"
    warm.cancel(run)
    assert (WarmRun.objects.count(), api.store.all("deployments")) == (0, [])


@pytest.mark.parametrize(
    ("served", "ended_before", "is_blamed"),
    [(3, 0, False), (3, -2, True), (1, 0, True), (1, 3, False)],
)
def test_a_run_is_not_blamed_for_a_crash_from_before_it_was_given(
    served: int, ended_before: int, is_blamed: bool, api, tmp_path
) -> None:
    warm, run = performer(api, tmp_path), warm_run(tmp_path)
    warm.submit(run)
    (server,) = WarmServer.objects.all()
    given = given_to(server.name).given_at
    assert given is not None
    WarmServer.objects.update(served=served)
    second = (given - timedelta(seconds=ended_before)).strftime("%Y-%m-%dT%H:%M:%SZ")
    # started anew meanwhile, as a kubelet does
    died = {"lastState": {"terminated": {"exitCode": 3, "reason": "Error", "finishedAt": second}}}
    pod_of(api, server.name, UP, restarts=1, box=died)
    progress = warm.poll(run)
    assert (progress.state, progress.is_retryable) == ("failed", True)
    assert progress.is_disruption is not is_blamed
    assert progress.why.startswith("before it was given this run, ") is not is_blamed
    assert api.store.all("deployments") == []


def test_one_whose_run_was_forgotten_is_stopped_when_it_asks_anew(api, tmp_path) -> None:
    warm, run = performer(api, tmp_path), warm_run(tmp_path)
    warm.submit(run)
    (server,) = WarmServer.objects.all()
    given_to(server.name, "a")
    warm_servers.forget_run(run.name, is_given=True)
    with pytest.raises(ServerDismissed):
        warm_servers.give(server.name, ask="b", pod="p")
    server.refresh_from_db()
    assert (server.run, server.is_stopping) == ("", True)
    warm.tend("v1-o1", run.spec)
    assert api.store.all("deployments") == []


def test_one_that_another_worker_forgot_before_it_was_there_is_taken_away(
    api, tmp_path
) -> None:
    warm = performer(api, tmp_path)
    made = warm_servers.begin("v1-o1", 0, fingerprint="x")
    warm_servers.forget(WarmServer.objects.get(pk=made.pk))
    warm._create(made, warm_run(tmp_path).spec)
    assert api.requests["POST deployments"] == 1
    assert api.store.all("deployments") == []
