"""Runs an algorithm as a Job of a Kubernetes cluster, behind walls; one Job for each run.

What there is to know of a run is in its row, which the informer writes (vendors/cluster_watch.py):
to poll asks the database. The cluster itself is asked only where nobody watches it.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from hub.cluster import jobs, labels
from hub.cluster.client import (
    Cluster,
    ClusterAway,
    ClusterRefused,
    ClusterSettings,
    Expired,
    NoCluster,
    connect,
)
from hub.cluster.jobs import NameTaken
from hub.cluster.looking import look
from hub.cluster.manifests import Carrier, JobSpec, Need, job_manifest
from hub.cluster.pods import Placement
from hub.cluster.seen import RunSeen
from hub.cluster.verdicts import RunVerdict, verdict
from vendors import cluster_runs
from vendors.cluster_runs import Kept
from vendors.cluster_setup import (
    KEEP_SECONDS,
    ClusterSetup,
    SetupRefused,
    cluster_setup,
    longest_wait,
)
from vendors.manifest import PerformerSpec
from vendors.packages import environment
from vendors.performers.base import (
    FINAL_EXIT_CODES,
    LOG_TAIL_LINES,
    PerformerRefused,
    Progress,
    Run,
    State,
    SubmitFailed,
)
from vendors.performers.files import tail_of

# while an informer tells of every change, and while the cluster itself must be asked
_WATCHED, _UNWATCHED = timedelta(seconds=60), timedelta(seconds=10)
# after a Job was made, until the informer has told of it
_SOON, _LATE = timedelta(seconds=1), timedelta(seconds=10)
# for pulling images, input and output
_SLACK = timedelta(minutes=30)
_CHECK = "see `manage.py cluster check`"


@dataclass(frozen=True, slots=True)
class KubernetesPerformer:
    """Every method may be called from any process: the name of the Job is that of the run."""

    setup: ClusterSetup

    def submit(self, run: Run) -> None:
        """Make the Job unless it is there; raises SubmitFailed."""
        manifest = self.manifest_of(run)
        # The row first: a process that dies after making the Job leaves word of it.
        cluster_runs.begin(run.name, priority=run.priority)
        try:
            made = jobs.create(self._cluster(), manifest)
        except NameTaken as taken:
            self.cancel(run)
            raise SubmitFailed(f"the Job could not be made: {taken}") from taken
        except ClusterRefused as refused:
            raise refusal_of(refused, self.setup.namespace) from refused
        except (ClusterAway, NoCluster) as fault:
            raise SubmitFailed(str(fault), is_away=True) from fault
        cluster_runs.made(run.name, job_uid=made.uid)

    def poll(self, run: Run) -> Progress:
        """How the run stands, by its row; asks the cluster where nobody watches it."""
        kept = cluster_runs.of(run.name)
        if kept is None:
            return Progress("unknown", why="no such run was handed to the cluster")
        is_watched = cluster_runs.is_watched(self.setup.namespace)
        if not is_watched or _is_unheard_of(kept):
            try:
                kept = self._look(run, kept)
            except (ClusterAway, ClusterRefused, NoCluster, Expired) as fault:
                return self._without_answer(run, kept, str(fault))
        said = verdict(RunSeen.from_json(kept.seen), now=datetime.now(UTC))
        if said.is_over:
            return self._ended(run, kept, said)
        if said.state == "unknown":
            if kept.job_uid:
                return Progress("running", "was handed to the cluster", next_look=_SOON)
            return Progress("unknown", why=said.why)
        why = said.why
        if said.state == "waiting":
            why = f"{why} (number {cluster_runs.place(kept)} of those that wait)"
        again = _WATCHED if is_watched else _UNWATCHED
        return Progress("running", why, started_at=said.started_at, next_look=again)

    def cancel(self, run: Run) -> None:
        """Delete the Job and its pods; one that is not there is no error."""
        kept = cluster_runs.of(run.name)
        try:
            cluster = self._cluster()
            uid = (kept.job_uid if kept else "") or self._uid(cluster, run)
            if uid:
                jobs.delete(cluster, job_name(run), uid=uid)
        except (ClusterAway, ClusterRefused, NoCluster, Expired) as fault:
            raise SubmitFailed(f"the Job could not be deleted: {fault}", is_away=True) from fault
        cluster_runs.forget(run.name)

    def cleanup(self, run: Run) -> None:
        """Delete the Job, once its output has been collected."""
        self.cancel(run)

    def manifest_of(self, run: Run) -> dict[str, Any]:
        """The Job that a run would be; raises SubmitFailed."""
        return job_manifest(self._spec(run))

    def _cluster(self) -> Cluster:
        return connected(ClusterSettings(self.setup.namespace, self.setup.kubeconfig))

    def _uid(self, cluster: Cluster, run: Run) -> str:
        job = jobs.get(cluster, job_name(run))
        return str(job["metadata"]["uid"]) if job else ""

    def _look(self, run: Run, kept: Kept) -> Kept:
        """Ask the cluster about one run, and keep what it says."""
        before = RunSeen.from_json(kept.seen)
        seen = look(self._cluster(), job_name(run), run.name, before)
        if seen is None:
            return self._vanished(run, kept, before)
        state = verdict(seen, now=datetime.now(UTC)).state
        cluster_runs.note(run.name, state=state, seen=seen.as_json())
        return cluster_runs.of(run.name) or kept

    def _without_answer(self, run: Run, kept: Kept, said: str) -> Progress:
        """What was last seen to go on goes on without us, for as long as it may take at most."""
        wait = longest_wait(self.setup.wait_seconds, self.setup.queue)
        longest = timedelta(seconds=wait + run.spec.timeout_seconds) + _SLACK
        is_late = datetime.now(UTC) - kept.submitted_at > longest
        state: State = "silent" if is_late or not kept.job_uid else "running"
        return Progress(state, said, next_look=_UNWATCHED)

    def _vanished(self, run: Run, kept: Kept, seen: RunSeen) -> Kept:
        """Not there: it never was, or somebody deleted what was seen before."""
        if seen.job is None:
            return kept
        gone = seen.with_job_gone()
        cluster_runs.note(run.name, state="failed", seen=gone.as_json())
        return cluster_runs.of(run.name) or kept

    def _ended(self, run: Run, kept: Kept, said: RunVerdict) -> Progress:
        return Progress(
            "succeeded" if said.state == "succeeded" else "failed",
            said.why,
            exit_code=said.exit_code,
            log_tail=tail_of(self._log(run, kept, said)),
            started_at=said.started_at,
            finished_at=said.finished_at,
            is_retryable=said.is_retryable,
            is_disruption=said.is_disruption,
        )

    def _log(self, run: Run, kept: Kept, said: RunVerdict) -> str:
        """The end of the log; of a pod that is gone, what came with the container's status."""
        if kept.log_tail:
            return kept.log_tail
        text = ""
        if said.pod:
            try:
                text = jobs.log_tail(
                    self._cluster(), said.pod, said.container, lines=LOG_TAIL_LINES
                )
            except (NoCluster, Expired):
                text = ""
        if text:
            cluster_runs.keep_log(run.name, text)
        return text or said.message

    def _spec(self, run: Run) -> JobSpec:
        setup, spec, transfer = self.setup, run.spec, run.transfer
        if transfer is None:
            raise SubmitFailed("the hub gave the run no way to its input", is_permanent=True)
        algorithm, site = (run.labels.get(name, "") for name in ("algorithm", "site"))
        marks = {labels.ALGORITHM: algorithm, labels.WORKITEM: run.labels.get("workitem", "")}
        return JobSpec(
            name=job_name(run), run=run.name, image=spec.image, command=spec.command,
            environment=environment_of(spec),
            need=Need(
                spec.resources.cpu, spec.resources.memory, spec.resources.gpu,
                setup.gpu_resource_of(algorithm, site), transfer.input_bytes,
                run.limits.output_bytes, run.limits.scratch_bytes,
                run.limits.shared_memory_bytes,
            ),
            carrier=Carrier(
                setup.carrier_image, setup.carrier_command,
                transfer.input_url, transfer.input_token,
                transfer.output_url, transfer.output_token,
                addresses=addresses_of(transfer.input_url), ca=setup.ca,
            ),
            placement=Placement(
                setup.node_selector, setup.tolerations, setup.runtime_class,
                setup.priority_class_of(run.priority), setup.pull_secrets, setup.queue,
            ),
            timeout_seconds=spec.timeout_seconds, wait_seconds=setup.wait_seconds,
            keep_seconds=KEEP_SECONDS, labels={key: text for key, text in marks.items() if text},
            final_exit_codes=tuple(sorted(FINAL_EXIT_CODES)), wall=setup.wall,
        )  # fmt: skip


