"""Values that cannot be meant are refused by name, and what the chart sets the hub knows."""

from __future__ import annotations

import re
from typing import Any

import helm_python
import pytest
import yaml

from hub.dicom.object_store import Address
from hub.management.commands.worker import Command as Worker
from tests.charts.rendering import (
    CHART,
    SETS,
    Object,
    is_hub,
    kind,
    named,
    objects,
    of,
    pods,
    texts,
    values_of,
)
from tests.docs.test_settings_are_documented import in_code

SECRET = {"HUB_SECRET_KEY", "HUB_DATABASE_URL", "HUB_BROKER_URL"}
STORE = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
DIGEST = "sha256:" + "b" * 64
UNFIT: list[tuple[Object, str]] = [
    ({"replica": 3}, "replica"),
    ({"web": {"replicas": "two"}}, "/web/replicas"),
    ({"web": {"replicas": 0}}, "/web/replicas"),
    ({"beat": {"replicas": 2}}, "/beat"),
    ({"hosts": []}, "/hosts"),
    ({"hosts": ["https://ai.example.org"]}, "/hosts/0"),
    ({"settings": {"DEBUG": "on"}}, "'DEBUG' does not match pattern '^HUB_"),
    ({"secret": {"name": ""}}, "/secret/name"),
    ({"image": {"digest": "latest"}}, "/image/digest"),
    ({"storage": {"kind": "ftp"}}, "/storage/kind"),
    ({"storage": {"size": "lots"}}, "/storage/size"),
    ({"listenDicom": {"service": {"port": 70000}}}, "/listenDicom/service/port"),
    ({"listenDicom": {"service": {"type": "External"}}}, "/listenDicom/service/type"),
    ({"networkPolicy": {"dicomFrom": ["10.1.2.3"]}}, "/networkPolicy/dicomFrom/0"),
    ({"workers": {"run": {"queues": ["runs"]}}}, "/workers/run/queues/0"),
    ({"gpu": {"resourceName": "gpu"}}, "/gpu/resourceName"),
    ({"gpu": {"resources": {"lung": "mig"}}}, "/gpu/resources/lung"),
    ({"gpu": {"wall": {"seconds": 3600}}}, "/gpu/wall/seconds"),
    ({"gpu": {"wall": {"addresses": ["api.example.org:443"]}}}, "/gpu/wall/addresses/0"),
    ({"workerAutoscaling": {"queueLength": "guess"}}, "/workerAutoscaling/queueLength"),
]
CONTRADICTIONS: list[tuple[Object, str]] = [
    ({"settings": {"HUB_SECRET_KEY": "x"}}, "settings.HUB_SECRET_KEY: expected in the Secret"),
    ({"settings": {"HUB_HTTP_PORT": 80}}, "settings.HUB_HTTP_PORT: the chart sets it"),
    ({"storage": {"kind": "file", "accessMode": "ReadWriteOnce"}},
     "storage.accessMode: expected ReadWriteMany"),
    ({"bundled": {"enabled": True}, "storage": {"kind": "s3"}}, "storage.kind: expected file"),
    ({"bundled": {"s3": {"enabled": True}}}, "bundled.s3.enabled: expected only with"),
    ({"bundled": {"enabled": True, "s3": {"enabled": True}}, "storage": {"kind": "file"}},
     "storage.kind: expected s3 or none with bundled.s3.enabled, found file"),
    ({"workers": {"run": None}}, "workers: expected one that serves the queue run"),
    ({"gpu": {"enabled": True}}, "image.digest: expected sha256:"),
    ({"image": {"digest": DIGEST}, "gpu": {"enabled": True, "namespace": "ai"}},
     "gpu.namespace: expected a namespace other than"),
    ({"ingress": {"enabled": True}, "gateway": {"enabled": True}}, "expected ingress or gateway"),
    ({"gateway": {"enabled": True}}, "gateway.parentRefs: expected a Gateway"),
    ({"gateway": {"enabled": True, "create": True}}, "gateway.className: expected the class"),
    ({"https": False, "gateway": {"enabled": True, "create": True, "className": "cilium"}},
     "https: expected on with gateway.create"),
    ({"web": {"autoscaling": {"enabled": True, "minReplicas": 9}}},
     "web.autoscaling.maxReplicas: expected at least 9, as minReplicas is, found 6"),
    ({"listenDicom": {"autoscaling": {"enabled": True, "maxReplicas": 1}}},
     "listenDicom.autoscaling.maxReplicas: expected at least 2, as minReplicas is, found 1"),
    ({"workerAutoscaling": {"enabled": True}, "workers": {"billing": {"minReplicas": 3}}},
     "workers.billing.maxReplicas: expected at least 3, as minReplicas is, found 2"),
    ({"workerAutoscaling": {"enabled": True, "queueLength": "keda"}},
     "workerAutoscaling.prometheusAddress: expected http://"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "named"), UNFIT, ids=lambda one: str(one)[:60])
