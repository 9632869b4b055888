"""A hospital that enforces the chart's policies keeps a working hub, and nothing beside it.

Each connection that the hub makes or takes stands beside what may not be: the table of
docs/how-to/install-with-helm.md tells the same.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.charts.network import End, Pod, pod_of, reaches
from tests.charts.rendering import CHART, Object, is_hub, objects, of, pods, values_of
from tests.docs import pages

DATABASE, BROKER, STORE = "10.3.0.1", "10.3.0.2", "10.3.0.3"
MODALITY, PACS, RIS, STRANGER = "10.1.0.7", "10.1.0.5", "10.2.0.9", "10.9.9.9"
API = "10.96.0.1"
DNS = Pod("kube-system", {"k8s-app": "kube-dns"})
FRONT, PROMETHEUS = Pod("ingress-nginx"), Pod("monitoring")
RUN = Pod("avrop-runs", {"app.kubernetes.io/managed-by": "avrop", "hub.avrop/kind": "run"})
NARROW = values_of("production") | {
    "gpu": {"enabled": True}, "image": values_of("gpu")["image"],
    "networkPolicy": values_of("production")["networkPolicy"] | {
        "peersTo": ["10.1.0.0/16", "10.2.0.0/16"], "apiServerTo": [f"{API}/32"]},
}  # fmt: skip


def narrow(**policy: Any) -> list[Object]:
    """The chart with everything named, as narrowly as an administrator can."""
    return objects(NARROW | {"networkPolicy": NARROW["networkPolicy"] | policy})


def processes(found: list[Object]) -> list[str]:
    return sorted({pod["metadata"]["labels"]["app.kubernetes.io/component"]
                   for _, pod in pods(found) if is_hub(pod)})  # fmt: skip


def open_to(found: list[Object], target: End, port: int) -> set[str]:
    """The processes of the hub that reach a target."""
    return {name for name in processes(found)
            if reaches(found, pod_of(found, name), target, port)}  # fmt: skip


@pytest.fixture(scope="module")
def made() -> list[Object]:
    return narrow()


def test_every_process_finds_names_database_broker_and_store(made: list[Object]) -> None:
    everyone = set(processes(made))
    assert {"beat", "listen-dicom", "listen-hl7", "migrate", "watch-cluster", "web",
            "worker-run"} < everyone  # fmt: skip
    for target, port in ((DNS, 53), (DATABASE, 5432), (BROKER, 6379), (STORE, 443)):
        assert open_to(made, target, port) == everyone, target
    assert all(reaches(made, pod_of(made, name), DNS, 53, "UDP") for name in everyone)


def test_only_workers_speak_to_pacs_and_ris_and_on_any_port(made: list[Object]) -> None:
    workers = {name for name in processes(made) if name.startswith("worker-")}
    assert len(workers) == 5
    for target, port in ((PACS, 104), (PACS, 11112), (RIS, 2575)):
        assert open_to(made, target, port) == workers
    assert open_to(made, STRANGER, 104) == set()


def test_only_who_starts_and_watches_runs_speaks_to_the_api_server(made: list[Object]) -> None:
    for port in (443, 6443):
        assert open_to(made, API, port) == {"watch-cluster", "worker-run"}
    assert open_to(of("production"), API, 6443) == {
        name for name in processes(of("production")) if name.startswith("worker-")}  # fmt: skip


@pytest.mark.parametrize(
    ("source", "door", "port"),
    [(MODALITY, "listen-dicom", 11112), (RIS, "listen-hl7", 2575), (FRONT, "web", 8000),
     (PROMETHEUS, "web", 8000), (RUN, "web", 8000)],
)  # fmt: skip
def test_each_door_is_open_to_those_it_is_for_alone(
    made: list[Object], source: End, door: str, port: int
) -> None:
    assert reaches(made, source, pod_of(made, door), port)
    assert not reaches(made, STRANGER, pod_of(made, door), port)
    assert not reaches(made, Pod("elsewhere"), pod_of(made, door), port)
    others = {"listen-dicom": 11112, "listen-hl7": 2575, "web": 8000, "beat": port}
    for name, its in others.items():
        if name != door:
            assert not reaches(made, source, pod_of(made, name), its), name


def test_a_run_reaches_the_hubs_web_and_nothing_else(made: list[Object]) -> None:
    for target, port in ((API, 443), (DATABASE, 5432), (PACS, 104), (STRANGER, 443), (DNS, 53)):
        assert not reaches(made, RUN, target, port)
    assert not reaches(made, pod_of(made, "worker-run"), RUN, 8080)
    assert not reaches(made, Pod("avrop-runs"), pod_of(made, "web"), 8000)


@pytest.mark.parametrize("name", ["bundled", "bundled-s3"])
def test_what_is_bundled_is_reached_by_the_hub_and_by_nobody_else(name: str) -> None:
    found = of(name)
    ports = {"postgresql": 5432, "redis": 6379} | ({"s3": 9000} if "s3" in name else {})
    for server, port in ports.items():
        target = pod_of(found, server)
        assert open_to(found, target, port) == set(processes(found))
        assert not reaches(found, Pod("elsewhere"), target, port)
        assert not reaches(found, target, STRANGER, 443)


def test_the_resolver_of_openshift_is_found_where_it_is() -> None:
    found = narrow(dnsNamespace="openshift-dns", dnsPorts=[5353])
    there = Pod("openshift-dns")
    assert open_to(found, there, 5353) == set(processes(found))
    assert open_to(narrow(), there, 5353) == set()


def test_servers_that_are_pods_of_the_cluster_are_reached_by_their_namespaces() -> None:
    database, store = Pod("postgres"), Pod("minio")
    found = narrow(serverNamespaces=["postgres", "minio"], objectsPort=9000)
    assert open_to(found, database, 5432) == open_to(found, store, 9000) == set(processes(found))
    # to Cilium no block of addresses means a pod, not even that of all
    assert open_to(of("default"), database, 5432) == set()


def test_a_broker_behind_a_sentinel_has_two_ports() -> None:
    found = narrow(brokerPort=[26379, 6379])
    for port in (26379, 6379):
        assert open_to(found, BROKER, port) == set(processes(found))
    assert not open_to(found, BROKER, 5672)


def test_an_ingress_controller_on_the_network_of_the_nodes_is_named_by_its_addresses() -> None:
    node = "10.0.0.11"
    assert not reaches(narrow(), node, pod_of(narrow(), "web"), 8000)
    found = narrow(ingressFrom=["10.0.0.0/24"])
    assert reaches(found, node, pod_of(found, "web"), 8000)
    assert not reaches(found, node, pod_of(found, "beat"), 8000)


def test_the_metadata_address_is_left_out_of_the_newer_internet_as_well() -> None:
    found = narrow(peersTo=["::/0"])
    assert open_to(found, "2001:db8::5", 104) >= {"worker-write-back"}
    assert open_to(found, "fd00:ec2::254", 80) == set()


def test_the_table_of_connections_names_every_rule_and_none_that_is_not_there() -> None:
    page, heading = "docs/how-to/install-with-helm.md", "## Where policies are enforced"
    told = {word.strip("` ") for row in pages.rows(pages.section(page, heading))
            for word in row[2].split(",")}  # fmt: skip
    values = yaml.safe_load((CHART / "values.yaml").read_text())["networkPolicy"]
    assert told - {""} == set(values) - {"enabled"}
