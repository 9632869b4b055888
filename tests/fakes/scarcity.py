"""A system that gives this process no more files for a while."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

NO_MORE_FILES = OSError(errno.EMFILE, os.strerror(errno.EMFILE))


@contextmanager
def no_more_files() -> Iterator[None]:
    """What is open may be used, and nothing else be opened."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
