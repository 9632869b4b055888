"""Walls, rights, scaling, alarms and upgrades, as an administrator would look at them."""

from __future__ import annotations

import re
from typing import Any

import promql_parser
import pytest
import yaml

from tests.charts.rendering import Object, is_hub, kind, named, objects, of, pods, values_of
from tests.docs import pages

HUB = {"app.kubernetes.io/name": "avrop", "app.kubernetes.io/instance": "avrop"}
RUN = {"app.kubernetes.io/managed-by": "avrop", "hub.avrop/kind": "run"}
LISTENERS = ("avrop-listen-dicom", "avrop-listen-hl7")


def spec(name: str, kind_: str, object_: str) -> Object:
    return dict(named(of(name), kind_, object_)["spec"])


# -- rights ---------------------------------------------------------------------------------------
def test_the_hub_may_do_with_runs_what_it_must_and_nothing_else() -> None:
    role = named(of("gpu"), "Role", "avrop-runs")
    assert role["metadata"]["namespace"] == "avrop-runs"
    rights = {
        (group, resource): set(rule["verbs"])
        for rule in role["rules"] for group in rule["apiGroups"] for resource in rule["resources"]
    }  # fmt: skip
    assert rights == {
        ("batch", "jobs"): {"create", "get", "list", "watch", "delete", "patch"},
        ("apps", "deployments"): {"create", "get", "delete"},
        ("", "pods"): {"get", "list", "watch"},
        ("", "pods/log"): {"get"},
        ("", "events"): {"get", "list", "watch"},
    }
    (subject,) = named(of("gpu"), "RoleBinding", "avrop-runs")["subjects"]
    assert (subject["name"], subject["namespace"]) == ("avrop-cluster", "ai")
    assert not kind(of("gpu"), "ClusterRole", "ClusterRoleBinding")


def test_nodes_may_be_listed_where_that_is_asked_for_and_nothing_else_of_the_cluster() -> None:
    asked = values_of("gpu")
    asked["gpu"] |= {"readNodes": True}
    made = objects(asked)
    (role,) = kind(made, "ClusterRole")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list"]}]
    (bound,) = kind(made, "ClusterRoleBinding")
    assert bound["roleRef"]["name"] == role["metadata"]["name"]
    assert [one["name"] for one in bound["subjects"]] == ["avrop-cluster"]


def test_without_runs_on_the_cluster_there_are_no_rights_at_all() -> None:
    assert not kind(of("production"), "Role", "RoleBinding", "Namespace", "PriorityClass")


# -- the namespace of algorithms ------------------------------------------------------------------
def test_algorithms_have_a_namespace_that_takes_restricted_pods_alone() -> None:
    labels = named(of("gpu"), "Namespace", "avrop-runs")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert labels["pod-security.kubernetes.io/enforce-version"] == "v1.29"


