"""`manage.py cluster check` as an administrator runs it, against an API server."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from hub import cluster_environment
from tests.fakes.cluster_api import made_up
from tests.fakes.cluster_api.scripts import WAITS, Player, failed, made, status
from tests.fakes.cluster_api.server import ClusterApi
from tests.hub.cluster.specs import DIGEST
from tests.hub.cluster.test_check import furnish
from tests.vendors.cluster import settings_for
from vendors.cluster_check import lines
from vendors.manifest import PerformerSpec, Resources

SPEC = PerformerSpec(kind="kubernetes", image=f"registry.example/algo@{DIGEST}",
                     resources=Resources("1", "512Mi", 1))  # fmt: skip


@pytest.fixture
def api():
    server = ClusterApi()
    furnish(server)
    yield server
    server.stop()


def found(api, folder, **algorithms: PerformerSpec) -> dict[str, tuple[str, str]]:
    told = lines(settings_for(api, folder), algorithms, with_probe=True)
    return {one.what: (one.state, one.says) for one in told}


def test_each_image_of_a_vendor_is_pulled_once_and_nothing_is_left(api, tmp_path) -> None:
    not_there = {"terminated": {
        "exitCode": 128, "reason": "StartError", "finishedAt": "2026-01-01T00:00:03Z",
        "message": 'exec: "/avrop/is-not-there": stat /avrop/is-not-there: no such file',
    }}  # fmt: skip
    ended = status("Failed", algorithm=not_there)
    a_pull = made((0.5, "pod", status("Pending", algorithm=WAITS)), (1, "pod", ended),
                  (2, "job", failed()))  # fmt: skip
    other = PerformerSpec(kind="kubernetes", image=f"registry.example/other@{DIGEST}")
    scripts = {SPEC.image: a_pull, other.image: made_up.no_image()}

    def play(api: ClusterApi, job: dict) -> None:
        (container,) = job["spec"]["template"]["spec"]["containers"]
        Player(scripts.get(container["image"], made_up.success()))(api, job)

    api.actor = play
    told = found(api, tmp_path, **{"a 1.0": SPEC, "a 1.1": SPEC, "b 2.0": other})
    assert told["probe: image of a 1.0"] == ("ok", "was pulled")
    assert told["probe: image of b 2.0"][0] == "fails"
    assert "no such image" in told["probe: image of b 2.0"][1]
    assert "probe: image of a 1.1" not in told
    assert api.requests["POST jobs"] == api.requests["DELETE jobs"] + 1  # and a dry run
    assert api.store.all("jobs") == api.store.all("pods") == []


def test_what_the_settings_call_gpus_of_a_site_is_held_against_the_nodes(api, tmp_path) -> None:
    settings = settings_for(api, tmp_path, gpu_resources={"@drammen": "nvidia.com/mig-1g.5gb"})
    told = {one.what: one for one in lines(settings, {"a 1.0": SPEC}, with_probe=False)}
    assert told["GPUs (nvidia.com/gpu)"].state == "ok"
    assert told["GPUs (nvidia.com/mig-1g.5gb)"].state == "fails"


def test_a_probe_whose_pod_vanished_ends_as_well(api, tmp_path) -> None:
    gone = made((0.5, "job", failed()))
    api.actor = Player(gone, gone)
    told = found(api, tmp_path, **{"a 1.0": SPEC})
    assert told["probe"][0] == "fails"
    assert told["probe: image of a 1.0"][0] == "unseen"
    assert "the cluster ended the Job" in told["probe: image of a 1.0"][1]


def test_the_way_to_the_cluster_is_that_of_kubectl_unless_the_hub_is_given_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("HUB_CLUSTER_KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    assert cluster_environment.read()["kubeconfig"] == ""
    monkeypatch.setenv("KUBECONFIG", "/home/admin/.kube/config")
    assert cluster_environment.read()["kubeconfig"] == "/home/admin/.kube/config"
    monkeypatch.setenv("HUB_CLUSTER_KUBECONFIG", "/etc/hub/kubeconfig")
    assert cluster_environment.read()["kubeconfig"] == "/etc/hub/kubeconfig"


@pytest.mark.django_db
def test_the_command_says_where_the_hub_itself_keeps_what_runs_are_given(
    api, tmp_path, settings, capsys
) -> None:
    settings.HUB_CLUSTER = settings_for(api, tmp_path)
    settings.HUB_CLUSTER_HUB_URL = settings.HUB_CLUSTER.pop("hub_url")
    settings.HUB_STORAGE_URL = (tmp_path / "spool").as_uri()
    call_command("cluster", "check")
    assert f"ok     storage of the hub: here: {tmp_path / 'spool'}" in capsys.readouterr().out
    (tmp_path / "file").touch()
    settings.HUB_STORAGE_URL = (tmp_path / "file").as_uri()
    with pytest.raises(CommandError, match="1 of these must be put right"):
        call_command("cluster", "check")
    assert "FAILS  storage of the hub: " in capsys.readouterr().out
