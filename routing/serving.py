"""Algorithms that are kept warm: whose runs share a server, and how servers are looked after."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Protocol, runtime_checkable

import structlog
from django.conf import settings
from django.utils import timezone

from marketplace.models import AlgorithmVersion
from routing import server_desk
from routing.models import Workitem
from routing.places import warm_root
from vendors import warm_servers
from vendors.manifest import Manifest, PerformerSpec
from vendors.performers.base import Limits, Performer, PerformerRefused, SubmitFailed
from vendors.performers.warm import WarmPerformer

log = structlog.get_logger(__name__)

KINDS = ("process", "container", "kubernetes")
UNUSED = timedelta(days=1)
_GROUP = re.compile(r"v([0-9]+)-o[0-9]+")


@runtime_checkable
class Tended(Protocol):
    """A performer that keeps servers."""

    def tend(self, group: str, spec: PerformerSpec) -> int:
        """Start and stop servers of a group as they are needed; how many were touched."""


def group_of(workitem: Workitem) -> str:
    """Whose runs may follow each other in one server: of one version and one organisation.

    What a server may remember of a patient then never meets the patients of another trust.
    """
    return f"v{workitem.version_id}-o{workitem.study.site.organisation_id}"


def kept_warm(performer: Performer, manifest: Manifest) -> Performer:
    """The performer itself, or one that keeps servers of it; raises PerformerRefused."""
    spec = manifest.performer
    if not spec.is_warm:
        return performer
    if spec.kind not in KINDS:
        raise PerformerRefused(
            f"serving: warm is for {', '.join(KINDS)}; {spec.kind} has no servers"
        )
    if spec.kind == "kubernetes":
        # Late, for the client of the cluster is large.
        from vendors.performers.kubernetes import KubernetesPerformer
        from vendors.performers.kubernetes_warm import WarmPods

        assert isinstance(performer, KubernetesPerformer)
        limits = Limits(output_bytes=settings.HUB_OUTPUT_BYTES)
        return WarmPods(performer.setup, manifest.algorithm, limits, server_desk.door_of)
    return WarmPerformer(performer, warm_root())


def tend() -> int:
    """Start and stop servers as their manifests say; how many were touched."""
    root = warm_root()
    here = [folder.name for folder in root.iterdir()] if root.exists() else []
    return sum(map(_tend, sorted({*here, *warm_servers.groups()})))


def _tend(group: str) -> int:
    from routing import staging

    found = _GROUP.fullmatch(group)
    version = found and AlgorithmVersion.objects.filter(pk=int(found[1])).first()
    if not version or not version.declared.performer.is_warm:
        return 0
    try:
        performer = staging.performer_of(version.declared)
        return performer.tend(group, _wanted(version)) if isinstance(performer, Tended) else 0
    except (PerformerRefused, SubmitFailed, OSError) as fault:
        log.warning("serving.not_tended", group=group, why=str(fault))
        return 0


def _wanted(version: AlgorithmVersion) -> PerformerSpec:
    """As declared; but nothing is kept up for a version that nobody has used for a day."""
    spec, since = version.declared.performer, timezone.now() - UNUSED
    is_used = Workitem.objects.filter(version=version, finished_at__gte=since).exists()
    return spec if is_used else replace(spec, least_servers=0)
