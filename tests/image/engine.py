"""podman, as far as this host can run containers, and a base image made of Debian's packages."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.running_hub import ROOT

# What a host without cgroups of version 2 and with low limits needs.
NARROW = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000")
# As much as python:3.11-slim has of what the hub uses.
PACKAGES = (
    "base-files", "coreutils", "dash", "findutils", "libc-bin", "libstdc++6", "python3",
    "python3-venv", "python-is-python3",
)  # fmt: skip
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def unfit(reason: str) -> None:
    if os.environ.get("HUB_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def podman(*words: str, seconds: int = 600) -> subprocess.CompletedProcess[str]:
    command = ["podman", "--runtime", "runc", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)


def must(*words: str, seconds: int = 600) -> str:
    done = podman(*words, seconds=seconds)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout.strip()


def _tag(name: str, *ingredients: str) -> str:
    """A name that is another as soon as what it is made of is."""
    return f"localhost/{name}:{hashlib.sha256(chr(0).join(ingredients).encode()).hexdigest()[:16]}"


def _mirror() -> str:
    """Where this host has its own packages from."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)",
             "Created-By: Packages", "Codename: bookworm"]  # fmt: skip
    said = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout
    mirrors = [line.split()[0] for line in said.splitlines()]
    if not mirrors:
        unfit("this host has no packages of Debian 12")
    return mirrors[0]


def base_image(folder: Path) -> str:
    """Debian's Python and little else, unpacked; made once on each host."""
    tag = _tag("avrop-test-base", *PACKAGES)
    if podman("image", "exists", tag).returncode == 0:
        return tag
    if not shutil.which("mmdebstrap"):
        unfit("mmdebstrap is missing")
    kept_out = [f"--dpkgopt=path-exclude=/usr/share/{one}/*" for one in ("doc", "locale", "man")]
    done = subprocess.run(
        ["mmdebstrap", "--quiet", "--mode=root", "--variant=extract",
         f"--include={','.join(PACKAGES)}", *kept_out, "bookworm", folder / "base.tar",
         f"deb [signed-by={KEYRING}] {_mirror()} bookworm main"],
        env=os.environ | {"PATH": os.environ["PATH"] + ":/usr/local/sbin:/usr/sbin:/sbin"},
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    (folder / "Containerfile").write_text("FROM scratch\nADD base.tar /\n")
    must("build", "--quiet", "--tag", tag, str(folder))
    return tag


def wheels(folder: Path) -> Path:
    """All that requirements.txt may ask for, whatever its Python: the build has no network."""
    plain = re.sub(r" ;.*", "", (ROOT / "requirements.txt").read_text())
    (folder / "requirements.txt").write_text(plain)
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
         "--python-version", "3.11", "--requirement", folder / "requirements.txt",
         "--dest", folder / "wheels"],
        check=True, timeout=900, capture_output=True,
    )  # fmt: skip
    return folder / "wheels"


def hub_image(folder: Path) -> str:
    """The image of the hub, by its Dockerfile; packages are built anew only if pins change."""
    if not shutil.which("podman"):
        unfit("podman is missing")
    base = base_image(folder)
    built = [(ROOT / name).read_text() for name in ("requirements.txt", "Dockerfile")]
    packages = _tag("avrop-test-packages", base, *built)
    common = ("build", *NARROW, "--network", "none", "--build-arg", f"BASE={base}",
              "--build-arg", "PIP_NO_INDEX=1", "--build-arg", "PIP_FIND_LINKS=/wheels")  # fmt: skip
    if podman("image", "exists", packages).returncode != 0:
        mount = f"{wheels(folder)}:/wheels:ro"
        must(*common, "--volume", mount, "--target", "packages", "--tag", packages, str(ROOT),
             seconds=1200)  # fmt: skip
    # the folder of wheels is part of what a layer is known by
    (folder / "wheels").mkdir(exist_ok=True)
    return must(*common, "--quiet", "--build-arg", "REVISION=0123abc", str(ROOT), seconds=1200)
