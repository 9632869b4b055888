"""Where a Workitem stands in its queue, and what it waits for, in words for who asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.utils.translation import gettext_noop as _

from hub.access import site_clause
from hub.models import Site
from hub.phrases import Phrase, phrase
from routing.models import GpuPool, Workitem
from routing.pools import Scope, of_pool, scope_of
from routing.queues import Queue
from routing.scheduling import Place

# of what waits, how many a page shows
SHOWN = 50


@dataclass(frozen=True, slots=True)
class PoolNow:
    """A pool as it stands: ``gpus`` is None where the cluster has not said how many it has."""

    pool: GpuPool
    gpus: int | None
    used: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Stands:
    """One that waits, and the sentence that says where and why."""

    workitem: Workitem
    number: int
    why: Phrase


def where(workitems: Iterable[Workitem], *, names: Mapping[str, str]) -> dict[int, Phrase]:
    """Key -> sentence, of those that wait for their turn; ``names``: sites that may be named."""
    asked = {item.pk: item for item in workitems if item.state == Workitem.State.ENTITLED}
    found: dict[int, Phrase] = {}
    for item in asked.values():
        if item.pk not in found:
            for place in _places(scope_of(item.version_id)):
                if place.item.key in asked:
                    found[place.item.key] = words(place, names=names)
    return found


def names_for(user: Any) -> dict[str, str]:
    """Code -> name of the sites that a user may see."""
    return dict(Site.objects.visible_to(user).values_list("code", "name"))


def waiting(user: Any, *, roles: tuple[str, ...]) -> list[Stands]:
    """What waits at the user's sites, queue by queue, the next first; at most SHOWN of each."""
    rows = Workitem.objects.filter(state=Workitem.State.ENTITLED)
    mine = rows.filter(site_clause(user, path="study__site", roles=roles))
    names, found = names_for(user), []
    seen: set[int] = set()
    versions = mine.order_by().values_list("version", flat=True).annotate(Count("pk"))
    for version_id in versions.order_by("version"):
        if version_id not in seen:
            scope = scope_of(version_id)
            seen |= scope.versions.keys()
            found += _shown(scope, mine, names)
    return found


def pools_now() -> list[PoolNow]:
    """Each pool, with what is used of it and how many wait."""
    return [_now(pool) for pool in GpuPool.objects.order_by("code")]


def words(place: Place, *, names: Mapping[str, str]) -> Phrase:
    """The sentence; of sites that are not in ``names`` it says only that there are others."""
    told = {"place": place.number, "used": place.used, "most": place.most}
    if place.cause == "too_big":
        text = _("cannot start: it needs %(used)s GPUs at once, and can have %(most)s")
        return phrase(text, used=place.used, most=place.most)
    if place.cause == "turn":
        text = _("number %(place)s in the queue; %(used)s of %(most)s runs of this algorithm go on")
        return phrase(text, **told)
    if place.cause == "next":
        return phrase(_("number %(place)s in the queue"), place=place.number)
    sites = _sites(place.sites, names)
    if place.reserved:
        text = _(
            "waits for a GPU: number %(place)s in the queue; %(used)s of %(most)s are in use by "
            "%(sites)s, and %(kept)s are kept for STAT"
        )
        return phrase(text, **told, sites=sites, kept=place.reserved)
    text = _(
        "waits for a GPU: number %(place)s in the queue; %(used)s of %(most)s are in use by "
        "%(sites)s"
    )
    return phrase(text, **told, sites=sites)


def _sites(codes: tuple[str, ...], names: Mapping[str, str]) -> Phrase | str:
    known = ", ".join(names[code] for code in codes if code in names)
    if all(code in names for code in codes):
        return known or phrase(_("nobody"))
    if known:
        return phrase(_("%(sites)s and other sites"), sites=known)
    return phrase(_("other sites"))


def _places(scope: Scope) -> tuple[Place, ...]:
    return () if scope.is_unbounded else Queue(scope).places()


def _shown(scope: Scope, mine: Any, names: Mapping[str, str]) -> list[Stands]:
    places = _places(scope)
    rows = mine.filter(pk__in=[place.item.key for place in places])
    known = rows.select_related("study__site", "version__algorithm").in_bulk()
    shown = [place for place in places if place.item.key in known][:SHOWN]
    return [
        Stands(known[place.item.key], place.number, words(place, names=names)) for place in shown
    ]


def _now(pool: GpuPool) -> PoolNow:
    queue = Queue(of_pool(pool))
    used = sum(one.item.gpus for one in queue.running())
    return PoolNow(pool, pool.gpus, used, queue.count_waiting())
