""".env.example tells of every setting there is, and of no other."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_setting_stands_in_the_example_as_a_comment() -> None:
    read = ("settings.py", "cluster_environment.py")
    settings = "".join((ROOT / "hub" / name).read_text() for name in read)
    example = (ROOT / ".env.example").read_text()
    known = set(re.findall(r"\b[a-z_]+\(\s*\"(HUB_\w+)\"\s*[,)]", settings))
    assert len(known) > 20
    assert set(re.findall(r"^#(HUB_\w+)=", example, re.MULTILINE)) == known
    assert not [line for line in example.splitlines() if line and not line.startswith("#")]
