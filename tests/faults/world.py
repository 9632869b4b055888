"""Another time of day, and a disk on which some writes find no room, for the hub's processes."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_NUMBERS = "lll"
_SOURCE = Path(__file__).with_suffix(".c")


@dataclass
class World:
    """What the hub's processes are told; changes hold at once, in all of them."""

    library: Path
    shared: mmap.mmap
    file: Path
    folder: Path

    def jump(self, seconds: int) -> None:
        """From now on the wall clock is so far from the true time."""
        self.shared[:8] = struct.pack("l", seconds)

    def fail_one_in(self, number: int) -> None:
        """Let one in n writes and syncs below the folder find no room; 0: none."""
        self.shared[8:16] = struct.pack("l", number)

    @property
    def writes(self) -> int:
        """How many writes there were while some failed."""
        return int(struct.unpack(_NUMBERS, self.shared[:24])[2])

    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(self.library),
            "WORLD_FILE": str(self.file),
            "WORLD_FOLDER": str(self.folder),
        }


def make_world(folder: Path, *, full: Path) -> World:
    """Compile it; ``full`` is the folder below which writes may fail."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    library, file = folder / "world.so", folder / "world"
    words = [compiler, "-shared", "-fPIC", "-O1", "-o", library, _SOURCE, "-ldl"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    file.write_bytes(bytes(struct.calcsize(_NUMBERS)))
    with file.open("r+b") as opened:
        shared = mmap.mmap(opened.fileno(), 0)
    return World(library, shared, file, full)
