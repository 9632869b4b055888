"""How many messages wait in a queue of the broker, whichever broker it is."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from celery import Celery

log = structlog.get_logger(__name__)


def waiting(queues: Iterable[str], *, broker: Celery | None = None) -> dict[str, int]:
    """Messages that no worker has taken yet, by queue; none for what the broker does not tell.

    Asked by a passive declaration (AMQP 0-9-1, queue.declare), which Redis and the folder answer
    too. ``broker`` is whose, the hub's own where none is named. Never raises: whoever asks must get
    on without an answer.
    """
    from hub.celery import app

    found = dict.fromkeys(queues, 0)
    try:
        with (broker or app).connection_or_acquire() as connection:
            for queue in found:
                # Of its own: AMQP closes a channel that asks for a queue which is not there yet.
                with connection.channel() as channel:
                    found[queue] = _waiting(channel, queue, connection.channel_errors)
    except Exception:
        log.warning("backlog.not_told", exc_info=True)
    return found


def _waiting(channel: object, queue: str, not_there: tuple[type[Exception], ...]) -> int:
    try:
        told = channel.queue_declare(queue=queue, passive=True)  # type: ignore[attr-defined]
    except not_there:
        return 0
    return int(told.message_count)
