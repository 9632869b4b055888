"""What the chart makes is valid to the letter, and no pod may do more than "restricted" allows."""

from __future__ import annotations

import copy
import gzip
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.charts.rendering import (
    CHART,
    NAMESPACE,
    SETS,
    Object,
    is_hub,
    kind,
    of,
    pods,
    texts,
    values_of,
)
from tests.fakes.running_hub import ROOT

GOLDEN = Path(__file__).parent / "golden"
RECORDED = ROOT.parent / "shared" / "corpus" / "kubernetes" / "openapi-v2-trimmed.json.gz"
OLDEST, NEWEST = "1.26", "1.37"
# one of each that tells much; the others are made by the same few lines
REVIEWED = {
    "production": {
        ("StatefulSet", "listen-dicom"), ("Service", "listen-dicom"), ("Job", "migrate"),
        ("NetworkPolicy", "web"), ("HorizontalPodAutoscaler", "worker-run"), ("Ingress", "avrop"),
    },
    "bundled-s3": {
        ("StatefulSet", "s3"), ("Service", "s3"), ("NetworkPolicy", "s3"),
        ("NetworkPolicy", "common"), ("Job", "migrate-1"),
    },
}  # fmt: skip
# kinds that others bring into the cluster; looked at field by field in test_operations.py
FOREIGN = ("ServiceMonitor", "PrometheusRule", "ScaledObject", "Gateway", "HTTPRoute")


@pytest.mark.parametrize("name", SETS)
def test_helm_has_nothing_against_it(name: str) -> None:
    said = helm_python.lint(str(CHART), values_of(name), strict=True, namespace=NAMESPACE)
    assert [one for one in said["messages"] if one["severity"] > 1] == []
    assert said["errors"] in (None, [])


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", SETS)
def test_every_manifest_is_strictly_valid(name: str, version: str) -> None:
    own = [one for one in of(name) if one["kind"] not in FOREIGN]
    assert len(own) > 20
    for one in own:
        kubernetes_validate.validate(one, version, strict=True)


def test_an_unknown_field_is_found() -> None:
    broken = copy.deepcopy(kind(of("default"), "Deployment")[0])
    broken["spec"]["template"]["spec"]["containers"][0]["readOnlyRoot"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="readOnlyRoot"):
        kubernetes_validate.validate(broken, OLDEST, strict=True)


@cache
def recorded() -> Object:
    return dict(json.loads(gzip.decompress(RECORDED.read_bytes())))["definitions"]


@pytest.mark.skipif(not RECORDED.exists(), reason="the corpus is not beside the project")
@pytest.mark.parametrize("name", SETS)
def test_a_real_api_server_knows_every_field(name: str) -> None:
    """Those kinds that the recorded OpenAPI of a 1.26 server has."""
    by_kind = {
        (known["group"], known["version"], known["kind"]): key
        for key, one in recorded().items()
        for known in one.get("x-kubernetes-group-version-kind", ())
    }
    looked_at = set()
    for one in of(name):
        group, _, version = one["apiVersion"].rpartition("/")
        if key := by_kind.get((group, version, one["kind"])):
            assert unknown(one, recorded()[key]) == [], one["metadata"]["name"]
            looked_at.add(one["kind"])
    assert {"NetworkPolicy", "Job", "ServiceAccount"} & looked_at


def unknown(value: Any, schema: Object, at: str = "") -> list[str]:
    """Fields that a definition does not have, all the way down."""
    while "$ref" in schema:
        schema = recorded().get(schema["$ref"].rsplit("/", 1)[1], {})
    if isinstance(value, list):
        return [x for one in value for x in unknown(one, schema.get("items", {}), at)]
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    known = schema["properties"]
    return [f"{at}.{name}" for name in value if name not in known] + [
        x for name, one in value.items() if name in known
        for x in unknown(one, known[name], f"{at}.{name}")
    ]  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_every_pod_is_restricted(name: str) -> None:
    """The Pod Security Standards, profile "restricted", point by point; and a read-only root."""
    for owner, template in pods(of(name)):
        pod = template["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), owner
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        kinds = {key for one in pod["volumes"] for key in one if key != "name"}
        assert kinds <= {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral",
                         "persistentVolumeClaim", "projected", "secret"}  # fmt: skip
        for container in pod["containers"] + pod.get("initContainers", []):
            walls = container["securityContext"]
            assert walls == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                             "capabilities": {"drop": ["ALL"]}}  # fmt: skip
            assert not any("hostPort" in port for port in container.get("ports", []))
            assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("name", SETS)
def test_only_what_speaks_to_the_cluster_has_a_token(name: str) -> None:
    with_token = {
        owner for owner, pod in pods(of(name)) if pod["spec"]["automountServiceAccountToken"]
    }
    expected = {"avrop-watch-cluster", "avrop-worker-run"} if name == "gpu" else set()
    assert with_token == expected


@pytest.mark.parametrize("name", SETS)
def test_labels_select_what_they_are_meant_to(name: str) -> None:
    """A Service, a budget or a Deployment whose selector finds no pod would do nothing, unseen."""
    labels = [pod["metadata"]["labels"] for _, pod in pods(of(name))]
    for one in kind(of(name), "Deployment", "StatefulSet", "Service", "PodDisruptionBudget"):
        selector = one["spec"]["selector"]
        wanted = selector.get("matchLabels", selector)
        found = [found for found in labels if wanted.items() <= found.items()]
        assert len(found) == 1, one["metadata"]["name"]


@pytest.mark.parametrize("name", SETS)
def test_every_port_of_a_service_is_open_in_its_pods(name: str) -> None:
    for service in kind(of(name), "Service"):
        wanted = service["spec"]["selector"].items()
        (pod,) = [p for _, p in pods(of(name)) if wanted <= p["metadata"]["labels"].items()]
        ports = pod["spec"]["containers"][0]["ports"]
        known = {value for port in ports for value in (port["name"], port["containerPort"])}
        assert all(port["targetPort"] in known for port in service["spec"]["ports"])


@pytest.mark.parametrize("name", REVIEWED)
def test_what_is_made_is_what_was_reviewed(name: str) -> None:
    """HUB_UPDATE_GOLDEN=1 writes it anew; review the difference line by line."""
    made = "".join(
        f"---\n# {path}\n{yaml.safe_dump(one, sort_keys=True, width=110)}"
        for path, text in sorted(texts(values_of(name)).items())
        if path.endswith(".yaml")
        for one in yaml.safe_load_all(text)
        if one and (one["kind"], one["metadata"]["name"].removeprefix("avrop-")) in REVIEWED[name]
    )
    golden = GOLDEN / f"{name}.yaml"
    if os.environ.get("HUB_UPDATE_GOLDEN") == "1":
        golden.write_text(made)
    assert made == golden.read_text()


def test_the_image_is_by_digest_where_one_is_given() -> None:
    images = {pod["spec"]["containers"][0]["image"] for _, pod in pods(of("gpu")) if is_hub(pod)}
    assert images == {"registry.example.org/avrop@sha256:" + "a" * 64}


def test_the_schema_of_values_is_itself_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(
        json.loads((CHART / "values.schema.json").read_text())
    )
