"""Tell destinations what is to be told: one queue and one circuit breaker for each of them.

1. Take the first delivery of the node that is due, unless another worker is sending to it.
2. Send it, outside any transaction.
3. Settle it: delivered, to be tried again later, or a dead letter.

A destination that does not answer costs its own queue one time-out, then the breaker opens and
nothing is tried until it is time to probe; every other destination goes on.
"""

from __future__ import annotations

import time
from datetime import timedelta

import structlog
from celery.utils.time import get_exponential_backoff_interval
from django.conf import settings
from django.db import OperationalError
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.models import Node
from hub.phrases import Phrase, phrase
from routing import lease, nudges, settling
from routing.models import Breaker, Delivery
from routing.pathway import Overtaken
from routing.senders import Refused, Sender, Undelivered, sender_for

log = structlog.get_logger(__name__)

FAILURES_TO_OPEN = 3
LONGEST_WAIT_SECONDS = 600
# A destination that refuses an object may be short of space for a while; one that cannot be
# reached at all over a long weekend must find its results waiting on Monday.
MOST_REFUSALS = 8
LONGEST_SILENCE = timedelta(days=7)


def deliver(node: Node) -> None:
    """Empty the queue of one destination, as far as it is due and the destination answers.

    Only for a turn: one that is slow gives its thread back to what waits behind it.
    """
    breaker, _is_new = Breaker.objects.get_or_create(node=node)
    ends_at = time.monotonic() + settings.HUB_TURN_SECONDS
    with sender_for(node) as sender:
        while (delivery := _first_due(node)) is not None:
            if _is_open(breaker):
                _wait(node, breaker)
                return
            # Noted before it leaves: a worker that dies while it sends cannot say so any more.
            with lease.hold(delivery, states=("pending",), may_have_arrived=True) as held:
                if held is None:
                    return
                held.node = node
                try:
                    is_reachable = _send(held, sender, came_before=delivery.may_have_arrived)
                except Overtaken:
                    # Cancelled while it was sent; what stands behind it goes on.
                    is_reachable = True
            _count(breaker, is_reachable)
            if time.monotonic() > ends_at:
                nudges.deliver(node.pk)
                return


def _first_due(node: Node) -> Delivery | None:
    """The next to be sent, or None; while one is on its way, what takes it back must not pass it.

    Also one that was cancelled while it was sent: its sender goes on with what stands behind it.
    """
    now = timezone.now()
    queue = Delivery.objects.filter(node=node)
    if queue.filter(state__in=("pending", "cancelled"), lease_until__gte=now).exists():
        return None
    due = Q(due_at=None) | Q(due_at__lte=now)
    return queue.filter(due, state="pending").order_by("pk").first()


def _send(delivery: Delivery, sender: Sender, *, came_before: bool) -> bool:
    """Send one and settle it; whether the destination could be reached.

    ``came_before``: an earlier try of it may have arrived.
    """
    try:
        answer = sender.send(delivery)
    except OperationalError:
        raise  # the database's fault, not the destination's
    except Undelivered as fault:
        came = came_before or fault.may_have_arrived
        _try_again(delivery, fault.why, limit=None, may_have_arrived=came)
        return False
    except Refused as fault:
        if fault.is_final:
            settling.dead(
                delivery, why=fault.why, answer=fault.answer, may_have_arrived=came_before
            )
        else:
            _try_again(delivery, fault.why, limit=MOST_REFUSALS, may_have_arrived=came_before)
        return True
    except Exception as fault:
        # What breaks here would break for ever, and everything behind it would wait.
        log.error("outbox.failed", delivery=delivery.pk, exc_info=True)
        why = phrase(_("the hub could not send it (%(fault)s)"), fault=type(fault).__name__)
        _try_again(delivery, why, limit=MOST_REFUSALS, may_have_arrived=came_before)
        return True
    _note_delivered(delivery, answer)
    return True


def _note_delivered(delivery: Delivery, answer: str) -> None:
    why = phrase(_("%(node)s has it"), node=delivery.node.code)
    try:
        settling.delivered(delivery, why=why, answer=answer)
    except (Overtaken, OperationalError):
        raise
    except Exception as fault:
        # Not to be told again with every sweep, for ever, before all that stands behind it.
        log.error("outbox.not_noted", delivery=delivery.pk, exc_info=True)
        words = _("delivered, but the hub could not note it (%(fault)s)")
        why = phrase(words, fault=type(fault).__name__)
        _try_again(delivery, why, limit=MOST_REFUSALS, may_have_arrived=True)


def _try_again(
    delivery: Delivery, why: Phrase, *, limit: int | None, may_have_arrived: bool
) -> None:
    attempts = delivery.attempts + 1
    now = timezone.now()
    is_too_old = now - delivery.created_at > LONGEST_SILENCE
    if is_too_old or (limit is not None and attempts >= limit):
        settling.dead(delivery, why=why, attempts=attempts, may_have_arrived=may_have_arrived)
        return
    seconds = backoff(attempts)
    Delivery.objects.filter(pk=delivery.pk, fence=delivery.fence, state="pending").update(
        attempts=attempts,
        due_at=now + timedelta(seconds=seconds),
        last_error=why.stored(),
        may_have_arrived=may_have_arrived,
    )
    log.info("outbox.try_again", delivery=delivery.pk, node=delivery.node.code, attempts=attempts)
    nudges.deliver(delivery.node_id, seconds=seconds)


def backoff(attempts: int) -> float:
    """Seconds until the next try: doubling from two, with jitter, at most ten minutes."""
    doubled = get_exponential_backoff_interval(
        factor=2, retries=attempts - 1, maximum=LONGEST_WAIT_SECONDS, full_jitter=True
    )
    return max(float(doubled), float(settings.HUB_RETRY_SECONDS))


def _is_open(breaker: Breaker) -> bool:
    return breaker.open_until is not None and breaker.open_until > timezone.now()


def _count(breaker: Breaker, is_reachable: bool) -> None:
    if is_reachable:
        # As it stood at the beginning of the turn: only one sends to a destination at a time.
        if breaker.failures:
            Breaker.objects.filter(pk=breaker.pk).update(failures=0, open_until=None)
            breaker.failures, breaker.open_until = 0, None
        return
    breaker.refresh_from_db()
    breaker.failures += 1
    if breaker.failures >= FAILURES_TO_OPEN:
        seconds = backoff(breaker.failures - FAILURES_TO_OPEN + 2)
        breaker.open_until = timezone.now() + timedelta(seconds=seconds)
        log.warning("outbox.breaker_open", node=breaker.node.code, seconds=round(seconds))
    breaker.save(update_fields=["failures", "open_until"])


def _wait(node: Node, breaker: Breaker) -> None:
    """Let everything of this node wait until the breaker lets one through."""
    Delivery.objects.filter(node=node, state="pending").filter(
        Q(due_at=None) | Q(due_at__lt=breaker.open_until)
    ).update(due_at=breaker.open_until)
    assert breaker.open_until is not None
    nudges.deliver(node.pk, seconds=(breaker.open_until - timezone.now()).total_seconds())