def test_pods_of_runs_reach_the_web_port_of_the_hub_and_nothing_else() -> None:
    policies = [one for one in kind(of("gpu"), "NetworkPolicy")
                if one["metadata"].get("namespace") == "avrop-runs"]  # fmt: skip
    deny, allow = sorted(policies, key=lambda one: one["metadata"]["name"])
    assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert allow["spec"]["podSelector"] == {"matchLabels": RUN}
    (way,) = allow["spec"]["egress"]
    assert way["ports"] == [{"protocol": "TCP", "port": 8000}]
    (to,) = way["to"]
    assert to["podSelector"]["matchLabels"] == {**HUB, "app.kubernetes.io/component": "web"}
    assert to["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "ai"}
    (into,) = spec("gpu", "NetworkPolicy", "avrop-web")["ingress"]
    assert {"matchLabels": RUN} in [one.get("podSelector") for one in into["from"]]


def test_priorities_let_a_stat_preempt_and_no_other() -> None:
    classes = {one["metadata"]["name"]: one for one in kind(of("gpu"), "PriorityClass")}
    assert {name: one["preemptionPolicy"] for name, one in classes.items()} == {
        "hub-stat": "PreemptLowerPriority", "hub-routine": "Never", "hub-background": "Never",
    }  # fmt: skip
    values = [classes[f"hub-{one}"]["value"] for one in ("stat", "routine", "background")]
    assert values == sorted(values, reverse=True)
    assert spec("gpu", "ResourceQuota", "avrop-runs")["hard"] == {
        "count/jobs.batch": "500", "count/pods": "500",
        "requests.nvidia.com/mig-1g.10gb": "8",
    }  # fmt: skip


# -- the hub's own network ------------------------------------------------------------------------
def test_whatever_is_not_named_is_denied() -> None:
    deny = spec("production", "NetworkPolicy", "avrop-deny-all")
    assert deny == {"podSelector": {"matchLabels": HUB}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.parametrize(
    ("door", "port", "source"),
    [("listen-dicom", 11112, "10.1.0.0/16"), ("listen-hl7", 2575, "10.2.0.0/16")],
)
def test_a_door_is_open_to_those_who_are_named(door: str, port: int, source: str) -> None:
    (way,) = spec("production", "NetworkPolicy", f"avrop-{door}")["ingress"]
    assert way == {"from": [{"ipBlock": {"cidr": source}}],
                   "ports": [{"protocol": "TCP", "port": port}]}  # fmt: skip


def test_the_metadata_address_of_a_cloud_is_never_reached() -> None:
    for policy in kind(of("gpu"), "NetworkPolicy"):
        for way in policy["spec"].get("egress", []):
            for to in way.get("to", []):
                if to.get("ipBlock", {}).get("cidr") == "0.0.0.0/0":
                    assert to["ipBlock"]["except"] == ["169.254.169.254/32"]


# -- coming and going -----------------------------------------------------------------------------
def test_tables_are_brought_up_to_date_before_new_pods_start() -> None:
    job = named(of("production"), "Job", "avrop-migrate")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    pod = job["spec"]["template"]["spec"]
    assert pod["containers"][0]["args"] == ["migrate", "--no-input"]
    # a hook runs before anything of the release is there that it could refer to
    assert "serviceAccountName" not in pod
    assert not any("persistentVolumeClaim" in one for one in pod["volumes"])


def test_with_the_bundled_database_each_revision_migrates_once_it_is_there() -> None:
    again = objects(values_of("bundled"), revision=7, is_install=False, is_upgrade=True)
    assert "annotations" not in named(again, "Job", "avrop-migrate-7")["metadata"]


def test_a_listener_is_given_time_to_end_its_associations() -> None:
    for name in LISTENERS:
        pod = spec("folder", "Deployment", name)["template"]["spec"]
        assert pod["terminationGracePeriodSeconds"] >= 60
        environment = {one["name"]: one.get("value") for one in pod["containers"][0]["env"]}
        # five seconds before SIGTERM, fifteen for what is aborted after the draining
        drained = int(environment["HUB_DRAIN_SECONDS"])
        assert 0 < drained <= pod["terminationGracePeriodSeconds"] - 20
        assert pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "5"]
        assert spec("folder", "Deployment", name)["strategy"]["rollingUpdate"] == {
            "maxUnavailable": 0, "maxSurge": 1}  # fmt: skip


def test_what_a_listener_answered_for_outlives_its_pod_until_it_is_in_the_store() -> None:
    """ADR 39: with a store of objects the disk of a listener is where instances begin."""
    for name in LISTENERS:
        listener = spec("production", "StatefulSet", name)
        (claim,) = listener["volumeClaimTemplates"]
        template = listener["template"]["spec"]
        assert claim["metadata"]["name"] == "state"
        assert claim["spec"]["resources"]["requests"]["storage"] == "50Gi"
        assert "state" not in {one["name"] for one in template["volumes"]}
        (container,) = template["containers"]
        mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
        assert mounts["state"] == "/var/lib/avrop"
        # it is taken away last of all: nobody else has what lies there
        assert "persistentVolumeClaimRetentionPolicy" not in listener
    scaled = spec("production", "HorizontalPodAutoscaler", "avrop-listen-dicom")
    assert scaled["scaleTargetRef"]["kind"] == "StatefulSet"


def test_beat_is_single() -> None:
    beat = spec("default", "Deployment", "avrop-beat")
    assert (beat["replicas"], beat["strategy"]) == (1, {"type": "Recreate"})
    watch = spec("gpu", "Deployment", "avrop-watch-cluster")
    assert (watch["replicas"], watch["strategy"]) == (1, {"type": "Recreate"})


@pytest.mark.parametrize("name", ["default", "bundled", "production", "gpu"])
def test_every_process_says_whether_it_lives(name: str) -> None:
    for owner, template in pods(of(name)):
        container = template["spec"]["containers"][0]
        if is_hub(template) and not owner.startswith("avrop-migrate"):
            assert container["livenessProbe"], owner
    web = spec(name, "Deployment", "avrop-web")["template"]["spec"]["containers"][0]
    assert web["startupProbe"]["httpGet"]["path"] == "/health/ready"
    # a page without its broker is better than none
    assert web["readinessProbe"]["httpGet"]["path"] == "/health/live"


def test_pods_of_one_kind_are_spread_over_nodes_and_zones() -> None:
    for _, template in pods(of("production")):
        if template["spec"].get("restartPolicy"):
            continue
        spread = template["spec"]["topologySpreadConstraints"]
        assert [one["topologyKey"] for one in spread] == [
            "kubernetes.io/hostname", "topology.kubernetes.io/zone"]  # fmt: skip
        for one in spread:
            assert one["labelSelector"]["matchLabels"].items() <= template["metadata"][
                "labels"].items()  # fmt: skip


def test_what_has_several_pods_keeps_some_and_what_has_one_lets_nodes_be_drained() -> None:
    budgets = {one["metadata"]["name"] for one in kind(of("default"), "PodDisruptionBudget")}
    several = {one["metadata"]["name"] for one in kind(of("default"), "Deployment", "StatefulSet")
               if one["spec"]["replicas"] > 1}  # fmt: skip
    assert budgets == several


# -- scaling, and the numbers it goes by ----------------------------------------------------------
def test_workers_scale_by_the_length_of_their_queue_and_by_processor_time() -> None:
    scaled = spec("production", "HorizontalPodAutoscaler", "avrop-worker-run")
    assert scaled["metrics"][0]["resource"]["name"] == "cpu"
    assert scaled["metrics"][1]["external"] == {
        "metric": {"name": "hub_queue_length", "selector": {"matchLabels": {"queue": "run"}}},
        "target": {"type": "AverageValue", "averageValue": "20"},
    }
    assert "replicas" not in spec("production", "Deployment", "avrop-worker-run")


def test_every_worker_scales_and_the_one_without_rows_that_wait_by_processor_time_alone() -> None:
    scaled = {one["spec"]["scaleTargetRef"]["name"]: one["spec"]
              for one in kind(of("production"), "HorizontalPodAutoscaler")}  # fmt: skip
    workers = {one["metadata"]["name"] for one in kind(of("production"), "Deployment")
               if one["metadata"]["name"].startswith("avrop-worker-")}  # fmt: skip
    assert len(workers) == 5
    assert workers <= set(scaled)
    assert [one["type"] for one in scaled["avrop-worker-billing"]["metrics"]] == ["Resource"]
    assert [scaled["avrop-worker-billing"][f"{end}Replicas"] for end in ("min", "max")] == [1, 2]
    assert [scaled["avrop-worker-run"][f"{end}Replicas"] for end in ("min", "max")] == [2, 10]
    for name in workers:
        assert "replicas" not in spec("production", "Deployment", name)
    (trigger,) = spec("gpu", "ScaledObject", "avrop-worker-billing")["triggers"]
    assert trigger["type"] == "cpu"


def test_keda_asks_prometheus_for_the_same_number() -> None:
    triggers = spec("gpu", "ScaledObject", "avrop-worker-run")["triggers"]
    queries = [one["metadata"]["query"] for one in triggers if one["type"] == "prometheus"]
    assert queries == ['hub_queue_length{namespace="ai", queue="run"}']
    promql_parser.parse(queries[0])


def rules(name: str) -> list[Object]:
    groups = spec(name, "PrometheusRule", "avrop")["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_every_expression_is_one_and_asks_for_numbers_that_the_hub_tells() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", pages.text_of("docs/reference/metrics.md"), re.M))
    assert len(rules("production")) >= 10
    for rule in rules("production"):
        promql_parser.parse(rule["expr"])
        asked = set(re.findall(r"\b(?:routing|hub)_\w+", rule["expr"]))
        assert asked, rule
        assert asked <= told, rule


