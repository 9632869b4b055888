"""As the first process of a container the hub frees whom a process of it left behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PROGRAM = """
import ctypes, os, sys, time
from pathlib import Path
from hub.supervisor import Child, Supervisor

ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: orphans come here, as to process 1
told, until = Path(sys.argv[1]), time.monotonic() + 30
supervisor = Supervisor([Child(["child"])], longest_wait=60, grace=5)

def look():
    is_freed = told.exists() and not Path("/proc", told.read_text()).exists()
    if is_freed or time.monotonic() > until:
        print("freed" if is_freed else "left")
        supervisor.stop()

if isinstance(supervisor.run(look=look), Child):
    if (orphan := os.fork()) == 0:
        time.sleep(0.2)
        os._exit(0)
    Path(f"{told}.part").write_text(str(orphan))
    os.rename(f"{told}.part", told)
    os._exit(1)
"""


def test_a_process_that_outlives_its_parent_leaves_no_zombie(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path / "orphan")],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.split()[-1:]) == (0, ["freed"]), done.stderr