def make(settings: Mapping[str, Any]) -> KubernetesPerformer:
    """From the HUB_CLUSTER_* settings; raises PerformerRefused where they lead nowhere."""
    try:
        return KubernetesPerformer(cluster_setup(settings))
    except SetupRefused as refused:
        raise PerformerRefused(str(refused)) from refused


def job_name(run: Run) -> str:
    """The Job of a run: made of its name, never drawn, so that a second one is refused."""
    return f"hub-{run.name}"


@lru_cache(maxsize=4)
def connected(settings: ClusterSettings) -> Cluster:
    """One connection for all runs of a process; raises NoCluster."""
    return connect(settings)


def _is_unheard_of(kept: Kept) -> bool:
    """Whether a Job that may have been made is not told of by the informer, and should be."""
    is_late = datetime.now(UTC) - kept.submitted_at > _LATE
    return not kept.seen and (is_late or not kept.job_uid)


def environment_of(spec: PerformerSpec) -> dict[str, str]:
    """What an algorithm finds in its environment."""
    processors = str(max(1, round(spec.resources.cpu_count)))
    named = environment(spec.packaging, input_dir="/input", output_dir="/output")
    return {
        "HUB_INPUT_DIR": "/input", "HUB_OUTPUT_DIR": "/output", "HOME": "/tmp",  # nosec B108
        "OMP_NUM_THREADS": processors, "OPENBLAS_NUM_THREADS": processors,
        "CUDA_CACHE_PATH": "/tmp/cuda",  # nosec B108: in the container
    } | named  # fmt: skip