def test_the_alarms_are_those_of_the_page_of_metrics() -> None:
    (block,) = [one for one in pages.blocks("docs/reference/metrics.md") if one.language == "yaml"]

    def plain(found: list[Object]) -> dict[str, tuple[Any, Any]]:
        return {one["alert"]: (one["expr"], one.get("for")) for one in found if "alert" in one}

    assert plain(rules("production")) == plain(yaml.safe_load(block.text))


def test_a_store_that_falls_behind_is_an_alarm_before_the_disks_of_listeners_are_full() -> None:
    (alarm,) = [one for one in rules("production") if one.get("alert") == "HubStoreFallsBehind"]
    assert alarm["expr"] == "max(hub_storage_backlog_seconds) > 300"
    assert alarm["labels"] == {"severity": "critical"}


def test_every_queue_with_a_target_has_a_number() -> None:
    recorded = {one["labels"]["queue"] for one in rules("production") if "record" in one}
    scaled = kind(of("production"), "HorizontalPodAutoscaler")
    asked = {metric["external"]["metric"]["selector"]["matchLabels"]["queue"]
             for one in scaled for metric in one["spec"]["metrics"]
             if metric["type"] == "External"}  # fmt: skip
    assert asked == recorded


def test_prometheus_shows_the_token_of_an_administrator() -> None:
    (end,) = spec("production", "ServiceMonitor", "avrop")["endpoints"]
    assert end["path"] == "/metrics"
    assert end["authorization"] == {
        "type": "Token", "credentials": {"name": "avrop-metrics", "key": "token"}}  # fmt: skip