def test_a_value_that_cannot_be_meant_is_refused_by_name(values: Object, named: str) -> None:
    with helm_python.Chart.load(str(CHART)) as chart, pytest.raises(
        helm_python.HelmValuesError, match=re.escape(named)
    ):
        chart.validate_schema(values)


@pytest.mark.parametrize("name", SETS)
def test_values_that_are_meant_are_taken(name: str) -> None:
    with helm_python.Chart.load(str(CHART)) as chart:
        chart.validate_schema(values_of(name))


@pytest.mark.parametrize(("values", "sentence"), CONTRADICTIONS, ids=lambda one: str(one)[:60])
def test_values_that_contradict_each_other_are_refused_in_a_sentence(
    values: Object, sentence: str
) -> None:
    with pytest.raises(helm_python.HelmRenderError, match=re.escape(sentence)):
        objects(values)


def variables(pod: Object) -> dict[str, Any]:
    """The variables of a pod; what comes out of a Secret is told as its key."""
    return {
        one["name"]: one["value"] if "value" in one else one["valueFrom"]
        for one in pod["spec"]["containers"][0]["env"]
    }


@pytest.mark.parametrize("name", SETS)
def test_every_variable_is_a_setting_of_the_hub(name: str) -> None:
    given = {key for _, pod in pods(of(name)) if is_hub(pod) for key in variables(pod)}
    assert any(key.startswith("HUB_CLUSTER_") for key in given) == (name == "gpu")
    assert given - {"POD_IP", *STORE} <= set(in_code())
    assert given > SECRET


def test_runs_wait_for_their_wall_where_that_is_said() -> None:
    def told(**wall: Any) -> Object:
        asked = values_of("gpu")
        made = objects(asked | {"gpu": asked["gpu"] | {"wall": wall}})
        (pod,) = [one for owner, one in pods(made) if owner == "avrop-worker-run"]
        return {key: value for key, value in variables(pod).items() if "WALL" in key}

    assert told()["HUB_CLUSTER_WALL_SECONDS"] == "0"
    named_ones = ["10.96.0.1:443", "[fd00::1]:6443"]
    asked = told(seconds=20, addresses=named_ones)
    assert asked["HUB_CLUSTER_WALL_SECONDS"] == "20"
    assert asked["HUB_CLUSTER_WALL_ADDRESSES"] == ",".join(named_ones)


def test_every_setting_of_the_cluster_can_be_given_by_the_chart() -> None:
    asked = values_of("gpu")
    asked["gpu"] |= {
        "resources": {"lung-nodule": "nvidia.com/mig-1g.5gb", "@drammen": "nvidia.com/gpu.shared"},
        "kueueQueue": "hub", "wall": {"seconds": 20, "addresses": ["10.96.0.1:443"]},
    }  # fmt: skip
    (pod,) = [one for owner, one in pods(objects(asked)) if owner == "avrop-worker-run"]
    given = variables(pod)
    assert set(given["HUB_CLUSTER_GPU_RESOURCES"].split(",")) == {
        "lung-nodule=nvidia.com/mig-1g.5gb", "@drammen=nvidia.com/gpu.shared"
    }  # fmt: skip
    # the pods are of this cluster, and its web speaks HTTP within it
    never = {"HUB_CLUSTER_KUBECONFIG", "HUB_CLUSTER_CA_FILE"}
    known = {name for name in in_code() if name.startswith("HUB_CLUSTER_")}
    assert known - set(given) == never


