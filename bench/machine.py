"""What a run was made on: processors, kernel, disk, memory, load, and the versions of all."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from bench import mercure, peers
from bench.places import ROOT


def describe(here: Path) -> dict[str, object]:
    """The machine and what is installed on it; ``here`` is the folder that the runs work in."""
    kind, device = _file_system(here)
    return {
        "processors": os.cpu_count(),
        "processor": _first("/proc/cpuinfo", "model name"),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "?"),
        "file_system": f"{kind} on {device}",
        "python": platform.python_version(),
        "revision": _revision(),
        "versions": peers.versions()
        | ({mercure.NAME: mercure.version()} if mercure.is_given() else {}),
    }


def load() -> float:
    """Processes that ran or waited to run, on the average of the last minute."""
    return round(os.getloadavg()[0], 2)


def _file_system(path: Path) -> tuple[str, str]:
    best, found = "", ("?", "?")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        device, place, kind = line.split()[:3]
        if path.resolve().is_relative_to(place) and len(place) >= len(best):
            best, found = place, (kind, device)
    return found


def _first(file: str, name: str) -> str:
    for line in Path(file).read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return platform.machine()


def _revision() -> str:
    """The commit that was measured, with a plus where there was more than it."""
    words = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "?"
    return done.stdout.strip()
