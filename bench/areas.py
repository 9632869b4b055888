"""The areas that are measured, each in a process of its own: one that breaks takes none along."""

from __future__ import annotations

import importlib
import multiprocessing
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from bench.measurement import Measurement
from bench.places import NotMeasured

AREAS = (
    "receive", "large", "headers", "rules", "orders", "way", "writing_back", "worklist", "growth",
    "resources", "billing",
)  # fmt: skip
_SECONDS, _QUICK_SECONDS = 1800.0, 240.0


def areas() -> list[str]:
    """Those of AREAS that there are, in their order."""
    here = Path(__file__).parent
    return [area for area in AREAS if (here / f"{area}.py").exists()]


def measured(area: str, *, is_quick: bool) -> tuple[list[Measurement], str]:
    """What an area found, in a process of its own, and why not all of it."""
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(area, is_quick, sending))
    process.start()
    sending.close()
    seconds = _QUICK_SECONDS if is_quick else _SECONDS
    try:
        if not receiving.poll(seconds):
            return [], f"not within {seconds:g} s"
        found, why = receiving.recv()
    except EOFError:
        return [], "its process died"
    finally:
        process.join(10)
        if process.is_alive():
            process.terminate()
            process.join(60)
    return found, why


def _measure(area: str, is_quick: bool, sending: Connection) -> None:  # noqa: FBT001
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        rows = importlib.import_module(f"bench.{area}").measure(is_quick=is_quick)
        sending.send((rows, ""))
    except NotMeasured as fault:
        sending.send(([], str(fault)))
    except Exception as fault:
        traceback.print_exc()
        sending.send(([], f"{type(fault).__name__}: {fault}"[:500]))
