"""A bell wakes who waits, is not missed by who comes a little later, and is no error for nobody."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

from hub.bell import Bell

_LONG = 20.0


def test_whoever_waits_hears_it_from_another_process(tmp_path: Path) -> None:
    heard = Bell(tmp_path)
    heard.wait(0)
    ringer = f"import pathlib, hub.bell; hub.bell.Bell(pathlib.Path({str(tmp_path)!r})).ring()"
    took: list[float] = []

    def wait() -> None:
        began = time.monotonic()
        heard.wait(_LONG)
        took.append(time.monotonic() - began)

    waiting = threading.Thread(target=wait)
    waiting.start()
    subprocess.run([sys.executable, "-c", ringer], check=True)
    waiting.join(_LONG)
    assert took
    assert took[0] < _LONG
    heard.close()


def test_what_rang_before_is_heard_once_and_then_it_is_quiet(tmp_path: Path) -> None:
    heard = Bell(tmp_path)
    heard.wait(0)
    for _ in range(70_000):  # more than a FIFO holds
        Bell(tmp_path).ring()
    began = time.monotonic()
    heard.wait(_LONG)
    assert time.monotonic() - began < _LONG
    began = time.monotonic()
    heard.wait(0.05)
    assert time.monotonic() - began >= 0.05
    heard.close()


def test_without_listeners_or_a_folder_nothing_fails(tmp_path: Path) -> None:
    Bell(tmp_path).ring()
    nowhere = Bell(tmp_path / "missing")
    nowhere.ring()
    began = time.monotonic()
    nowhere.wait(0.05)
    assert time.monotonic() - began >= 0.05
