"""Gives runs to algorithms that stay up in a cluster, because their model takes minutes to load.

A server is a Deployment of one pod, of one version and one organisation. It comes for its runs
itself (attendant.py) by way of the hub's web: so a hub outside of the cluster can use it, and no
pod is reached by anybody. See docs/adr/0050.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from hub.cluster import deployments, jobs, labels, waits
from hub.cluster.client import (
    Cluster,
    ClusterAway,
    ClusterRefused,
    ClusterSettings,
    Expired,
    NoCluster,
)
from hub.cluster.failure import Failure
from hub.cluster.manifests import ALGORITHM, Need
from hub.cluster.pods import Placement
from hub.cluster.seen import RunSeen, moment
from hub.cluster.servers import (
    Attendant,
    ServerSpec,
    Stands,
    deployment_manifest,
    fingerprint,
    stands,
)
from vendors import cluster_runs, warm_scaling, warm_servers
from vendors.cluster_setup import ClusterSetup
from vendors.manifest import PerformerSpec
from vendors.models import WarmRun, WarmServer
from vendors.performers.base import LOG_TAIL_LINES, Limits, Progress, Run, SubmitFailed
from vendors.performers.files import tail_of
from vendors.performers.kubernetes import addresses_of, connected, environment_of, refusal_of
from vendors.warm_scaling import Plan, Standing
from vendors.warm_servers import GIVEN, OVER

log = structlog.get_logger(__name__)

# an input that is larger fits into no server's mailbox
MOST_INPUT_BYTES = 16 * 2**30
# a server that is not ready by then never will be; one that has a run and is silent is lost
LOADING_SECONDS, SILENT_SECONDS = 1800.0, 300.0
# for fetching input and bringing output, each, on top of what the algorithm may take
_CARRY_SECONDS = 600.0
_WAITING, _GIVEN = timedelta(seconds=5), timedelta(seconds=20)
_SECOND = timedelta(seconds=1)
# until the cluster has had time to make a pod, or to say why not
_NO_POD_SECONDS = 5.0
# a worker that wrote down a server has made it by then, or has died
_UNMADE_SECONDS = 120.0
_FAULTS = (ClusterAway, ClusterRefused, NoCluster, Expired)


@dataclass(frozen=True, slots=True)
class WarmPods:
    """``door`` gives address and token by which a server of this name asks for its runs.

    ``limits`` are those of every run: a server is made before it is known whose it will be.
    """

    setup: ClusterSetup
    algorithm: str
    limits: Limits
    door: Callable[[str], tuple[str, str]]

    def submit(self, run: Run) -> None:
        """Let the run wait for a server, started where it must be; raises SubmitFailed."""
        if not run.group:
            raise SubmitFailed("it is not known whose run it is", is_permanent=True)
        if run.transfer is not None and run.transfer.input_bytes > MOST_INPUT_BYTES:
            raise SubmitFailed("the input is too large for a warm server", is_permanent=True)
        warm_servers.queue(run.name, group=run.group, priority=run.priority)
        try:
            self._scale(run.group, run.spec)
        except SubmitFailed as fault:
            if not warm_servers.servers_of(run.group):
                warm_servers.forget_run(run.name)
                raise
            log.warning("warm.not_scaled", group=run.group, why=fault.reason)

    def poll(self, run: Run) -> Progress:
        """How the run stands, by its row; gives up a server that died or does not end."""
        kept = warm_servers.run_of(run.name)
        if kept is None:
            return Progress("unknown", why="no such run was handed to the cluster")
        if kept.state == GIVEN:
            self._look_after(run, kept)
        elif kept.state != OVER:
            progress = self._wait(run, kept)
            if progress is not None:
                return progress
        kept.refresh_from_db()
        if kept.state == OVER:
            self._tend_quietly(run)
            return _ended(kept)
        return Progress("running", "runs in a warm server", started_at=kept.given_at,
                        next_look=_GIVEN)  # fmt: skip

    def cancel(self, run: Run) -> None:
        """Stop the server that has the run: there is no other way to be sure."""
        if warm_servers.forget_run(run.name):
            return
        kept = warm_servers.run_of(run.name)
        if kept is None:
            return
        warm_servers.stop(kept.server)
        server = warm_servers.server_of(kept.server)
        if server is not None and server.run == run.name:
            self._delete(server)
        warm_servers.forget_run(run.name, is_given=True)

    def cleanup(self, run: Run) -> None:
        """Forget a run; a server that still has it is stopped."""
        self.cancel(run)

    def tend(self, group: str, spec: PerformerSpec) -> int:
        """Start and stop servers of a group as they are needed; how many were touched."""
        return self._scale(group, spec)

    # -- how a run stands --------------------------------------------------------------------
    def _wait(self, run: Run, kept: WarmRun) -> Progress | None:
        """A run that no server has yet; None where that changed meanwhile, or it was given up."""
        found = [self._stands(one) for one in warm_servers.servers_of(run.group)]
        lost = [one for one in found if one.state == "lost" and not one.is_disruption]
        if lost and len(lost) == len(found):
            # It may have been given this very moment: then its server is at work, and not free.
            warm_servers.end(run.name, _outcome(lost[0]), is_stopping=True)
            return None
        self._tend_quietly(run)
        longest = self.setup.wait_seconds + LOADING_SECONDS + run.spec.timeout_seconds
        why = next((one.why for one in found if one.state == "coming" and one.why), "")
        why = why or "waits for a warm server"
        if (datetime.now(UTC) - kept.submitted_at).total_seconds() > longest:
            given_up = f"given up after waiting too long: {why}"
            outcome = {"state": "failed", "why": given_up, "is_retryable": True}
            warm_servers.end(run.name, outcome, is_stopping=True)
            return None
        number = warm_servers.place(kept)
        return Progress(
            "running", f"{why} (number {number} of those that wait)", next_look=_WAITING
        )

    def _look_after(self, run: Run, kept: WarmRun) -> None:
        """Hold the server of a run to its time, and see whether it is still there."""
        server = warm_servers.server_of(kept.server)
        now = datetime.now(UTC)
        if server is None or server.run != run.name:
            outcome: Mapping[str, Any] = _disruption("the warm server is gone")
        elif (found := self._stands(server)).state == "lost":
            outcome = _outcome(found) | {"log_tail": self._log(server, found.pod)}
            if _was_dead(found, server, kept):
                outcome = _disruption(f"before it was given this run, {found.why}")
        elif _seconds(now, server.heard_at) > SILENT_SECONDS:
            outcome = _disruption(f"the warm server was silent for {SILENT_SECONDS:g} s")
        elif _seconds(now, kept.given_at) > run.spec.timeout_seconds + 2 * _CARRY_SECONDS:
            why = f"timed out after {run.spec.timeout_seconds} s"
            outcome = {"state": "failed", "why": why, "is_retryable": True}
        else:
            return
        warm_servers.end(run.name, outcome, is_stopping=True)

    def _stands(self, server: WarmServer) -> Stands:
        """By what the watch keeps; the cluster itself is asked where nobody watches it."""
        kept = cluster_runs.of(server.name)
        seen = RunSeen.from_json(kept.seen) if kept else RunSeen()
        try:
            if not cluster_runs.is_watched(self.setup.namespace):
                seen = self._look(server, seen)
            if not seen.pods and (without := self._without_pod(server)):
                return without
        except _FAULTS as fault:
            log.info("warm.not_looked_at", server=server.name, why=str(fault))
        found = stands(seen, pod=server.pod if server.run else "", now=datetime.now(UTC))
        if found.state == "up" and (why := _why_useless(server, seen)):
            failure = None if server.ready_at is None else Failure.DISRUPTION
            return Stands("lost", why, failure, pod=found.pod)
        return found

    def _without_pod(self, server: WarmServer) -> Stands | None:
        """How one stands that has no pod; None where there may yet be one. Raises as _cluster."""
        age = _seconds(datetime.now(UTC), server.made_at)
        if age <= _NO_POD_SECONDS or server.is_stopping:
            return None
        said = deployments.why_no_pod(self._cluster(), _name(server.name))
        if said is None and age > _UNMADE_SECONDS:
            return Stands("lost", "there is no such Deployment", Failure.DISRUPTION)
        if not said:
            return None
        wait = waits.not_created(said)
        if wait.is_final:
            return Stands("lost", wait.why, wait.failure, is_retryable=False)
        return Stands("coming", wait.why, wait.failure)

    def _look(self, server: WarmServer, seen: RunSeen) -> RunSeen:
        found = jobs.pods_of(self._cluster(), server.name)
        for pod in found:
            seen = seen.with_pod(pod)
        seen = seen.without(frozenset(pod["metadata"]["uid"] for pod in found))
        cluster_runs.note(server.name, state="unknown", seen=seen.as_json())
        return seen

    def _log(self, server: WarmServer, pod: str) -> list[str]:
        """What it wrote for earlier runs is about other patients: shown of a first run alone."""
        if server.served != 1 or not pod:
            return []
        try:
            text = jobs.log_tail(self._cluster(), pod, ALGORITHM, lines=LOG_TAIL_LINES)
        except (NoCluster, Expired):
            return []
        return list(tail_of(text))

    # -- servers -----------------------------------------------------------------------------
    def _tend_quietly(self, run: Run) -> None:
        try:
            self._scale(run.group, run.spec)
        except SubmitFailed as fault:
            log.info("warm.not_scaled", group=run.group, why=fault.reason)

    def _scale(self, group: str, spec: PerformerSpec) -> int:
        """Delete what is to be stopped, and start what is missing; raises SubmitFailed."""
        servers = warm_servers.servers_of(group)
        now_is = fingerprint(self._spec(spec, ""))
        for server in servers:
            if not server.run and not server.is_stopping and self._stands(server).state == "lost":
                server.is_stopping = warm_servers.stop_idle(server)
        waiting = warm_servers.waiting(group)
        planned = self._plan(servers, now_is, waiting, spec)
        stopped = [one for one in servers if one.number in planned.stop]
        gone = [one for one in stopped if warm_servers.stop_idle(one)]
        gone += [one for one in servers if one.is_stopping]
        for server in gone:
            self._delete(server)
        started = 0
        # One after the other: what is written down and never made would count as on its way.
        for number in planned.start:
            made = warm_servers.begin(group, number, fingerprint=now_is)
            if made is not None:
                self._create(made, spec)
                started += 1
        return len(gone) + started

    def _plan(
        self, servers: list[WarmServer], now_is: str, waiting: int, spec: PerformerSpec
    ) -> Plan:
        now = datetime.now(UTC)
        return warm_scaling.plan(
            [
                Standing(
                    one.number, bool(one.run), _seconds(now, one.idle_since),
                    _seconds(now, one.made_at), one.fingerprint == now_is, one.is_stopping,
                )
                for one in servers
            ],
            waiting=waiting, least=spec.least_servers, most=spec.most_servers,
        )  # fmt: skip

    def _create(self, server: WarmServer, spec: PerformerSpec) -> None:
        try:
            manifest = deployment_manifest(self._spec(spec, server.name))
            deployments.create(self._cluster(), manifest)
            if warm_servers.server_of(server.name) is None:
                # Another worker, of another release, took it for worn before it was there.
                deployments.delete(self._cluster(), _name(server.name))
        except ClusterRefused as refused:
            warm_servers.forget(server)
            raise refusal_of(refused, self.setup.namespace) from refused
        except (ClusterAway, NoCluster, Expired) as fault:
            # it may have been made all the same: the row stays, and it is deleted
            warm_servers.stop(server.name)
            raise SubmitFailed(str(fault), is_away=True) from fault

    def _delete(self, server: WarmServer) -> None:
        try:
            deployments.delete(self._cluster(), _name(server.name))
        except _FAULTS as fault:
            why = f"the warm server could not be deleted: {fault}"
            raise SubmitFailed(why, is_away=True) from fault
        warm_servers.forget(server)

    def _cluster(self) -> Cluster:
        return connected(ClusterSettings(self.setup.namespace, self.setup.kubeconfig))

    def _spec(self, spec: PerformerSpec, key: str) -> ServerSpec:
        setup, limits = self.setup, self.limits
        url, token = self.door(key)
        return ServerSpec(
            name=_name(key), key=key, image=spec.image, command=spec.command,
            environment=environment_of(spec) | {"HUB_SERVING": "warm"},
            need=Need(
                spec.resources.cpu, spec.resources.memory, spec.resources.gpu,
                setup.gpu_resource_of(self.algorithm), MOST_INPUT_BYTES, limits.output_bytes,
                limits.scratch_bytes, limits.shared_memory_bytes,
            ),
            attendant=Attendant(
                setup.carrier_image, setup.attendant_command, url, token,
                addresses_of(url), setup.ca,
            ),
            placement=Placement(
                setup.node_selector, setup.tolerations, setup.runtime_class,
                setup.priority_class_of(4), setup.pull_secrets, setup.queue,
            ),
            labels={labels.ALGORITHM: self.algorithm}, wall=setup.wall,
        )  # fmt: skip


def _why_useless(server: WarmServer, seen: RunSeen) -> str:
    """Why one whose containers run will give no answer; empty where it may.

    It says that it is there with every question. One whose container began after the last of them
    loads its model anew.
    """
    now = datetime.now(UTC)
    algorithm = seen.pods[-1].container(ALGORITHM) if seen.pods else None
    began = moment(algorithm.started_at) if algorithm else None
    heard = server.heard_at if server.ready_at else None
    if began is not None and (heard is None or began > heard):
        is_late = _seconds(now, began) > LOADING_SECONDS
        return f"was not ready after {LOADING_SECONDS:g} s" if is_late else ""
    is_silent = not server.run and _seconds(now, heard) > SILENT_SECONDS
    return f"the warm server was silent for {SILENT_SECONDS:g} s" if is_silent else ""


def _was_dead(found: Stands, server: WarmServer, run: WarmRun) -> bool:
    """Whether the algorithm had ended before it was given this run, as far as can be told.

    A cluster tells of whole seconds. Within the one of the giving only a server that had served
    before gets the benefit of the doubt: a run that kills whom it meets meets a fresh one next.
    """
    if found.ended_at is None or run.given_at is None:
        return False
    doubt = _SECOND if server.served == 1 else timedelta()
    return found.ended_at + doubt <= run.given_at


def _name(key: str) -> str:
    return f"hub-warm-{key}"


def _seconds(now: datetime, since: datetime | None) -> float:
    return (now - since).total_seconds() if since else 0.0


def _disruption(why: str) -> dict[str, Any]:
    return {"state": "failed", "why": why, "is_retryable": True, "is_disruption": True}


def _outcome(found: Stands) -> dict[str, Any]:
    return {
        "state": "failed", "why": found.why, "exit_code": found.exit_code,
        "is_retryable": found.is_retryable, "is_disruption": found.is_disruption,
    }  # fmt: skip


def _ended(kept: WarmRun) -> Progress:
    said = kept.outcome
    return replace(
        Progress(said["state"], said.get("why", ""), said.get("exit_code")),
        log_tail=tuple(said.get("log_tail") or ()), started_at=kept.given_at,
        finished_at=kept.ended_at, is_retryable=bool(said.get("is_retryable")),
        is_disruption=bool(said.get("is_disruption")),
    )  # fmt: skip
