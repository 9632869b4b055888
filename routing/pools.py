"""What is shared out together: the GPUs of a pool, or the turns of one algorithm version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from marketplace.models import AlgorithmVersion
from routing import scheduling
from routing.models import GpuPool


@dataclass(frozen=True, slots=True)
class Scope:
    """Versions that wait in one queue, with the pool of GPUs where they share one."""

    versions: Mapping[int, AlgorithmVersion]
    pool: GpuPool | None = None
    # somebody else's queue decides: all are let through
    is_unbounded: bool = False

    def gpus_of(self, version_id: int) -> int:
        """GPUs that one run takes of the pool; 0 where they are not counted."""
        version = self.versions[version_id]
        return version.declared.performer.resources.gpu if self.pool else 0

    def rules(self) -> scheduling.Pool:
        """The same for scheduling.py."""
        if self.is_unbounded:
            return scheduling.Pool()
        most = {pk: one.declared.performer.runs_at_once for pk, one in self.versions.items()}
        if self.pool is None:
            return scheduling.Pool(most=most)
        shares = self.pool.shares.select_related("site")
        return scheduling.Pool(
            gpus=self.pool.gpus,
            stat_reserve=self.pool.stat_reserve,
            weights={share.site.code: float(share.weight) for share in shares},
            most=most,
            may_preempt=True,
        )


def scope_of(version_id: int, *, is_locked: bool = False) -> Scope:
    """The queue of a version.

    Locked (in a transaction): until that ends nobody else counts or takes in the same queue. The
    row of the pool or version comes before all rows of studies.
    """
    version = AlgorithmVersion.objects.select_related("algorithm").get(pk=version_id)
    pool = _pool_of(version)
    if pool is not None:
        if is_locked:
            pool = GpuPool.objects.select_for_update(no_key=True).get(pk=pool.pk)
        return of_pool(pool)
    if is_locked:
        AlgorithmVersion.objects.select_for_update(no_key=True).get(pk=version_id)
    return Scope({version.pk: version}, is_unbounded=_queues_elsewhere(version))


def of_pool(pool: GpuPool) -> Scope:
    """The queue of all versions that take GPUs of a pool."""
    return Scope({one.pk: one for one in _with_gpus() if _is_in(pool, one)}, pool)


def _pool_of(version: AlgorithmVersion) -> GpuPool | None:
    if not version.declared.performer.resources.gpu:
        return None
    pools = GpuPool.objects.order_by("code")
    return next((pool for pool in pools if _is_in(pool, version)), None)


def _is_in(pool: GpuPool, version: AlgorithmVersion) -> bool:
    return pool.takes(version.declared.performer.kind) and not _queues_elsewhere(version)


def _queues_elsewhere(version: AlgorithmVersion) -> bool:
    """Whether Kueue decides when its Jobs start; the hub's own queue then lets all through."""
    is_on_cluster = version.declared.performer.kind == "kubernetes"
    return is_on_cluster and bool(settings.HUB_CLUSTER["queue"])


def _with_gpus() -> QuerySet[AlgorithmVersion]:
    versions = AlgorithmVersion.objects.select_related("algorithm")
    return versions.filter(manifest__performer__resources__gpu__gt=0)


def tell_size(count: int) -> int:
    """Keep how many GPUs the cluster has, for pools that take its word; how many pools do."""
    pools = GpuPool.objects.filter(size=None)
    return pools.update(seen_size=count, seen_at=timezone.now())
