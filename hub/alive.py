"""Tells whether a process lives by the age of its heartbeat: ``hub/alive.py FILE SECONDS``.

A probe asks every few seconds in every container, so this imports nothing of the hub and little of
Python (run it with -I -S): it takes some 15 ms, a command of manage.py half a second.
"""

import os
import sys
import time


def main(file: str, seconds: str) -> int:
    """Exit code 0 where the file was touched at most so many seconds ago, otherwise 1 and why."""
    try:
        age = time.time() - os.stat(file).st_mtime
    except OSError:
        print(f"{file}: not there")  # noqa: T201
        return 1
    if age > float(seconds):
        print(f"{file}: touched {age:.0f} s ago, expected at most {seconds}")  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
