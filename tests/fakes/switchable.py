"""An algorithm that does what a file says at that moment, so that a test can change its mind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.fakes import algorithm

GARBAGE = b'{"schema": "hub.findings/1", "outcome": "complete", "findings": [\xff'


def main(file: str) -> int:
    """Read ``file``: a behaviour of tests.fakes.algorithm with its arguments, or ``garbage``."""
    behaviour, *arguments = Path(file).read_text().split()
    if behaviour == "garbage":
        (Path(os.environ["HUB_OUTPUT_DIR"]) / "findings.json").write_bytes(GARBAGE)
        return 0
    sys.argv[1:] = [behaviour, *arguments]
    return algorithm.main(behaviour)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
