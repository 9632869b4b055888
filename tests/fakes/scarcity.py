"""A system that gives this process, or another, no more files for a while."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

NO_MORE_FILES = OSError(errno.EMFILE, os.strerror(errno.EMFILE))


@contextmanager
def no_more_files() -> Iterator[None]:
    """What is open may be used, and nothing else be opened.

    All that may be open is open: poll() refuses a process that has more than it may.
    """
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(map(int, os.listdir("/proc/self/fd")))
    with ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most + 1, before[1]))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        with suppress(OSError):
            while True:
                stack.enter_context(open(os.devnull, "rb"))
        yield


def limit_of(pid: int, more: int) -> tuple[int, int] | None:
    """Let a process open so many files more than it has; what it was allowed before."""
    try:
        most = max(map(int, os.listdir(f"/proc/{pid}/fd")))
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        return resource.prlimit(pid, resource.RLIMIT_NOFILE, (most + 1 + more, before[1]))
    except (OSError, ValueError):
        return None


@contextmanager
def none_more_for(*pids: int) -> Iterator[None]:
    """Let others open no more files than they have."""
    before = {pid: limit_of(pid, 0) for pid in pids}
    try:
        yield
    finally:
        for pid, limit in before.items():
            if limit is not None:
                resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
