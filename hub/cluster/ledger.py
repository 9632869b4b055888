"""Puts what an informer tells to the run that it is about; no network, no threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from hub.cluster.client import Json
from hub.cluster.labels import RUN
from hub.cluster.seen import RunSeen
from hub.cluster.watch import Listed, Told, Word

# warnings that came before whatever they are about
_MOST_EARLY = 500


class Ledger:
    """What was seen of each run, by the run's name."""

    def __init__(self) -> None:
        self._runs: dict[str, RunSeen] = {}
        self._by_uid: dict[str, str] = {}
        self._early: OrderedDict[str, Json] = OrderedDict()

    def restore(self, run: str, seen: RunSeen) -> None:
        """Take over what an earlier informer saw, unless more is known."""
        if run not in self._runs:
            self._put(run, seen)

    def forget(self, run: str) -> None:
        """The run is over for whoever asked for it."""
        seen = self._runs.pop(run, None)
        for uid in _uids(seen) if seen else ():
            self._by_uid.pop(uid, None)

    def of(self, run: str) -> RunSeen:
        """All that is known of a run."""
        return self._runs.get(run, RunSeen())

    def runs(self) -> tuple[str, ...]:
        """The runs that something is known of."""
        return tuple(self._runs)

    def hear(self, told: Told) -> tuple[str, ...]:
        """Take in what was told; the runs of which more, or something else, is known now."""
        before = dict(self._runs)
        if isinstance(told, Listed):
            self._hear_all(told)
        else:
            self._hear_one(told)
        return tuple(run for run, seen in self._runs.items() if seen != before.get(run))

    def read(self, run: str, pods: Iterable[Json]) -> None:
        """Take in the pods of a run as they were read, after its Job had ended."""
        seen = self.of(run)
        own = [pod for pod in pods if _is_of(seen, pod)]
        for pod in own:
            seen = seen.with_pod(pod)
        self._put(run, seen.after_read(frozenset(pod["metadata"]["uid"] for pod in own)))

    def _hear_one(self, word: Word) -> None:
        if word.kind == "event":
            self._hear_event(word.object)
            return
        run = (word.object["metadata"].get("labels") or {}).get(RUN)
        if run is None:
            return
        seen = self.of(run)
        if word.kind == "job":
            self._put(run, seen.with_job(word.object, is_gone=word.is_gone))
        elif _is_of(seen, word.object):
            self._put(run, seen.with_pod(word.object, is_gone=word.is_gone))

    def _hear_all(self, listed: Listed) -> None:
        for obj in listed.objects:
            self._hear_one(Word(listed.kind, obj))
        there = frozenset(one["metadata"]["uid"] for one in listed.objects)
        for run, seen in list(self._runs.items()):
            if listed.kind == "pod":
                self._runs[run] = seen.without(there)
            elif listed.kind == "job" and seen.job and seen.job.uid not in there:
                self._runs[run] = seen.with_job_gone()

    def _hear_event(self, event: Json) -> None:
        about = event["involvedObject"].get("uid", "")
        run = self._by_uid.get(about)
        if run is not None:
            self._runs[run] = self._runs[run].with_event(event)
            return
        self._early[event["metadata"].get("uid", "")] = event
        while len(self._early) > _MOST_EARLY:
            self._early.popitem(last=False)

    def _put(self, run: str, seen: RunSeen) -> None:
        new = [uid for uid in _uids(seen) if uid not in self._by_uid]
        self._by_uid |= dict.fromkeys(_uids(seen), run)
        for key, event in list(self._early.items()) if new else ():
            if event["involvedObject"].get("uid") in new:
                seen = seen.with_event(event)
                del self._early[key]
        self._runs[run] = seen


def _uids(seen: RunSeen) -> Iterable[str]:
    yield from ((seen.job.uid,) if seen.job else ())
    yield from (pod.uid for pod in seen.pods)


def _is_of(seen: RunSeen, pod: Json) -> bool:
    """Not a pod of an earlier Job of the same name, which is on its way out."""
    owners = [one["uid"] for one in pod["metadata"].get("ownerReferences") or ()]
    return seen.job is None or not owners or seen.job.uid in owners
