"""Algorithms that are kept warm: whose runs share a server, and how servers are looked after."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import structlog
from django.utils import timezone

from marketplace.models import AlgorithmVersion
from routing.models import Workitem
from routing.places import warm_root
from vendors.manifest import PerformerSpec
from vendors.performers.base import Performer, PerformerRefused, SubmitFailed
from vendors.performers.warm import WarmPerformer

log = structlog.get_logger(__name__)

KINDS = ("process", "container")
UNUSED = timedelta(days=1)
_GROUP = re.compile(r"v([0-9]+)-o[0-9]+")


def group_of(workitem: Workitem) -> str:
    """Whose runs may follow each other in one server: of one version and one organisation.

    What a server may remember of a patient then never meets the patients of another trust.
    """
    return f"v{workitem.version_id}-o{workitem.study.site.organisation_id}"


def kept_warm(performer: Performer, spec: PerformerSpec) -> Performer:
    """The performer itself, or one that keeps servers of it; raises PerformerRefused."""
    if not spec.is_warm:
        return performer
    if spec.kind not in KINDS:
        raise PerformerRefused(
            f"serving: warm is for {' and '.join(KINDS)}; {spec.kind} has no servers yet"
        )
    return WarmPerformer(performer, warm_root())


def tend() -> int:
    """Start and stop servers as their manifests say; how many were touched."""
    from routing import staging

    count, root = 0, warm_root()
    for folder in sorted(root.iterdir()) if root.exists() else ():
        found = _GROUP.fullmatch(folder.name)
        version = found and AlgorithmVersion.objects.filter(pk=int(found[1])).first()
        if not version or not version.declared.performer.is_warm:
            continue
        try:
            performer = staging.performer_of(version.declared)
            if isinstance(performer, WarmPerformer):
                count += performer.tend(folder.name, _wanted(version))
        except (PerformerRefused, SubmitFailed, OSError) as fault:
            log.warning("serving.not_tended", group=folder.name, why=str(fault))
    return count


def _wanted(version: AlgorithmVersion) -> PerformerSpec:
    """As declared; but nothing is kept up for a version that nobody has used for a day."""
    spec, since = version.declared.performer, timezone.now() - UNUSED
    is_used = Workitem.objects.filter(version=version, finished_at__gte=since).exists()
    return spec if is_used else replace(spec, least_servers=0)