def addresses_of(url: str) -> dict[str, str]:
    """What the name in a URL stands for here: a pod is given no resolver."""
    host = urlsplit(url).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError as fault:
            reason = f"HUB_CLUSTER_HUB_URL: the name {host} cannot be looked up: {fault.strerror}"
            raise SubmitFailed(reason, is_away=True) from fault
        # the same of several each time: another would be taken for a change
        _family, address = min((one[0] != socket.AF_INET, str(one[4][0])) for one in found)
        return {host: address}
    return {}


def refusal_of(refused: ClusterRefused, namespace: str) -> SubmitFailed:
    """A quota and a missing right pass, and are waited for; a Job that is refused stays so."""
    if refused.is_quota:
        heart = refused.message.split(" is forbidden: ", 1)[-1]
        return SubmitFailed(f"the quota of the namespace is used up: {heart}", is_away=True)
    if refused.is_forbidden:
        why = f"the hub may not make Jobs in {namespace}: {refused.message}; {_CHECK}"
        return SubmitFailed(why, is_away=True)
    if refused.status == 404:
        why = f"there is no namespace {namespace}: {refused.message}; {_CHECK}"
        return SubmitFailed(why, is_away=True)
    said = "; ".join(refused.causes) or refused.message
    return SubmitFailed(f"the cluster refuses the Job: {said}", is_permanent=True)
