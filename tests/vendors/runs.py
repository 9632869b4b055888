"""Makes runs in folders of their own, and waits for them."""

import time

from vendors.manifest import PerformerSpec
from vendors.performers.base import Run


def make_run(folder, name, command, **spec):
    """A run of ``command`` with empty folders; ``limits`` and all else of the manifest's spec."""
    for one in ("input", "output", "work"):
        (folder / one).mkdir(parents=True, exist_ok=True)
    limits = {"limits": spec.pop("limits")} if "limits" in spec else {}
    whole = PerformerSpec(**{"kind": "process", "command": tuple(command)} | spec)
    return Run(name, whole, folder / "input", folder / "output", folder / "work", **limits)


def wait_for(performer, run, *, seconds=20.0):
    """The progress of the run once it is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        progress = performer.poll(run)
        if progress.is_over:
            return progress
        time.sleep(0.01)
    raise AssertionError(f"the run is not over: {progress}")


def wait_until(condition, *, seconds=10.0):
    """Return once ``condition()`` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
