"""Says which versions of an algorithm may be used on patients at a site, and why others may not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext_noop

from hub.models import Site
from hub.phrases import Phrase, phrase
from marketplace.models import Algorithm, AlgorithmVersion, Deployment

# The order in which versions in use are named: what patients depend on comes first.
IN_USE = (Deployment.State.CLINICAL, Deployment.State.VALIDATION, Deployment.State.SHADOW)


@dataclass(frozen=True, slots=True)
class Deployed:
    """The deployments in use, clinical first; ``reasons`` says why others (or none) are in use."""

    deployments: tuple[Deployment, ...]
    reasons: tuple[Phrase, ...]


def deployed_version(algorithm: Algorithm, *, site: Site) -> Deployed:
    """The versions of ``algorithm`` in clinical use, validation or shadow at ``site``.

    More than one is ordinary: a new version runs in shadow beside the clinical one.
    """
    rows = list(
        Deployment.objects.filter(site=site, version__algorithm=algorithm)
        .select_related("version__algorithm", "site")
        .order_by("pk")
    )
    in_use = sorted(
        (row for row in rows if row.state in IN_USE),
        key=lambda row: IN_USE.index(Deployment.State(row.state)),
    )
    reasons = tuple(_not_in_use(row) for row in rows if row.state not in IN_USE)
    if not rows:
        reasons = (never_deployed(algorithm.name, site=site.name),)
    return Deployed(tuple(in_use), reasons)


def versions_in_use(
    algorithms: Iterable[int], *, site: Site
) -> dict[int, list[AlgorithmVersion]]:
    """What `deployed_version` finds in use, for many algorithms at once, by their keys."""
    rows = Deployment.objects.filter(
        site=site, version__algorithm__in=list(algorithms), state__in=IN_USE
    )
    found: dict[int, list[AlgorithmVersion]] = {}
    for row in sorted(
        rows.select_related("version__algorithm").order_by("pk"),
        key=lambda row: IN_USE.index(Deployment.State(row.state)),
    ):
        found.setdefault(row.version.algorithm_id, []).append(row.version)
    return found


def state_now(version_id: int, *, site_id: int) -> str:
    """How a version stands at a site at this moment; nothing where it never was in use there."""
    rows = Deployment.objects.filter(site=site_id, version=version_id)
    return rows.values_list("state", flat=True).first() or ""


def never_deployed(what: str, *, site: str) -> Phrase:
    """The sentence for an algorithm, or a version, that the site has not taken into use."""
    return phrase(gettext_noop("%(what)s is not deployed at %(site)s"), what=what, site=site)


def out_of_use(what: str, *, site: str, state: str) -> Phrase:
    """The sentence for a version that the site has stopped, for now or for good."""
    if state == Deployment.State.SUSPENDED:
        return phrase(gettext_noop("%(what)s is suspended at %(site)s"), what=what, site=site)
    return phrase(gettext_noop("%(what)s is retired at %(site)s"), what=what, site=site)


def _not_in_use(row: Deployment) -> Phrase:
    return out_of_use(str(row.version), site=row.site.name, state=row.state)
