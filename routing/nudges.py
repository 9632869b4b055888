"""How a row's next step is woken: a Celery message sent once the transaction has committed.

A nudge says only which row to look at. One that is lost is made good by the sweep, one that comes
twice does nothing the second time.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import structlog
from django.db import transaction

from hub.queues import RECEIVE, ROUTE, RUN, WRITE_BACK

log = structlog.get_logger(__name__)

# A broker that did not take one nudge is given none for so long: whoever commits must not wait for
# it again and again, and the sweep makes all of them good at once. One that let the sender wait
# rests for many times as long as it did.
_REST_SECONDS = 2.0
_REST_FACTOR = 10.0


class _Broker:
    """Until when (monotonic seconds) the broker is left in peace."""

    rests_until = 0.0


def complete(study_id: int, *, seconds: float = 0) -> None:
    """Look whether all of a study has come."""
    _send("complete", study_id, seconds=seconds, queue=RECEIVE)


def match(study_id: int) -> None:
    """Give every algorithm its verdict on a complete study."""
    _send("match", study_id, queue=ROUTE)


def prepare(study_id: int, *, seconds: float = 0) -> None:
    """Copy ahead what has come of a study."""
    _send("prepare", study_id, seconds=seconds, queue=RUN)


def entitle(workitem_id: int) -> None:
    """Ask the contracts about a Workitem."""
    _send("entitle", workitem_id, queue=ROUTE)


def dispatch(version_id: int, *, seconds: float = 0) -> None:
    """Start the next Workitems of an algorithm version, as many as may run at once."""
    _send("dispatch", version_id, seconds=seconds, queue=RUN)


def abandon(workitem_id: int) -> None:
    """Stop the run of a Workitem that nobody waits for any more."""
    _send("abandon", workitem_id, queue=RUN)


def collect(workitem_id: int, *, seconds: float = 0) -> None:
    """Look how far a running Workitem is."""
    _send("collect", workitem_id, seconds=seconds, queue=RUN)


def write_back(workitem_id: int) -> None:
    """Tell the world what a collected Workitem found."""
    _send("write_back", workitem_id, queue=WRITE_BACK)


def deliver(node_id: int, *, seconds: float = 0) -> None:
    """Empty the queue of one destination."""
    _send("deliver", node_id, seconds=seconds, queue=WRITE_BACK)


def _send(task: str, row_id: int, *, queue: str, seconds: float = 0) -> None:
    transaction.on_commit(partial(_publish, task, row_id, queue=queue, seconds=seconds))


def _publish(task: str, row_id: int, *, queue: str, seconds: float) -> None:
    from hub.celery import app

    started = time.monotonic()
    if started < _Broker.rests_until:
        return
    options: dict[str, Any] = {"countdown": seconds} if seconds else {}
    try:
        app.send_task(f"routing.tasks.{task}", args=[row_id], queue=queue, **options)
    except Exception:
        # The row is committed and says what is to be done: the sweep will nudge again.
        now = time.monotonic()
        _Broker.rests_until = now + max(_REST_SECONDS, _REST_FACTOR * (now - started))
        log.warning("nudge.not_sent", task=task, row=row_id, exc_info=True)
