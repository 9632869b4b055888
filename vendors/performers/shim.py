"""Stands over one process run: starts it, holds its limits, keeps its log, writes how it ended.

A program of its own, on the standard library alone, so that it starts fast and outlives the worker
that started it: ``python -I -S shim.py CONTROL_FOLDER LOCK_FD``. It holds the lock as long as it
lives; whoever can take the lock knows that it is gone. Reads job.json, writes log and exit.json.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    try:
        if os.fork():
            os._exit(0)  # at once, so that the worker has no child left to wait for
    except OSError:
        os._exit(75)  # NOT_NOW

import contextlib
import ctypes
import errno
import json
import resource
import select
import signal
import time
from typing import Any

WATCH_SECONDS = 0.1
NOT_STARTED = 127
# sysexits.h, EX_TEMPFAIL: the system lacks something for a moment
NOT_NOW = 75
SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ETXTBSY})
PR_SET_CHILD_SUBREAPER = 36  # prctl(2), Linux
SLACK_BYTES = 2 * 1024**3  # address space that a runtime reserves and never touches


class Log:
    """The run's output, at most ``limit`` bytes: the last part is kept."""

    def __init__(self, path: str, limit: int) -> None:
        self.path, self.limit, self.size = path, limit // 2, 0
        self.fd = self._open()

    def write(self, data: bytes) -> None:
        """Append; a full half moves to ``<path>.1``."""
        os.write(self.fd, data)
        self.size += len(data)
        if self.size >= self.limit:
            os.close(self.fd)
            os.replace(self.path, self.path + ".1")
            self.fd, self.size = self._open(), 0

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)


class Watch:
    """One child process with its pipe, its deadline and the reason it was stopped for."""

    def __init__(self, job: dict[str, Any], log: Log) -> None:
        self.job, self.log, self.why = job, log, ""
        self.wakeup, wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._cancel)
        self.started = time.monotonic()
        self.output, write = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            become(job, write)
        os.close(write)
        os.set_blocking(self.output, False)

    def run(self) -> int:
        """Wait until the child has ended or must end; returns its wait status."""
        while True:
            self._drain()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.kill()  # what it left behind in its session
                self._drain()
                return status
            reap(self.pid)
            self._judge()
            if self.why:
                self.kill()
            select.select(self._sources(), [], [], WATCH_SECONDS)
            with contextlib.suppress(BlockingIOError):
                os.read(self.wakeup, 512)

    def kill(self) -> None:
        """Kill the child, all of its process group, and whatever else came of it.

        Stopped before they are killed: what starts processes without end starts none meanwhile.
        """
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for number in (signal.SIGSTOP, signal.SIGKILL):
            signal_all(number)

    def _judge(self) -> None:
        running = descendants()
        if time.monotonic() - self.started > self.job["timeout_seconds"]:
            self.why = self.why or "timeout"
        elif len(running) > self.job["process_count"]:
            self.why = self.why or "processes"
        elif sum(map(resident_bytes, running)) > self.job["memory_bytes"]:
            self.why = self.why or "memory"

    def _sources(self) -> list[int]:
        return [self.wakeup] if self.output < 0 else [self.wakeup, self.output]

    def _drain(self) -> None:
        while self.output >= 0:
            try:
                data = os.read(self.output, 65536)
            except BlockingIOError:
                return
            if not data:
                os.close(self.output)
                self.output = -1
                return
            self.log.write(data)
            if len(data) < 65536:
                return

    def _cancel(self, *_: object) -> None:
        self.why = self.why or "cancelled"


def become(job: dict[str, Any], output: int) -> None:
    """Turn this fork into the algorithm, in a session of its own; never returns."""
    try:
        os.setsid()
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        for name, value in job["limits"].items():
            limit(getattr(resource, name), value)
        os.chdir(job["cwd"])
        # what the manifest declares is what is to run, and no shell reads it
        os.execvpe(job["command"][0], job["command"], job["env"])  # nosec B606
    except (OSError, ValueError) as error:
        os.write(2, f"cannot start {job['command'][0]}: {error}\n".encode())
        if isinstance(error, OSError) and error.errno in SCARCE:
            os._exit(NOT_NOW)
    os._exit(NOT_STARTED)


def limit(what: int, value: int) -> None:
    """Lower one resource limit; one that is already lower stays."""
    hard = resource.getrlimit(what)[1]
    least = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (least, least))


def adopt() -> None:
    """Have processes whose parent has died become this one's children, where the system can."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants() -> list[int]:
    """All processes that came of this one and still are; none where the system does not tell."""
    found: list[int] = []
    parents = [os.getpid()]
    while parents:
        below = [child for parent in parents for child in children(parent)]
        found += below
        parents = below
    return found


def children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def signal_all(number: int) -> None:
    """Send a signal to all that came of this process, until none is left that had none."""
    told: set[int] = set()
    while fresh := set(descendants()) - told:
        told |= fresh
        for pid in fresh:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)


def reap(pid: int) -> None:
    """Bury adopted processes that have ended; ``pid`` is waited for elsewhere."""
    for child in children(os.getpid()):
        if child != pid:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, os.WNOHANG)


def resident_bytes(pid: int) -> int:
    """Memory that ``pid`` holds; 0 where the system does not tell."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def write_whole(path: str, data: dict[str, Any]) -> None:
    """Write JSON so that a reader sees all of it or none, also after a power cut."""
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(data, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".part", path)


def main(control: str, lock: int) -> None:
    """Run the job of the folder ``control`` to its end."""
    os.setsid()
    os.set_inheritable(lock, False)
    with open(f"{control}/job.json", encoding="utf-8") as file:
        job = json.load(file)
    job["limits"]["RLIMIT_AS"] = job["memory_bytes"] + SLACK_BYTES
    started = time.time()
    adopt()
    watch = Watch(job, Log(f"{control}/log", job["log_bytes"]))
    write_whole(f"{control}/pid.json", {"shim": os.getpid(), "child": watch.pid})
    exit_code = os.waitstatus_to_exitcode(watch.run())
    ended = {"exit_code": exit_code, "why": watch.why, "started_at": started}
    write_whole(f"{control}/exit.json", ended | {"finished_at": time.time()})


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