# -- the ways in ----------------------------------------------------------------------------------
def test_pages_are_reached_by_tls_and_the_hub_is_told_so() -> None:
    ingress = spec("production", "Ingress", "avrop")
    hosts = ["ai.example.org", "ai.hospital.example.org"]
    assert ingress["tls"] == [{"secretName": "avrop-tls", "hosts": hosts}]
    (pod,) = [pod for owner, pod in pods(of("production")) if owner == "avrop-web"]
    given = {one["name"]: one.get("value") for one in pod["spec"]["containers"][0]["env"]}
    assert given["HUB_HTTPS"] == "on"
    assert given["HUB_TRUSTED_ORIGINS"] == ",".join(f"https://{host}" for host in hosts)
    assert given["HUB_TRUSTED_PROXIES"] == "10.42.0.0/16"
    assert set(hosts) < set(given["HUB_ALLOWED_HOSTS"].split(","))


def test_a_gateway_ends_tls_as_well() -> None:
    (listener,) = spec("gpu", "Gateway", "avrop")["listeners"]
    assert (listener["protocol"], listener["tls"]["mode"]) == ("HTTPS", "Terminate")
    route = spec("gpu", "HTTPRoute", "avrop")
    assert route["parentRefs"] == [{"name": "avrop"}]
    assert route["rules"][0]["backendRefs"] == [{"name": "avrop-web", "port": 8000}]


def test_a_listener_keeps_the_address_of_the_sender() -> None:
    service = spec("production", "Service", "avrop-listen-dicom")
    assert service["type"] == "LoadBalancer"
    assert service["externalTrafficPolicy"] == "Local"
    assert service["ports"] == [{"name": "dicom", "port": 104, "targetPort": "dicom"}]


def test_the_volume_of_images_outlives_the_release() -> None:
    claim = named(of("folder"), "PersistentVolumeClaim", "avrop-state")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_passwords_stay_as_long_as_the_volumes_that_they_open() -> None:
    """Helm takes no volume of a StatefulSet away; a new password would not open it."""
    kept = named(of("bundled"), "Secret", "avrop-bundled")["metadata"]["annotations"]
    assert kept["helm.sh/resource-policy"] == "keep"


def test_a_resolver_on_the_nodes_can_be_allowed_beside_that_of_the_cluster() -> None:
    def ways(values: Object) -> list[Object]:
        common = named(objects(values), "NetworkPolicy", "avrop-common")["spec"]["egress"]
        (dns,) = [one for one in common if {"protocol": "UDP", "port": 53} in one["ports"]]
        return list(dns["to"])

    values = values_of("production")
    assert [list(one) for one in ways(values)] == [["namespaceSelector"]]
    local = values.get("networkPolicy", {}) | {"dnsTo": ["169.254.20.10/32"]}
    assert {"ipBlock": {"cidr": "169.254.20.10/32"}} in ways(values | {"networkPolicy": local})
