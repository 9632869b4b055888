"""Runs an algorithm in a container of podman or docker, behind walls.

No network, a read-only root, no capabilities, a user without rights, and limits on memory,
processors, processes, log, scratch space and time. The container's name is made of the run's, so
the engine itself refuses a second one, and any worker finds the first.
"""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vendors.packages import environment
from vendors.performers.base import Progress, Run, SubmitFailed, is_final
from vendors.performers.files import open_to_all, tail_of, why_stop, why_too_much

ENGINE_SECONDS = 120.0
KILLED = 137  # 128 + SIGKILL
# podman tells a container that its own clock stopped by -1 (255 in some versions)
ENGINE_TIMED_OUT_CODES = frozenset({-1, 255})
TIMED_OUT_CODES = frozenset({*ENGINE_TIMED_OUT_CODES, 137, 143})
# what the clocks of a file system and of an engine may be apart
CLOCK_SECONDS = 0.25
ENGINE_VARIABLES = (
    "PATH",
    "HOME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "DOCKER_HOST",
    "CONTAINER_HOST",
)
NO_IMAGE = re.compile(r"image not known|no such image|unable to find image|manifest unknown", re.I)
NO_CONTAINER = re.compile(r"no such (container|object)|no container with name", re.I)
# by an engine that is there, and of which it says nothing of image or container
SCARCE = re.compile(
    r"too many open files|cannot allocate memory|resource temporarily unavailable|no space left",
    re.I,
)
NOT_STARTED = {"created", "configured", "initialized"}
GOING_ON = {"running", "paused", "stopping", "restarting", "removing"}


