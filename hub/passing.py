"""Tells what the system lacks for a moment from what stays: the former is never the last word.

A process that may open no more files cannot read a file that is as good as ever. Whoever asks here
tries again, in place of refusing the file, the run or the peer.
"""

from __future__ import annotations

import errno

# Files, memory, processes and threads: others use them up, and give them back.
_SCARCE = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOBUFS, errno.ENOLCK}
)
# What a disk or a mount says of itself, and not of the one file that was asked for.
_OF_THE_DISK = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EINTR, errno.EROFS}
)
# As CPython says it where the system gives no more of them; there is no kind of its own for that.
_NO_THREAD = "can't start new thread"


def is_scarcity(fault: BaseException | None) -> bool:
    """Whether the system had no more files, memory or processes, also told in other words."""
    while fault is not None:
        if isinstance(fault, OSError) and fault.errno in _SCARCE:
            return True
        if isinstance(fault, RuntimeError) and str(fault) == _NO_THREAD:
            return True
        fault = fault.__cause__
    return False


def is_of_the_system(fault: BaseException) -> bool:
    """Whether a fault says nothing about the file that was read or written."""
    if isinstance(fault, MemoryError | ImportError) or is_scarcity(fault):
        return True
    return isinstance(fault, OSError) and fault.errno in _OF_THE_DISK
