"""What a release finds of an earlier one in the cluster stays as that made it.

Helm's own engine asks an API server for it. This one knows three kinds of objects, and refuses what
the real one does: of a claim that is there nothing may change but its size, and that only upwards;
of what a StatefulSet asks for its pods, nothing at all.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import helm_python
import pytest
import yaml

from hub.cluster.checks import quantity
from tests.charts.rendering import CHART, NAMESPACE, Object, kind, named, values_of

CORE, APPS = "/api/v1", "/apis/apps/v1"
KINDS = {
    CORE: {"persistentvolumeclaims": "PersistentVolumeClaim", "secrets": "Secret"},
    APPS: {"statefulsets": "StatefulSet"},
}
KEYS = {
    "claim": f"{CORE}/namespaces/{NAMESPACE}/persistentvolumeclaims/avrop-state",
    "secret": f"{CORE}/namespaces/{NAMESPACE}/secrets/avrop-bundled",
    "listener": f"{APPS}/namespaces/{NAMESPACE}/statefulsets/avrop-listen-dicom",
    "postgresql": f"{APPS}/namespaces/{NAMESPACE}/statefulsets/avrop-postgresql",
    "s3": f"{APPS}/namespaces/{NAMESPACE}/statefulsets/avrop-s3",
}


def resources(group: str) -> Object:
    """What the API server says of a group."""
    listed = [{"name": name, "singularName": "", "namespaced": True, "kind": kind_,
               "verbs": ["get"]} for name, kind_ in KINDS[group].items()]  # fmt: skip
    version = group.removeprefix("/api/").removeprefix("/apis/")
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version,
            "resources": listed}  # fmt: skip


@contextmanager
def cluster(there: dict[str, Object]) -> Iterator[str]:
    """An API server that has these objects, by their paths; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            found = resources(path) if path in KINDS else there.get(path)
            missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure",
                       "reason": "NotFound", "code": 404}  # fmt: skip
            body = json.dumps(found or missing).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def rendered(values: Object, **there: Object) -> dict[str, str]:
    """The texts of a second revision, in a cluster where the first has left ``there``."""
    with cluster({KEYS[name]: one for name, one in there.items()}) as address:
        config = yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "x",
            "clusters": [{"name": "x", "cluster": {"server": address}}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "users": [{"name": "x", "user": {}}],
        })  # fmt: skip
        with (
            helm_python.Config(namespace=NAMESPACE, kubeconfig_content=config) as helm,
            helm_python.Chart.load(str(CHART)) as chart,
        ):
            made = helm.render(chart, values, name="avrop", namespace=NAMESPACE, revision=2,
                               is_upgrade=True)  # fmt: skip
    return dict(made)


def upgraded(values: Object, **there: Object) -> list[Object]:
    """The objects of it."""
    texts = [text for path, text in rendered(values, **there).items() if path.endswith(".yaml")]
    return [one for text in texts for one in yaml.safe_load_all(text) if one]


def claim(**spec: Any) -> Object:
    """One that an earlier chart made, as the API server gives it."""
    made = {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "volumeName": "pvc-1",
            "resources": {"requests": {"storage": "300Gi"}}}  # fmt: skip
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": made | spec,
            "metadata": {"name": "avrop-state", "namespace": NAMESPACE}}  # fmt: skip


def refused(before: Object, after: Object) -> list[str]:
    """What the API server has against a change: all that the new manifest names and is not so."""
    was, asked = before["spec"], after["spec"]
    against = [name for name in asked if name != "resources" and asked[name] != was.get(name)]
    sizes = [quantity(one["resources"]["requests"]["storage"]) for one in (was, asked)]
    return against + (["resources: less than it has"] if sizes[1] < sizes[0] else [])


# what an administrator says beside it, and the size that is then asked for
ASKED: list[tuple[Object, str]] = [
    ({"kind": "file"}, "300Gi"),
    ({"kind": "file", "size": "2Ti"}, "2Ti"),
    ({"kind": "file", "accessMode": "ReadWriteMany", "storageClass": "nfs"}, "300Gi"),
]


def test_a_claim_without_a_class_gets_none_later() -> None:
    before = claim(storageClassName="")
    asked = {"storage": {"kind": "file", "storageClass": "nfs"}}
    (after,) = kind(upgraded(asked, claim=before), "PersistentVolumeClaim")
    assert refused(before, after) == []


@pytest.mark.parametrize(("storage", "size"), ASKED)
def test_a_claim_that_is_there_takes_what_an_upgrade_asks_of_it(
    storage: Object, size: str
) -> None:
    before = claim()
    (after,) = kind(upgraded({"storage": storage}, claim=before), "PersistentVolumeClaim")
    assert refused(before, after) == []
    assert after["spec"]["resources"]["requests"]["storage"] == size