@dataclass(frozen=True, slots=True)
class ContainerPerformer:
    """``args`` go before the engine's ``run``, ``run_args`` after; {count} in ``gpu_args``."""

    command: tuple[str, ...] = ("podman",)
    args: tuple[str, ...] = ()
    run_args: tuple[str, ...] = ()
    gpu_args: tuple[str, ...] = ("--device", "nvidia.com/gpu=all")
    user: str = "65532:65532"
    pull: str = "never"

    def submit(self, run: Run) -> None:
        """Start the container unless there is one of this name; raises SubmitFailed."""
        state = self._inspect(run)
        if state is None:
            self._create(run)
        elif state["State"]["Status"] in NOT_STARTED:
            # another submit was killed between creating and starting; starting twice starts one
            self._must(["start", _name(run)])

    def poll(self, run: Run) -> Progress:
        """How the container stands; kills one that is past its time or its room."""
        try:
            state = self._inspect(run)
        except SubmitFailed as error:
            return Progress("silent", why=error.reason)
        if state is None:
            return self._absent(run)
        status = state["State"]["Status"]
        if status in NOT_STARTED:
            return Progress("unknown", why="the container was created and never started")
        if status in GOING_ON:
            return self._going_on(run, state)
        return _outcome(run, state, self._log_tail(run))

    def cancel(self, run: Run) -> None:
        """Kill and remove the container; one that is not there is no error."""
        force = ["rm", "--force", "--volumes", *(["--time", "0"] if self._is_podman else [])]
        done = self._engine([*force, _name(run)])
        if done.returncode and not NO_CONTAINER.search(done.stderr):
            raise SubmitFailed(f"the container could not be removed: {_last_line(done.stderr)}")
        _marker(run).unlink(missing_ok=True)

    def cleanup(self, run: Run) -> None:
        """Remove the container, once its output has been collected."""
        self.cancel(run)

    @property
    def _is_podman(self) -> bool:
        return "podman" in Path(self.command[-1]).name

    def _create(self, run: Run) -> None:
        try:
            run.work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            open_to_all(run.input_dir, run.output_dir)
            _marker(run).touch()
        except OSError as error:
            raise SubmitFailed(f"the folders could not be prepared: {error.strerror}") from error
        # What stands over it notes there that it ran out of memory (conmon).
        words = ["run", "--detach", *self._options(run), *_what(run)]
        done = self._engine(words, folder=run.work_dir)
        if done.returncode == 0 or self._is_taken(done.stderr):
            return
        self._refuse(run, done)

    def _refuse(self, run: Run, done: subprocess.CompletedProcess[str]) -> None:
        """Leave nothing behind, and tell why the container could not be started."""
        state = self._inspect(run)
        if state is None or state["State"]["Status"] in NOT_STARTED:
            self.cancel(run)
        if SCARCE.search(done.stderr):
            reason = f"the container engine cannot start one now: {_last_line(done.stderr)}"
            raise SubmitFailed(reason, is_away=True)
        if NO_IMAGE.search(done.stderr):
            reason = f"the image {run.spec.image} is not on this host"
            raise SubmitFailed(reason, is_permanent=True)
        if done.returncode in (126, 127):
            reason = f"the image cannot run its command: {_last_line(done.stderr)}"
            raise SubmitFailed(reason, is_permanent=True)
        raise SubmitFailed(f"the container could not be started: {_last_line(done.stderr)}")

    def _is_taken(self, text: str) -> bool:
        """Whether another submit of the same run was faster."""
        return "already in use" in text

    def _options(self, run: Run) -> list[str]:
        resources, limits = run.spec.resources, run.limits
        memory = str(resources.memory_bytes)
        processors = max(1, math.ceil(resources.cpu_count))
        # a little more, so that a file at the limit is seen to be over it
        largest_file = limits.output_bytes + 2**20
        # the container's own /tmp, in memory
        scratch = f"/tmp:rw,nosuid,nodev,size={limits.scratch_bytes},mode=1777"  # nosec B108
        return [
            *("--name", _name(run), "--label", f"hub.run={run.name}"),
            *("--network", "none", "--read-only", "--cap-drop", "all"),
            *("--security-opt", "no-new-privileges", "--user", self.user),
            *("--memory", memory, "--memory-swap", memory, "--cpus", f"{resources.cpu_count:g}"),
            *("--pids-limit", str(limits.process_count)),
            *("--ulimit", f"fsize={largest_file}:{largest_file}"),
            *("--shm-size", str(limits.shared_memory_bytes), "--tmpfs", scratch),
            *("--volume", f"{run.input_dir.absolute()}:/input:ro"),
            *("--volume", f"{run.output_dir.absolute()}:/output:rw"),
            *("--env", "HUB_INPUT_DIR=/input", "--env", "HUB_OUTPUT_DIR=/output"),
            *_environment_of_package(run),
            *(("--env", "HUB_SERVING=warm") if run.spec.is_warm else ()),
            *("--env", "HOME=/tmp", "--env", f"OMP_NUM_THREADS={processors}"),
            *("--env", f"OPENBLAS_NUM_THREADS={processors}"),
            *("--log-opt", f"max-size={limits.log_bytes}", "--pull", self.pull),
            *self._options_of_engine(run),
            *(one.format(count=resources.gpu) for one in self.gpu_args if resources.gpu),
            *self.run_args,
        ]

    def _options_of_engine(self, run: Run) -> list[str]:
        """podman kills by its own clock, also when no worker is left to poll."""
        if not self._is_podman:
            return ["--log-driver", "json-file"]
        timeout = str(run.spec.timeout_seconds)
        # without the second, /run and /var/tmp are writable beside /tmp, and without bound
        return ["--timeout", timeout, "--read-only-tmpfs=false", "--log-driver", "k8s-file"]

    def _inspect(self, run: Run) -> dict[str, Any] | None:
        """What the engine says of the container, None if there is none; raises SubmitFailed."""
        done = self._engine(["container", "inspect", _name(run)])
        if done.returncode == 0:
            found: dict[str, Any] = json.loads(done.stdout)[0]
            return found
        if NO_CONTAINER.search(done.stderr):
            return None
        reason = f"the container engine does not answer: {_last_line(done.stderr)}"
        raise SubmitFailed(reason, is_away=True)

    def _absent(self, run: Run) -> Progress:
        if not _marker(run).exists():
            return Progress("unknown", why="no such run was started here")
        return Progress("failed", why="the container was lost", is_retryable=True)

    def _going_on(self, run: Run, state: dict[str, Any]) -> Progress:
        started_at = _moment(state["State"]["StartedAt"])
        limit = run.spec.timeout_seconds
        if started_at is not None and (datetime.now(UTC) - started_at).total_seconds() > limit:
            self._engine(["kill", _name(run)])
            again = self._inspect(run)
            if again is not None and again["State"]["Status"] not in GOING_ON:
                return _outcome(run, again, self._log_tail(run))
            return Progress("running", started_at=started_at)
        why, is_retryable = why_stop(run)
        if not why:
            return Progress("running", started_at=started_at)
        self._engine(["kill", _name(run)])
        return Progress(
            "failed",
            why,
            log_tail=self._log_tail(run),
            started_at=started_at,
            is_retryable=is_retryable,
        )

    def _log_tail(self, run: Run) -> tuple[str, ...]:
        # The engine's own --tail begins in the middle of a line that was written in pieces; the
        # whole log is no more than may be kept of it.
        done = self._engine(["logs", _name(run)], is_joined=True)
        return tail_of(done.stdout) if done.returncode == 0 else ()

    def _must(self, arguments: Sequence[str]) -> None:
        done = self._engine(arguments)
        if done.returncode:
            raise SubmitFailed(f"the container could not be started: {_last_line(done.stderr)}")

    def _engine(
        self, arguments: Sequence[str], *, is_joined: bool = False, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """One call of the engine, without the hub's secrets in its environment."""
        known = {name: os.environ[name] for name in ENGINE_VARIABLES if name in os.environ}
        try:
            return subprocess.run(
                [*self.command, *self.args, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if is_joined else subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                env=known,
                cwd=folder,
                timeout=ENGINE_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            name = shlex.join(self.command)
            reason = f"the container engine {name!r} does not answer: {error}"
            raise SubmitFailed(reason, is_away=True) from error


def make(settings: Mapping[str, Any]) -> ContainerPerformer:
    """From the fields of ContainerPerformer; a text is split as a shell would."""
    known = {one.name for one in fields(ContainerPerformer)}
    given = {key: value for key, value in settings.items() if key in known}
    for key in ("command", "args", "run_args", "gpu_args"):
        if key in given:
            value = given[key]
            given[key] = tuple(shlex.split(value) if isinstance(value, str) else value)
    return ContainerPerformer(**given)


def _name(run: Run) -> str:
    return f"hub-{run.name}"


def _what(run: Run) -> list[str]:
    """The image and its arguments; the first of ``command`` takes the place of its entry point."""
    if not run.spec.command:
        return [run.spec.image]
    program, *arguments = run.spec.command
    return ["--entrypoint", program, run.spec.image, *arguments]


def _environment_of_package(run: Run) -> list[str]:
    """How an image of another convention finds the same two folders."""
    named = environment(run.spec.packaging, input_dir="/input", output_dir="/output")
    return [word for name, path in named.items() for word in ("--env", f"{name}={path}")]


def _marker(run: Run) -> Path:
    """Tells a container that was lost from one that never was, also from that of an earlier run."""
    return run.work_dir / _name(run)


def _outcome(run: Run, state: dict[str, Any], log_tail: tuple[str, ...]) -> Progress:
    ended = state["State"]
    why, is_retryable = _reason(run, ended)
    started_at, finished_at = _moment(ended["StartedAt"]), _moment(ended["FinishedAt"])
    if started_at and finished_at:
        # podman notes the start once it has been told, a short run has ended by then
        finished_at = max(started_at, finished_at)
    return Progress(
        state="failed" if why else "succeeded",
        why=why,
        exit_code=ended["ExitCode"],
        log_tail=log_tail,
        started_at=started_at,
        finished_at=finished_at,
        is_retryable=is_retryable,
    )


def _reason(run: Run, ended: dict[str, Any]) -> tuple[str, bool]:
    """Why the run failed, empty if it did not, and whether trying again may help."""
    code, limit = ended["ExitCode"], f"out of memory: the limit is {run.spec.resources.memory}"
    # before the exit code: a worker process that was killed may leave 1, or even 0, behind
    if ended.get("OOMKilled"):
        return (limit, False)
    if too_much := why_too_much(run):
        return (too_much, False)
    if code == 0:
        return ("", False)
    if code in TIMED_OUT_CODES and _is_past_time(run, ended):
        return (f"timed out after {run.spec.timeout_seconds} s", True)
    if code == KILLED:
        return (f"killed from outside, most likely {limit}", True)
    return (f"ended with exit code {code}", not is_final(code))


def _is_past_time(run: Run, ended: dict[str, Any]) -> bool:
    started, finished = _moment(ended["StartedAt"]), _moment(ended["FinishedAt"])
    if started is None or finished is None:
        return False
    if ended["ExitCode"] in ENGINE_TIMED_OUT_CODES:
        # the engine's clock runs from before the start that it notes, on a busy host by seconds
        started = min(started, _submitted_at(run) or started)
    took = (finished - started).total_seconds()
    return took >= run.spec.timeout_seconds - CLOCK_SECONDS


def _submitted_at(run: Run) -> datetime | None:
    try:
        return datetime.fromtimestamp(_marker(run).stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def _moment(text: str) -> datetime | None:
    """From RFC 3339 with nanoseconds; the year 1 means never."""
    moment = datetime.fromisoformat(re.sub(r"([.]\d{6})\d+", r"\1", text))
    return moment if moment.year > 1 else None


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no reason given"
