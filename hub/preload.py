"""Imports what the processes of the hub have in common, and keeps it from being looked through."""

from __future__ import annotations

import gc
import importlib
import os

# Not here: highdicom, which the worker alone needs, and jsonschema, which is slow to import where
# the packages of developers are installed.
_MODULES = (
    "uvicorn",
    "hub.asgi",
    "hub.urls",
    "hub.dicom.scp",
    "hub.hl7.mllp",
    "routing.steps.receive",
    "routing.intake",
    "routing.tasks",
    "celery.apps.worker",
    "celery.concurrency.thread",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.strategy",
    "celery.beat",
)
# OpenBLAS, which comes with numpy, starts threads as it is loaded, and a process with threads must
# not be forked. The hub itself does no linear algebra.
_NO_THREADS = "OPENBLAS_NUM_THREADS"


def preload() -> None:
    """Import them all; no thread is started, and no connection opened."""
    given = os.environ.get(_NO_THREADS)
    os.environ[_NO_THREADS] = "1"
    # Nothing that is imported is garbage; to look whether it is takes a seventh of the time.
    gc.disable()
    try:
        for name in _MODULES:
            importlib.import_module(name)
    finally:
        gc.enable()
        # Algorithms that are started as processes do with theirs as they like.
        if given is None:
            del os.environ[_NO_THREADS]
        else:
            os.environ[_NO_THREADS] = given


def settle() -> None:
    """Call it once a process stands and before it serves: what is there is never collected.

    A full collection looks at some two hundred thousand objects of modules, and stops the process
    for a tenth of a second in the middle of an answer; in one that was forked it also copies each
    page that it writes into.
    """
    gc.collect()
    gc.freeze()
