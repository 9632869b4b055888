"""What processes use: their time on a processor and their memory, as Linux counts them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_LISTENING = "0A"


def family(pid: int) -> list[int]:
    """A process, its children, their children, and so on."""
    found = [pid]
    for one in found:
        for listed in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += [int(child) for child in listed.read_text().split()]
            except OSError:  # it has ended meanwhile
                continue
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Time on a processor until now, in user and system mode, with children that have ended."""
    ticks = 0
    for pid in pids:
        try:
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(field) for field in after_name[11:15])  # utime stime cutime cstime
    return ticks / _TICKS


def resident_bytes(pids: Iterable[int], *, highest: bool = False) -> int:
    """Resident memory, mapped files included: now, or the highest it ever was."""
    return sum(_kilobytes(pid, "status", "VmHWM" if highest else "VmRSS") for pid in pids) * 1024


def own_bytes(pids: Iterable[int]) -> int:
    """Proportional set size: what processes share is counted once among all who share it."""
    return sum(_kilobytes(pid, "smaps_rollup", "Pss") for pid in pids) * 1024


def listeners(port: int, among: Iterable[int]) -> list[int]:
    """Which of these processes hold a socket that listens at the TCP port."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    return [pid for pid in among if inodes & _open(pid)]


def _open(pid: int) -> set[str]:
    found = set()
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            found.add(os.readlink(link))
    except OSError:  # a file was closed, or the process has ended, meanwhile
        pass
    return found


def _kilobytes(pid: int, file: str, name: str) -> int:
    try:
        match = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/{file}").read_text(), re.M)
    except OSError:
        return 0
    return int(match[1]) if match else 0
