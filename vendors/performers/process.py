"""Runs an algorithm as a process of this host: for demonstrations and tests.

It has limits but no walls: it runs as the hub's own user and may read what the hub may read.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vendors import packages
from vendors.performers.base import (
    PerformerRefused,
    Progress,
    Run,
    SubmitFailed,
    is_final,
)
from vendors.performers.files import read_json, tail_of_files, why_stop, why_too_much

SHIM = Path(__file__).with_name("shim.py")
NOT_NOW = 75  # of the shim: the system gives no process
CANCEL_SECONDS = 5.0
STEP_SECONDS = 0.01
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


@dataclass(frozen=True, slots=True)
class ProcessPerformer:
    """``program_dir``: where Python programs are looked for beside the installed ones."""

    program_dir: Path | None = None

    def submit(self, run: Run) -> None:
        """Start the run under a shim that outlives this process; raises SubmitFailed."""
        control = _control(run)
        try:
            control.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _lock(control) as lock:
                if lock is not None and not (control / "job.json").exists():
                    self._start(run, control, lock)
        except OSError as error:
            raise SubmitFailed(f"the process could not be started: {error.strerror}") from error
        except subprocess.CalledProcessError as error:
            why = f"what stands over the process ended with exit code {error.returncode}"
            if error.returncode == NOT_NOW:
                raise SubmitFailed(why) from BlockingIOError(errno.EAGAIN, why)
            raise SubmitFailed(why) from error

    def poll(self, run: Run) -> Progress:
        """How the run stands; a shim that is gone and left no word is told as lost."""
        control = _control(run)
        if not _is_of(run, control):
            return Progress("unknown", why="no such run was started here")
        # the lock before the file: a shim that ends between the two has written the file
        is_alive = _is_alive(control)
        ended = read_json(control / "exit.json")
        log_tail = tail_of_files(control / "log.1", control / "log")
        if ended is not None:
            return _outcome(run, ended, log_tail)
        if not is_alive:
            _kill_all_of(run)
            why = "the process was lost: whatever stood over it was killed"
            return Progress("failed", why, log_tail=log_tail, is_retryable=True)
        started_at = datetime.fromtimestamp((control / "job.json").stat().st_mtime, UTC)
        why, is_retryable = why_stop(run, scratch=_home(run))
        if not why:
            return Progress("running", log_tail=log_tail, started_at=started_at)
        self._stop(run, control)
        return Progress(
            "failed", why, log_tail=log_tail, started_at=started_at, is_retryable=is_retryable
        )

    def cancel(self, run: Run) -> None:
        """Stop the run and remove what it kept; one that is not there is no error.

        Raises SubmitFailed where the system does not let it be looked for.
        """
        try:
            self._cancel(run)
        except OSError as error:
            raise SubmitFailed(f"the process could not be stopped: {error.strerror}") from error

    def _cancel(self, run: Run) -> None:
        control = _control(run)
        if not control.exists() or ((control / "job.json").exists() and not _is_of(run, control)):
            # The folder is of a later run, or gone: this one may all the same be at work.
            _kill_all_of(run)
            return
        self._stop(run, control)
        for folder in (control, _home(run)):
            shutil.rmtree(folder, ignore_errors=True)

    def cleanup(self, run: Run) -> None:
        """Forget the run."""
        self.cancel(run)

    def _start(self, run: Run, control: Path, lock: int) -> None:
        if not run.input_dir.is_dir():
            # The folder is of a later run by now.
            raise SubmitFailed("its input is not there")
        home = _home(run)
        home.mkdir(mode=0o700, exist_ok=True)
        part = control / "job.part"
        part.write_text(json.dumps(self._job(run, home)), "utf-8")
        part.rename(control / "job.json")
        command = [sys.executable, "-I", "-S", str(SHIM), str(control), str(lock)]
        quiet = subprocess.DEVNULL
        try:
            subprocess.run(
                command, stdin=quiet, stdout=quiet, stderr=quiet, env={}, pass_fds=(lock,),
                check=True,
            )  # fmt: skip
        except BaseException:
            # Otherwise whoever looks takes it for a run that was started, and was lost.
            (control / "job.json").unlink()
            raise

    def _job(self, run: Run, home: Path) -> dict[str, Any]:
        resources = run.spec.resources
        processors = max(1, math.ceil(resources.cpu_count))
        return {
            "run": run.name,
            "command": list(run.spec.command),
            "env": self._environment(run, home, processors),
            "cwd": str(home),
            "timeout_seconds": run.spec.timeout_seconds,
            "memory_bytes": resources.memory_bytes,
            "log_bytes": run.limits.log_bytes,
            "process_count": run.limits.process_count,
            "limits": {
                "RLIMIT_CPU": run.spec.timeout_seconds * processors + 1,
                # a little more, so that a file at the limit is seen to be over it
                "RLIMIT_FSIZE": max(run.limits.output_bytes, run.limits.scratch_bytes) + 2**20,
                "RLIMIT_NOFILE": 4096,
                "RLIMIT_CORE": 0,  # a core dump would hold the images
            },
        }

    def _environment(self, run: Run, home: Path, processors: int) -> dict[str, str]:
        """Named one by one, so that none of the hub's secrets comes along."""
        search = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        environment = {
            "PATH": os.pathsep.join(search),
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "TMPDIR": str(home),
            "HUB_INPUT_DIR": str(run.input_dir.absolute()),
            "HUB_OUTPUT_DIR": str(run.output_dir.absolute()),
            "HUB_RUN": _mark(run),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        environment |= packages.environment(
            run.spec.packaging,
            input_dir=environment["HUB_INPUT_DIR"],
            output_dir=environment["HUB_OUTPUT_DIR"],
        )
        if run.spec.is_warm:
            environment["HUB_SERVING"] = "warm"
        if self.program_dir is not None:
            environment["PYTHONPATH"] = str(self.program_dir.absolute())
        return environment | dict.fromkeys(THREAD_VARIABLES, str(processors))

    def _stop(self, run: Run, control: Path) -> None:
        deadline = time.monotonic() + CANCEL_SECONDS
        pids = read_json(control / "pid.json")
        while _is_alive(control) and time.monotonic() < deadline:
            if pids is None:  # only just started
                pids = read_json(control / "pid.json")
            elif not (control / "exit.json").exists():
                _kill(pids["shim"], signal.SIGTERM)
            time.sleep(STEP_SECONDS)
        if pids is not None and _is_alive(control):
            _kill(pids["shim"], signal.SIGKILL)
        _kill_all_of(run)


def make(settings: Mapping[str, Any]) -> ProcessPerformer:
    """From ``{"is_allowed": True, "program_dir": Path}``; refused unless allowed outright."""
    if settings.get("is_allowed") is not True:
        raise PerformerRefused(
            "algorithms may not run as plain processes here (HUB_ALLOW_PROCESS_PERFORMER is off)"
        )
    program_dir = settings.get("program_dir")
    return ProcessPerformer(program_dir=Path(program_dir) if program_dir else None)


def _control(run: Run) -> Path:
    return run.work_dir.absolute() / "process"


def _home(run: Run) -> Path:
    return run.work_dir.absolute() / "home"


def _is_of(run: Run, control: Path) -> bool:
    """Whether what was started there is this run: a later one of its Workitem has the same folder.

    The release before did not write down which it was; a worker of it that was killed left half.
    """
    try:
        job = read_json(control / "job.json")
    except ValueError:
        return True
    return job is not None and job.get("run", run.name) == run.name


def _mark(run: Run) -> str:
    """What all processes of a run carry in their environment, wherever they put themselves."""
    return f"{run.name}@{run.work_dir.absolute()}"


@contextlib.contextmanager
def _lock(control: Path) -> Any:
    """The run's lock as a file descriptor, or None while a shim or another submit holds it."""
    lock = os.open(control / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        yield None
        return
    try:
        yield lock
    finally:
        os.close(lock)  # not LOCK_UN: the lock lives on in the shim, which shares it


def _is_alive(control: Path) -> bool:
    with _lock(control) as lock:
        return lock is None


def _outcome(run: Run, ended: dict[str, Any], log_tail: tuple[str, ...]) -> Progress:
    code = ended["exit_code"]
    why, is_retryable = _reason(run, ended)
    return Progress(
        state="failed" if why else "succeeded",
        why=why,
        exit_code=code,
        log_tail=log_tail,
        started_at=datetime.fromtimestamp(ended["started_at"], UTC),
        finished_at=datetime.fromtimestamp(ended["finished_at"], UTC),
        is_retryable=is_retryable,
    )


def _reason(run: Run, ended: dict[str, Any]) -> tuple[str, bool]:
    """Why the run failed, empty if it did not, and whether trying again may help."""
    code = ended["exit_code"]
    said = {
        "timeout": (f"timed out after {run.spec.timeout_seconds} s", True),
        "processes": (f"started more than {run.limits.process_count} processes", False),
        "memory": (f"out of memory: the limit is {run.spec.resources.memory}", False),
        "cancelled": ("cancelled", False),
    }.get(ended["why"])
    if said is not None:
        return said
    if too_much := why_too_much(run, scratch=_home(run)):
        return (too_much, False)
    if code == 0:
        return ("", False)
    if code == 127:
        return ("the program could not be started (exit code 127)", False)
    if code < 0:
        return (f"killed by {_signal_name(-code)}", True)
    return (f"ended with exit code {code}", not is_final(code))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal; only the first and the last of them have a name
        return f"signal {number}"


def _kill(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _kill_all_of(run: Run) -> None:
    """Kill every process that carries the run's mark, where the system lists environments."""
    mark = f"HUB_RUN={_mark(run)}".encode()
    for number in filter(str.isdecimal, os.listdir("/proc") if os.path.isdir("/proc") else ()):
        # Ended meanwhile, or another's. That none may be opened now is no sign that none is there.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            if mark in Path(f"/proc/{number}/environ").read_bytes().split(b"\0"):
                _kill(int(number), signal.SIGKILL)