@pytest.mark.parametrize("name", SETS)
def test_no_secret_stands_in_a_manifest_of_a_pod(name: str) -> None:
    for _, pod in pods(of(name)):
        for key, value in variables(pod).items():
            if key in SECRET or re.search("PASSWORD|SECRET_", key):
                assert set(value) == {"secretKeyRef"}


def test_more_of_the_secret_and_the_store_of_objects_come_from_it_alone() -> None:
    (pod,) = [pod for owner, pod in pods(of("production")) if owner == "avrop-web"]
    for key in (*SECRET, "HUB_STORAGE_URL", "HUB_SECRET_KEY_FALLBACKS"):
        assert variables(pod)[key] == {"secretKeyRef": {"name": "avrop-secrets", "key": key}}


def test_without_bundled_the_chart_makes_no_secret() -> None:
    assert not [one for one in of("production") if one["kind"] == "Secret"]


def test_nothing_that_holds_data_is_in_the_release_unless_that_is_asked_for() -> None:
    assert {one["metadata"]["name"] for one in kind(of("default"), "StatefulSet")} == {
        "avrop-listen-dicom", "avrop-listen-hl7"
    }  # fmt: skip
    assert kind(of("default"), "PersistentVolumeClaim", "Secret") == []
    for _name, pod in pods(of("default")):
        assert variables(pod)["HUB_STORAGE_URL"]["secretKeyRef"]["name"] == "avrop"
    images = {one["image"] for _name, pod in pods(of("bundled"))
              for one in pod["spec"]["containers"]}  # fmt: skip
    assert {image.split("/")[-1].split(":")[0] for image in images} == {
        "avrop", "postgres", "redis"
    }  # fmt: skip
    (volume,) = kind(of("bundled"), "PersistentVolumeClaim")
    assert volume["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert volume["spec"]["resources"]["requests"]["storage"] == "20Gi"
    (volume,) = kind(of("folder"), "PersistentVolumeClaim")
    assert (volume["spec"]["accessModes"], volume["spec"]["storageClassName"]) == (
        ["ReadWriteMany"], "nfs"
    )  # fmt: skip


def test_the_bundled_store_is_where_every_process_looks_and_its_keys_are_nobody_elses() -> None:
    found = of("bundled-s3")
    (secret,) = kind(found, "Secret")
    told, service = secret["stringData"], named(found, "Service", "avrop-s3")
    assert told["HUB_STORAGE_URL"] == "s3://hub?endpoint=http://avrop-s3:9000"
    assert Address.of(told["HUB_STORAGE_URL"]).bucket == "hub"
    assert service["spec"]["ports"][0]["port"] == 9000
    assert len(told["AWS_SECRET_ACCESS_KEY"]) == 40
    for owner, pod in pods(found):
        if is_hub(pod):
            for key in ("HUB_STORAGE_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                wanted = {"secretKeyRef": {"name": "avrop-bundled", "key": key}}
                assert variables(pod)[key] == wanted, owner
    assert kind(found, "PersistentVolumeClaim") == []
    # without it nothing of it is there
    assert "AWS_ACCESS_KEY_ID" not in kind(of("bundled"), "Secret")[0]["stringData"]
    assert not [one for one in of("bundled") if one["metadata"]["name"] == "avrop-s3"]


@pytest.mark.parametrize("name", SETS)
def test_every_queue_of_the_hub_has_a_worker(name: str) -> None:
    of_hub = Worker().create_parser("manage.py", "worker").get_default("queues").split(",")
    commands = [pod["spec"]["containers"][0].get("args", []) for _, pod in pods(of(name))]
    served = [one[2].split(",") for one in commands if one[:2] == ["worker", "--queues"]]
    assert sorted(sum(served, [])) == sorted(set(sum(served, [])))
    assert set(of_hub) <= set(sum(served, []))


def test_every_value_is_explained_in_its_readme() -> None:
    readme = (CHART / "README.md").read_text()
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    missing = [name for name in defaults if f"`{name}" not in readme]
    assert missing == []


def test_the_notes_say_what_to_do_next() -> None:
    (notes,) = [text for path, text in texts(values_of("gpu")).items() if path.endswith(".txt")]
    assert "manage.py cluster check" in notes
    assert "https://avrop.example.org/" in notes
