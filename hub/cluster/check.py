"""Asks a cluster whether the hub can do there all that it must; each answer says what to do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from hub.cluster import checks
from hub.cluster.client import Cluster, ClusterAway, ClusterRefused, Expired, Json
from hub.cluster.jobs import jobs_path

State = Literal["ok", "fails", "unseen"]

RIGHTS = (
    ("batch", "jobs", ("create", "get", "list", "watch", "delete", "patch")),
    ("", "pods", ("get", "list", "watch")),
    ("", "pods/log", ("get",)),
    ("", "events", ("list", "watch")),
)
# where an algorithm is kept warm
WARM_RIGHTS = (("apps", "deployments", ("create", "get", "delete")),)
_OLDEST = (1, 26)
_NOT_PULLED = "`--probe` tells whether it can be pulled"
# the newer first: the other is on its way out
_KUEUE_VERSIONS = ("v1beta2", "v1beta1")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at. Unseen: the hub's account may not see it, which it need not."""

    what: str
    state: State
    says: str


@dataclass(frozen=True, slots=True)
class Demand:
    """What one algorithm asks of a node, in Kubernetes quantities; ``disk_bytes``: its volumes."""

    algorithm: str
    cpu: str
    memory: str
    gpu: int
    gpu_resource: str
    disk_bytes: int
    image: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the settings say is there."""

    manifest: Json
    demands: tuple[Demand, ...] = ()
    priority_classes: tuple[str, ...] = ()
    runtime_class: str = ""
    queue: str = ""
    is_warm: bool = False
    # what the settings call GPUs of single algorithms and sites
    gpu_resources: tuple[str, ...] = ()


def check(cluster: Cluster, wanted: Wanted) -> Iterator[Line]:
    """All lines, as they are found; what depends on an API server that is away is left out."""
    version = _version(cluster)
    yield version
    if version.state == "fails":
        return
    yield from _rights(cluster, RIGHTS + (WARM_RIGHTS if wanted.is_warm else ()))
    yield _job(cluster, wanted.manifest)
    yield _namespace(cluster)
    yield from _policies(cluster, wanted.manifest)
    yield from _priority_classes(cluster, wanted.priority_classes)
    if wanted.runtime_class:
        yield _runtime_class(cluster, wanted.runtime_class)
    if wanted.queue:
        yield _queue(cluster, wanted.queue)
    yield from _limits(cluster, wanted.demands)
    yield from _nodes(cluster, wanted.demands, wanted.gpu_resources)


def _version(cluster: Cluster) -> Line:
    try:
        said = cluster.ask("GET", "/version").body
    except (ClusterAway, ClusterRefused, Expired) as fault:
        return Line("API server", "fails", f"{fault}: see HUB_CLUSTER_KUBECONFIG")
    name = str(said.get("gitVersion", "?"))
    number = checks.version_of(said)
    if number is not None and number < _OLDEST:
        return Line("API server", "fails", f"{name}: expected 1.26 or later")
    return Line("API server", "ok", name)


def _rights(
    cluster: Cluster, rights: Sequence[tuple[str, str, tuple[str, ...]]]
) -> Iterator[Line]:
    for group, resource, verbs in rights:
        missing = [verb for verb in verbs if not _may(cluster, group, resource, verb)]
        where = f"{resource} in {cluster.namespace}"
        if missing:
            verbs_named = ", ".join(missing)
            says = f"give the hub's account {verbs_named} on {where} (a Role and a RoleBinding)"
            yield Line(f"right to {where}", "fails", says)
        else:
            yield Line(f"right to {where}", "ok", ", ".join(verbs))


def _may(cluster: Cluster, group: str, resource: str, verb: str) -> bool:
    name, _, sub = resource.partition("/")
    attributes = {"namespace": cluster.namespace, "verb": verb, "group": group, "resource": name,
                  "subresource": sub}  # fmt: skip
    review = {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }  # fmt: skip
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    try:
        return bool(cluster.ask("POST", path, body=review).body["status"]["allowed"])
    except (ClusterRefused, ClusterAway):
        return False


def _job(cluster: Cluster, manifest: Json) -> Line:
    """A dry run goes through validation and admission, and makes nothing."""
    try:
        said = cluster.ask(
            "POST", jobs_path(cluster.namespace), body=manifest,
            query={"dryRun": "All", "fieldValidation": "Strict"},
        )  # fmt: skip
    except ClusterRefused as refused:
        why = "; ".join(refused.causes) or refused.message
        return Line("a Job of the hub", "fails", f"would be refused: {why}")
    except ClusterAway as away:
        return Line("a Job of the hub", "fails", str(away))
    if said.warnings:
        return Line("a Job of the hub", "fails", f"is warned of: {'; '.join(said.warnings)}")
    return Line("a Job of the hub", "ok", "would be taken, without a warning (dry run)")


def _namespace(cluster: Cluster) -> Line:
    what = "Pod Security"
    body = _seen(cluster, f"/api/v1/namespaces/{cluster.namespace}")
    if not isinstance(body, dict):
        return Line(what, "unseen", f"the namespace cannot be looked at: {body}")
    level = (body["metadata"].get("labels") or {}).get("pod-security.kubernetes.io/enforce")
    if level == "restricted":
        return Line(what, "ok", "restricted is enforced")
    label = "pod-security.kubernetes.io/enforce=restricted"
    return Line(what, "fails", f"found {level or 'nothing'}: label the namespace with {label}")


def _policies(cluster: Cluster, manifest: Json) -> Iterator[Line]:
    path = f"/apis/networking.k8s.io/v1/namespaces/{cluster.namespace}/networkpolicies"
    body = _seen(cluster, path)
    if not isinstance(body, dict):
        yield Line("network policies", "unseen", f"cannot be looked at: {body}")
        return
    marks = manifest["spec"]["template"]["metadata"]["labels"]
    found = checks.policies(body["items"], marks)
    if found.is_denied:
        yield Line("network: default deny", "ok", "no pod may reach anything but what is allowed")
    else:
        says = "add a NetworkPolicy with podSelector {}, both policyTypes and no rules"
        yield Line("network: default deny", "fails", says)
    if found.is_open:
        says = f"{', '.join(found.is_open)} lets runs reach everything: name the hub's address"
        yield Line("network: way to the hub", "fails", says)
    elif found.ways:
        says = f"{', '.join(found.ways)}; `--probe` tells whether it is enforced"
        yield Line("network: way to the hub", "ok", says)
    elif found.is_denied:
        says = "allow egress from pods with hub.avrop/kind=run to the hub's web, and nothing else"
        yield Line("network: way to the hub", "fails", says)


def _priority_classes(cluster: Cluster, names: Sequence[str]) -> Iterator[Line]:
    values: list[int] = []
    for name in names:
        body = _seen(cluster, f"/apis/scheduling.k8s.io/v1/priorityclasses/{name}")
        if body == checks.MISSING:
            says = "make it, or set HUB_CLUSTER_PRIORITY_CLASSES to what there is (or to none)"
            yield Line(f"PriorityClass {name}", "fails", says)
        elif isinstance(body, dict):
            values.append(int(body["value"]))
            yield Line(f"PriorityClass {name}", "ok", f"value {body['value']}")
        else:
            yield Line(f"PriorityClass {name}", "unseen", f"cannot be looked at: {body}")
    if values != sorted(values, reverse=True):
        says = "expected the values to fall: STAT, routine, background"
        yield Line("PriorityClasses", "fails", says)


def _runtime_class(cluster: Cluster, name: str) -> Line:
    what = f"RuntimeClass {name}"
    body = _seen(cluster, f"/apis/node.k8s.io/v1/runtimeclasses/{name}")
    if body == checks.MISSING:
        return Line(what, "fails", "make it, or set HUB_CLUSTER_RUNTIME_CLASS to one that is there")
    if isinstance(body, dict):
        return Line(what, "ok", str(body.get("handler", "")))
    return Line(what, "unseen", f"cannot be looked at: {body}")


def _queue(cluster: Cluster, name: str) -> Line:
    what = f"Kueue's LocalQueue {name}"
    found: Json | str = checks.MISSING
    for version in _KUEUE_VERSIONS:
        path = f"/apis/kueue.x-k8s.io/{version}/namespaces/{cluster.namespace}/localqueues/{name}"
        if (found := _seen(cluster, path)) != checks.MISSING:
            break
    if found == checks.MISSING:
        says = "Kueue is not installed or has no such queue: every Job would wait for ever"
        return Line(what, "fails", says)
    if isinstance(found, dict):
        return Line(what, "ok", "is there")
    return Line(what, "unseen", f"cannot be looked at: {found}")


def _limits(cluster: Cluster, demands: Sequence[Demand]) -> Iterator[Line]:
    body = _seen(cluster, f"/api/v1/namespaces/{cluster.namespace}/limitranges")
    if not isinstance(body, dict):
        return
    most = checks.largest_container(body["items"])
    for one in demands:
        for what, limit in most.items():
            asked = one.memory if what == "memory" else one.cpu
            if what in ("memory", "cpu") and checks.quantity(asked) > checks.quantity(limit):
                says = f"asks for {asked} of {what}, the LimitRange allows {limit}"
                yield Line(f"algorithm {one.algorithm}", "fails", says)


def count_gpus(cluster: Cluster, resources: Collection[str]) -> int | None:
    """How many of these resources pods may take on all nodes; None where nodes cannot be seen."""
    body = _seen(cluster, "/api/v1/nodes")
    if not isinstance(body, dict):
        return None
    nodes = [checks.node_of(one) for one in body["items"]]
    return sum(node.count(resource) for node in nodes for resource in resources)


def _nodes(
    cluster: Cluster, demands: Sequence[Demand], named: Sequence[str]
) -> Iterator[Line]:
    body = _seen(cluster, "/api/v1/nodes")
    if not isinstance(body, dict):
        yield Line("nodes", "unseen", f"cannot be looked at, nor their GPUs and disks: {body}")
        for one in demands:
            yield Line(f"image of {one.algorithm}", "unseen", _NOT_PULLED)
        return
    nodes = [checks.node_of(one) for one in body["items"]]
    yield _disks(nodes)
    asked_for = [one.gpu_resource for one in demands if one.gpu]
    for resource in dict.fromkeys([*asked_for, *named] if asked_for else ()):
        total = sum(node.count(resource) for node in nodes)
        if not total:
            says = f"no node has any: see HUB_CLUSTER_GPU_RESOURCE; {checks.gpus_there(nodes)}"
            yield Line(f"GPUs ({resource})", "fails", says)
        else:
            yield Line(f"GPUs ({resource})", "ok", f"{total} in all")
    for one in demands:
        asked = {"cpu": one.cpu, "memory": one.memory, "ephemeral-storage": str(one.disk_bytes)}
        asked |= {one.gpu_resource: str(one.gpu)} if one.gpu else {}
        lacks = checks.why_no_node(nodes, asked)
        says = lacks or "finds a node that is large enough"
        yield Line(f"algorithm {one.algorithm}", "fails" if lacks else "ok", says)
        yield _image(one, nodes)


def _image(demand: Demand, nodes: Sequence[checks.Node]) -> Line:
    what = f"image of {demand.algorithm}"
    holders = sum(demand.image in node.images for node in nodes)
    if not holders:
        return Line(what, "unseen", f"on no node yet; {_NOT_PULLED}")
    return Line(what, "ok", f"lies on {holders} of {len(nodes)} nodes")


def _disks(nodes: Sequence[checks.Node]) -> Line:
    what, most = "storage of runs (ephemeral-storage)", checks.gibibytes(nodes)
    if not most:
        says = "no node offers any: input, output and scratch of runs lie on the disks of nodes"
        return Line(what, "fails", says)
    return Line(what, "ok", f"{most:.0f} GiB on the node that has most")


def _seen(cluster: Cluster, path: str) -> Json | str:
    """What is there, checks.MISSING where nothing is, or why it cannot be seen."""
    try:
        body: Json = cluster.ask("GET", path).body
    except ClusterRefused as refused:
        return checks.MISSING if refused.status == 404 else refused.message
    except (ClusterAway, Expired) as fault:
        return str(fault)
    return body
