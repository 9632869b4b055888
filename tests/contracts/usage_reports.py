"""Reports of usage as a sender would write them, for the tests of what becomes of them."""

from __future__ import annotations

import hashlib
from typing import Any

SOURCE = "urn:example:gateway:1"


def completed(number: int | str = 1, **change: Any) -> dict[str, Any]:
    """A clinical result on 2026-07-01; ``change`` overrides context attributes, or else data."""
    digest = hashlib.sha256(f"study {number}".encode()).hexdigest()
    event: dict[str, Any] = {
        "specversion": "1.0",
        "type": "hub.inference.completed.v1",
        "source": SOURCE,
        "id": f"event-{number}",
        "time": "2026-07-01T08:03:11.120Z",
        "subject": "call_off:CO-0001",
    }
    data: dict[str, Any] = {
        "algorithm": "ich-triage",
        "version": "1.0.0",
        "site": "drammen",
        "study_ref": f"hmac-sha256:{digest}",
        "purpose": "clinical",
        "modality": "CT",
        "latency_s": 74.2,
    }
    for name, value in change.items():
        (event if name in event else data)[name] = value
    return event | {"data": data}


def adjusted(number: int | str, *, of: int | str, units: int, **change: Any) -> dict[str, Any]:
    """A correction of the event of number ``of``."""
    event = completed(number)
    event |= {"type": "hub.usage.adjusted.v1", "id": f"adjustment-{number}"}
    data = {"ref_id": f"event-{of}", "delta_units": units, "reason": "counted in error"}
    return event | {"data": data | change}
