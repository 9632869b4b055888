"""Tells whether a process lives by the age of its heartbeat: ``hub/alive.py FILE SECONDS``.

A probe asks every few seconds in every container, so this imports nothing of the hub and little of
Python (run it with -I -S): it takes some 15 ms, a command of manage.py half a second.
"""

import os
import sys
import time


def main(file: str, seconds: str) -> None:
    """End with 0 where the file was touched at most so many seconds ago, otherwise with why."""
    try:
        age = time.time() - os.stat(file).st_mtime
    except OSError:
        sys.exit(f"{file}: not there")
    if age > float(seconds):
        sys.exit(f"{file}: touched {age:.0f} s ago, expected at most {seconds}")


if __name__ == "__main__":
    main(*sys.argv[1:])