def test_without_what_the_cluster_says_the_same_upgrade_would_be_refused() -> None:
    (after,) = kind(upgraded({"storage": {"kind": "file"}}), "PersistentVolumeClaim")
    assert refused(claim(), after) == ["accessModes"]
    assert after["spec"]["accessModes"] == ["ReadWriteMany"]
    assert after["spec"]["resources"]["requests"]["storage"] == "500Gi"


def test_a_claim_of_the_bundled_kind_takes_its_upgrade_as_well() -> None:
    """Its default became smaller once."""
    before = claim(resources={"requests": {"storage": "50Gi"}})
    made = upgraded(values_of("bundled"), claim=before)
    after = named(made, "PersistentVolumeClaim", "avrop-state")
    assert refused(before, after) == []


def test_passwords_that_open_what_is_there_stay_and_those_that_are_new_are_made() -> None:
    kept = {"POSTGRES_PASSWORD": "old-one", "REDIS_PASSWORD": "two", "HUB_SECRET_KEY": "old-key"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "avrop-bundled"},
              "data": {key: base64.b64encode(text.encode()).decode()
                       for key, text in kept.items()}}  # fmt: skip
    after = named(upgraded(values_of("bundled-s3"), secret=secret), "Secret", "avrop-bundled")
    given = after["stringData"]
    assert kept.items() <= given.items()
    assert ":old-one@" in given["HUB_DATABASE_URL"]
    assert len(given["AWS_SECRET_ACCESS_KEY"]) == 40


# -- what a StatefulSet asks for each of its pods --------------------------------------------------
def stateful(name: str, size: str, **claim_: Any) -> Object:
    """One that an earlier chart made, as the API server gives it."""
    spec = {"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem",
            "resources": {"requests": {"storage": size}}} | claim_  # fmt: skip
    template = {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "spec": spec,
                "metadata": {"name": "data", "creationTimestamp": None},
                "status": {"phase": "Pending"}}  # fmt: skip
    return {"apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"volumeClaimTemplates": [template]}}  # fmt: skip


def asked_for(made: list[Object], name: str) -> Object:
    (template,) = named(made, "StatefulSet", name)["spec"]["volumeClaimTemplates"]
    return dict(template)


def test_the_volumes_of_listeners_take_an_upgrade_to_another_size_and_class() -> None:
    before = stateful("avrop-listen-dicom", "50Gi", storageClassName="fast")
    values = {"storage": {"listenerSize": "100Gi", "storageClass": "nfs"}}
    made = upgraded(values, listener=before)
    (was,) = before["spec"]["volumeClaimTemplates"]
    after = asked_for(made, "avrop-listen-dicom")
    assert after["spec"] == was["spec"]
    assert after["metadata"] == {"name": "data"}
    # a set that is not there yet is made as is asked for
    new = asked_for(made, "avrop-listen-hl7")["spec"]
    assert (new["storageClassName"], new["resources"]["requests"]["storage"]) == ("nfs", "100Gi")


def test_so_do_those_of_what_is_bundled() -> None:
    values = values_of("bundled-s3")
    values["bundled"] |= {"postgresql": {"size": "99Gi"}}
    values["bundled"]["s3"] |= {"size": "99Gi"}
    there = {name: stateful(f"avrop-{name}", "8Gi") for name in ("postgresql", "s3")}
    for made, size in ((upgraded(values, **there), "8Gi"), (upgraded(values), "99Gi")):
        for name in there:
            storage = asked_for(made, f"avrop-{name}")["spec"]["resources"]["requests"]["storage"]
            assert storage == size, name


def test_who_asks_for_larger_volumes_of_listeners_is_told_how_they_grow() -> None:
    def notes(asked: str, has: str) -> str:
        values = {"storage": {"listenerSize": asked}}
        made = rendered(values, listener=stateful("avrop-listen-dicom", has))
        (text,) = [one for path, one in made.items() if path.endswith(".txt")]
        return text

    told = notes("100Gi", "50Gi")
    assert "patch pvc state-avrop-listen-dicom-0" in told
    assert '{"storage": "100Gi"}' in told
    assert "delete statefulset avrop-listen-dicom --cascade=orphan" in told
    assert "avrop-listen-hl7 keep" not in told
    for asked, has in (("50Gi", "50Gi"), ("1024Gi", "1Ti"), ("20Gi", "50Gi")):
        assert "take no change" not in notes(asked, has)
