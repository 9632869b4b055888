"""Images for tests where none can be pulled: Debian's Python, unpacked out of its packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

# What a host without cgroups of version 2 and with low limits needs.
NARROW = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000")
_MIRROR = "http://deb.debian.org/debian"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_TAG = "localhost/hub-test-base"
# As much as python:3.11-slim has of what algorithms use.
_PACKAGES = "base-files,coreutils,dash,libc-bin,libstdc++6,python3,python3-venv,python-is-python3"


def podman(*words: str, seconds: int = 120) -> subprocess.CompletedProcess[str]:
    """One call of podman over runc."""
    command = ["podman", "--runtime", "runc", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)


def must(*words: str, seconds: int = 120) -> str:
    """What a call printed that must succeed."""
    done = podman(*words, seconds=seconds)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout.strip()


def debian_python(folder: Path) -> str:
    """An image of Debian's Python and little else; made once on each host."""
    if podman("image", "exists", _TAG).returncode == 0:
        return _TAG
    path = f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin"
    if not shutil.which("mmdebstrap", path=path):
        pytest.skip("mmdebstrap is missing")
    done = subprocess.run(
        ["mmdebstrap", "--quiet", "--mode=root", "--variant=extract", f"--include={_PACKAGES}",
         "--dpkgopt=path-exclude=/usr/share/doc/*", "bookworm", folder / "base.tar",
         f"deb [signed-by={_KEYRING}] {_MIRROR} bookworm main"],
        env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    (folder / "Containerfile").write_text("FROM scratch\nADD base.tar /\n")
    return must("build", "--quiet", "--tag", _TAG, str(folder)) and _TAG
