"""Tell destinations what is to be told: one queue and one circuit breaker for each of them.

1. Take the first deliveries of the node that are due, unless another worker is sending to it.
2. Send one after the other, outside any transaction.
3. Settle them: delivered, to be tried again later, or a dead letter.

A destination that does not answer costs its own queue one time-out, then the breaker opens and
nothing is tried until it is time to probe; every other destination goes on.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from celery.utils.time import get_exponential_backoff_interval
from django.conf import settings
from django.db import OperationalError
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.models import Node
from hub.passing import is_scarcity
from hub.phrases import Phrase, phrase
from routing import nudges, rounds, settling, shares
from routing.lanes import Lanes
from routing.models import Breaker, Delivery
from routing.pathway import Overtaken
from routing.senders import Refused, Sender, Undelivered, sender_for
from routing.single_flight import SingleFlight

log = structlog.get_logger(__name__)

FAILURES_TO_OPEN = 3
LONGEST_WAIT_SECONDS = 600
# A destination that refuses an object may be short of space for a while; one that cannot be
# reached at all over a long weekend must find its results waiting on Monday.
MOST_REFUSALS = 8
LONGEST_SILENCE = timedelta(days=7)

# The other threads are for what answers promptly, and for everything but telling.
_LANES = Lanes(most_slow=shares.of_slow_destinations)
_ASK_AGAIN_SECONDS = 1.0
_AT_WORK = SingleFlight()


def deliver(node: Node) -> None:
    """Empty the queue of one destination, as far as it is due and the destination answers.

    Only for a turn: one that is slow gives its thread back to what waits behind it. Each result
    brings a nudge: those that come while this process is at it cost the database nothing.
    """
    _AT_WORK.run(
        node.pk, partial(_take_turn, node), again=partial(nudges.deliver, node.pk)
    )


def _take_turn(node: Node) -> None:
    with _LANES.turn(node.pk) as may_begin:
        if may_begin:
            _deliver(node)
        else:
            nudges.deliver(node.pk, seconds=_ASK_AGAIN_SECONDS)


def _deliver(node: Node) -> None:
    breaker, _is_new = Breaker.objects.get_or_create(node=node)
    ends_at = time.monotonic() + settings.HUB_TURN_SECONDS
    pace = rounds.Pace()
    with sender_for(node) as sender:
        while True:
            if _is_open(breaker):
                if rounds.due(node).exists():
                    _wait(node, breaker)
                return
            with rounds.taken(node, most=pace.most) as held:
                if not held:
                    return
                is_reachable = _send_in_turn(held, sender, pace)
            _LANES.note(node.pk, is_reachable=is_reachable)
            _count(breaker, is_reachable)
            if time.monotonic() > ends_at:
                nudges.deliver(node.pk)
                return


def _send_in_turn(held: Sequence[Delivery], sender: Sender, pace: rounds.Pace) -> bool:
    """Send these one after the other, and note together what arrived; whether all went through.

    After one that was not answered, or when the round has taken long, the rest is given back.
    """
    told: list[tuple[Delivery, str]] = []
    is_reachable, count = True, 0
    pace.begin()
    try:
        sender.prepare(held)
        for delivery in held:
            if not is_reachable or pace.is_over:
                break
            count += 1
            answer, is_reachable = _send(delivery, sender)
            if answer is not None:
                told.append((delivery, answer))
        pace.end(count)
    finally:
        rounds.give_back(held[count:])
        _note_delivered(told)
    return is_reachable


def _send(delivery: Delivery, sender: Sender) -> tuple[str | None, bool]:
    """Send one; the answer of the destination that has it, and whether it could be reached.

    One that it has not is settled at once. ``delivery.may_have_arrived``: in an earlier try.
    """
    came_before = delivery.may_have_arrived
    try:
        return sender.send(delivery), True
    except OperationalError:
        raise  # the database's fault, not the destination's
    except Undelivered as fault:
        came = came_before or fault.may_have_arrived
        _try_again(delivery, fault.why, limit=None, may_have_arrived=came)
        return None, False
    except Refused as fault:
        if fault.is_final:
            _bury(delivery, fault.why, answer=fault.answer, may_have_arrived=came_before)
        else:
            _try_again(delivery, fault.why, limit=MOST_REFUSALS, may_have_arrived=came_before)
    except Exception as fault:
        # What breaks here would break for ever, and everything behind it would wait.
        log.error("outbox.failed", delivery=delivery.pk, exc_info=True)
        why = phrase(_("the hub could not send it (%(fault)s)"), fault=type(fault).__name__)
        # But for what the system has no more of at the moment.
        limit = None if is_scarcity(fault) else MOST_REFUSALS
        _try_again(delivery, why, limit=limit, may_have_arrived=came_before)
    return None, True


def _note_delivered(told: Sequence[tuple[Delivery, str]]) -> None:
    """Note what arrived: all at once, or each for itself where that cannot be."""
    if not told:
        return
    why = phrase(_("%(node)s has it"), node=told[0][0].node.code)
    try:
        # Copies, for what a transaction that came to nothing has changed in them.
        settling.delivered([(copy.copy(one), answer) for one, answer in told], why=why)
    except Exception as fault:
        if len(told) > 1:
            for one in told:
                _note_delivered([one])
            return
        ((delivery, _answer),) = told
        if isinstance(fault, OperationalError):
            raise
        # Cancelled while it was sent; what stands behind it goes on.
        if isinstance(fault, Overtaken):
            log.info("outbox.overtaken", delivery=delivery.pk, why=str(fault))
            return
        # Not to be told again with every sweep, for ever, before all that stands behind it.
        log.error("outbox.not_noted", delivery=delivery.pk, exc_info=True)
        words = _("delivered, but the hub could not note it (%(fault)s)")
        why = phrase(words, fault=type(fault).__name__)
        _try_again(delivery, why, limit=MOST_REFUSALS, may_have_arrived=True)


def _bury(delivery: Delivery, why: Phrase, **fields: Any) -> None:
    try:
        settling.dead(delivery, why=why, **fields)
    except Overtaken as fault:
        log.info("outbox.overtaken", delivery=delivery.pk, why=str(fault))


def _try_again(
    delivery: Delivery, why: Phrase, *, limit: int | None, may_have_arrived: bool
) -> None:
    attempts = delivery.attempts + 1
    now = timezone.now()
    is_too_old = now - delivery.created_at > LONGEST_SILENCE
    if is_too_old or (limit is not None and attempts >= limit):
        _bury(delivery, why, attempts=attempts, may_have_arrived=may_have_arrived)
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
