"""What the cluster must hold: the algorithms that run there."""

from __future__ import annotations

from collections.abc import Iterator

from marketplace.models import AlgorithmVersion
from routing import staging, trying_storage
from vendors.manifest import PerformerSpec


def algorithms_there() -> dict[str, PerformerSpec]:
    """How each version that runs in the cluster is to run, by code and version."""
    versions = AlgorithmVersion.objects.filter(manifest__performer__kind="kubernetes")
    return {
        f"{one.algorithm.code} {one.version}": one.declared.performer
        for one in versions.select_related("algorithm")
    }


def lines(*, with_probe: bool) -> Iterator[tuple[str, str, str]]:
    """What was looked at, ok, fails or unseen, and what it says or what to do about it."""
    # Late, for the client of the cluster is large.
    from vendors.cluster_check import lines as found

    for one in found(staging.cluster_settings(), algorithms_there(), with_probe=with_probe):
        yield one.what, one.state, one.says
    yield _storage()


def _storage() -> tuple[str, str, str]:
    """Inputs and outputs of runs pass through where the hub keeps instances."""
    what = "storage of the hub"
    try:
        here = trying_storage.folder()
        return what, "ok", trying_storage.store() or here
    except trying_storage.StorageRefused as refused:
        return what, "fails", str(refused)
