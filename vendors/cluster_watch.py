"""Watches the cluster for the whole hub: one informer that keeps the rows of runs up to date."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog
from django.db import OperationalError, connection

from hub.cluster.check import count_gpus
from hub.cluster.client import Cluster, ClusterSettings, connect
from hub.cluster.ledger import Ledger
from hub.cluster.second_looks import SecondLooks
from hub.cluster.seen import RunSeen
from hub.cluster.servers import outline
from hub.cluster.verdicts import RunVerdict, verdict
from hub.cluster.watch import Informer, Rhythm, Told
from vendors import cluster_runs
from vendors.cluster_setup import ClusterSetup

log = structlog.get_logger(__name__)

# how often it says that it lives, looks what time alone has changed, and counts GPUs
_BEAT_SECONDS, _CLOCK_SECONDS, _COUNT_SECONDS = 5.0, 2.0, 60.0
_LISTING = "not everything is listed yet"


class Watch:
    """Hears what the informer tells.

    ``changed`` is called with the names of runs to look at, ``counted`` with the GPUs of all nodes
    now and then, where the hub may see nodes.
    """

    def __init__(
        self,
        setup: ClusterSetup,
        changed: Callable[[Sequence[str]], None],
        counted: Callable[[int], object],
    ) -> None:
        self._setup, self._changed, self._counted = setup, changed, counted
        self._ledger = Ledger()
        self._second_looks = SecondLooks(self._ledger)
        self._said: dict[str, tuple[str, str]] = {}
        self._late: set[str] = set()
        self._beat_at = self._clock_at = 0.0
        self._count_at = -_COUNT_SECONDS
        self._trouble = _LISTING

    def run(self, stop: threading.Event, *, rhythm: Rhythm | None = None) -> None:
        """Until ``stop`` is set; raises NoCluster where the settings lead to none."""
        cluster = connect(ClusterSettings(self._setup.namespace, self._setup.kubeconfig))
        for kept in cluster_runs.all_of_them():
            self._ledger.restore(kept.name, RunSeen.from_json(kept.seen))
        informer = Informer(cluster, rhythm=rhythm)
        informer.run(self._hear, idle=lambda: self._idle(informer, cluster), stop=stop)

    def _hear(self, told: Told) -> None:
        self._note(self._ledger.hear(told))

    def _idle(self, informer: Informer, cluster: Cluster) -> None:
        if self._late:
            self._note(tuple(self._late))
        if informer.is_up_to_date and time.monotonic() - self._count_at >= _COUNT_SECONDS:
            self._count_gpus(cluster)
        trouble = "" if informer.is_up_to_date else informer.trouble or _LISTING
        self._look_at_clock()
        self._note(self._second_looks.take(cluster))
        is_other = trouble != self._trouble
        if not is_other and time.monotonic() - self._beat_at < _BEAT_SECONDS:
            return
        if is_other and trouble != _LISTING:
            log.info("watch_cluster.stands", trouble=trouble or "none")
        self._beat_at, self._trouble = time.monotonic(), trouble
        try:
            cluster_runs.say_alive(self._setup.namespace, trouble=trouble)
        except OperationalError:
            self._lose_database()

    def _count_gpus(self, cluster: Cluster) -> None:
        self._count_at = time.monotonic()
        count = count_gpus(cluster, {self._setup.gpu_resource, *self._setup.gpu_resources.values()})
        if count is None:
            return
        try:
            self._counted(count)
        except OperationalError:
            self._lose_database()

    def _look_at_clock(self) -> None:
        """What runs too long, or stands on a node that says nothing, only the clock tells."""
        if time.monotonic() - self._clock_at < _CLOCK_SECONDS:
            return
        self._clock_at, now = time.monotonic(), datetime.now(UTC)
        self._note(tuple(
            run for run in self._ledger.runs() if self._what(run, now) != self._said.get(run)
        ))  # fmt: skip

    def _note(self, runs: Sequence[str]) -> None:
        """Keep what is known of runs now, and say which of them stand otherwise than before."""
        now, changed = datetime.now(UTC), []
        for run in runs:
            try:
                if self._is_news(run, now):
                    changed.append(run)
                self._late.discard(run)
            except OperationalError:
                self._late.add(run)
                self._lose_database()
                break
        if changed:
            self._changed(changed)

    def _is_news(self, run: str, now: datetime) -> bool:
        seen = self._ledger.of(run)
        said = verdict(seen, now=now)
        is_ours = cluster_runs.note(run, state=said.state, seen=seen.as_json())
        self._second_looks.note(run, must_look=is_ours and said.must_look)
        if not is_ours and (seen.job is None or seen.job.is_gone):
            self._ledger.forget(run)
            self._said.pop(run, None)
            return False
        before, self._said[run] = self._said.get(run), _told(seen, said)
        return is_ours and before != _told(seen, said)

    def _what(self, run: str, now: datetime) -> tuple[str, str]:
        seen = self._ledger.of(run)
        return _told(seen, verdict(seen, now=now))

    def _lose_database(self) -> None:
        """It is away or busy: what was seen is kept here and written with the next beat."""
        log.warning("watch_cluster.no_database", exc_info=True)
        connection.close()


def _told(seen: RunSeen, said: RunVerdict) -> tuple[str, str]:
    """Pods without a Job are a warm server's: whoever gave it a run knows what they come to."""
    return (said.state, said.why) if seen.job or not seen.pods else ("server", outline(seen))
