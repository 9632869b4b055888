"""How instances become part of their study: rows and aggregates, or set aside and reported.

What is out of the ordinary is taken in before it is answered. The rest is answered once it has a
row in the inbox, and taken in from there a quarter of a second later, many at a time. Where nobody
waits for rows (HUB_SYNC off) all is taken in so, without the inbox.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set
from datetime import timedelta

import structlog
from django.db import OperationalError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.phrases import Phrase, phrase
from hub.turns import turn_to_write
from routing import inbox
from routing.arrivals import Arrival, add, study_of
from routing.belonging import divert, keep_one, refusal
from routing.models import Arrived, Study

log = structlog.get_logger(__name__)

# Taken in at once: on SQLite nobody else writes meanwhile.
_MOST_AT_ONCE = 200
# What waits longer was left by a listener that died.
_LEFT_SECONDS = 2.0


def take(study: Study, arrivals: list[Arrival], *, is_new: bool = False) -> list[bool]:
    """Make instances part of their study, which is locked; for each whether it is part of it now.

    What may not become part of it is set aside and reported; a study that was made for nothing
    else (``is_new``) goes again.
    """
    uids = [arrival.header.instance.sop_instance_uid for arrival in arrivals]
    known = inbox.known(study.site_id, uids)
    fresh: list[Arrival] = []
    refused: list[tuple[Arrival, str, Phrase]] = []
    belongs = []
    for uid, arrival in zip(uids, arrivals, strict=True):
        reason = refusal(study, arrival, known.get(uid))
        belongs.append(reason is None)
        if reason is not None:
            refused.append((arrival, *reason))
        elif uid not in known:
            known[uid] = arrival.stored.digest
            study.issuer_of_patient_id = study.issuer_of_patient_id or arrival.issuer
            fresh.append(arrival)
        elif known[uid] != arrival.stored.digest:
            keep_one(study, arrival, known[uid])
    if fresh:
        add(study, fresh, is_new=is_new)
    is_empty = is_new and not fresh
    if is_empty:
        study.delete()
    for arrival, field, why in refused:
        divert(None if is_empty else study, arrival, field, why)
    return belongs


@transaction.atomic
def take_each(batch: Sequence[Arrival], *, but: Set[int] = frozenset()) -> set[int]:
    """Make arrivals part of their studies now, without those in the places of ``but``.

    The places of those that are not part of one: they are set aside and reported.
    """
    by_study: dict[tuple[int, str], list[int]] = defaultdict(list)
    for place, arrival in enumerate(batch):
        if place not in but:
            uid = arrival.header.study.study_instance_uid
            by_study[arrival.node.site_id, uid].append(place)
    apart: set[int] = set()
    # A fixed order, so that two listeners never wait for each other's locks.
    for _key, places in sorted(by_study.items()):
        belongs = _take_of_one_study([batch[place] for place in places])
        apart |= {place for place, is_part in zip(places, belongs, strict=True) if not is_part}
    return apart


def _take_of_one_study(arrivals: list[Arrival]) -> list[bool]:
    study, is_new = study_of(arrivals[0])
    if not is_new:
        # What came before these goes before them.
        take_waiting(study)
    return take(study, arrivals, is_new=is_new)


def take_waiting(study: Study) -> int:
    """Take in all that waits for a study, which is locked; how many instances."""
    return _take_rows(study, inbox.waiting(study.pk))


def take_in(study_id: int) -> int:
    """Take in all that waits for a study, in transactions of a size; how many instances."""
    count = 0
    while rows := inbox.waiting(study_id, most=_MOST_AT_ONCE):
        try:
            taken = _take_in(study_id, rows)
        except OperationalError:
            raise
        except Exception:
            log.error("inbox.not_taken_in", study=study_id, rows=len(rows), exc_info=True)
            taken = sum(_take_in_alone(study_id, row) for row in rows)
        count += taken
        # Fewer may have been read because another took some: that more wait is asked again.
        if not taken:
            break
    return count


def take_in_all() -> int:
    """Take in what waits, study after study; how many instances."""
    return _take_in_of(Arrived.objects.all())


def take_in_left() -> int:
    """Take in what a listener left that died before it had taken it in; how many instances."""
    now, patience = timezone.now(), timedelta(seconds=_LEFT_SECONDS)
    # Also what is to come in the future: it came before a clock was put back.
    is_just_here = Q(received_at__range=(now - patience, now + patience))
    return _take_in_of(Arrived.objects.exclude(is_just_here))


def _take_in_of(rows: QuerySet[Arrived]) -> int:
    return sum(take_in(pk) for pk in sorted(set(rows.values_list("study_id", flat=True))))


def _take_rows(study: Study, rows: list[inbox.Waiting]) -> int:
    arrivals = inbox.claim(rows)
    if arrivals:
        take(study, arrivals)
    return len(arrivals)


def _take_in(study_id: int, rows: list[inbox.Waiting]) -> int:
    with turn_to_write(), transaction.atomic():
        return _take_rows(Study.objects.lock(study_id), rows)


def _take_in_alone(study_id: int, row: inbox.Waiting) -> int:
    """Take in one of several that could not be taken in together; reported if it is this one."""
    try:
        return _take_in(study_id, [row])
    except OperationalError:
        raise
    except Exception as fault:
        # Its sender was told Success: it must be found where people look, and hold up no other.
        with transaction.atomic():
            study = Study.objects.lock(study_id)
            for arrival in inbox.claim([row]):
                words = _("It could not be made part of the study: %(fault)s")
                divert(study, arrival, "", phrase(words, fault=type(fault).__name__))
        return 0


def take_in_what_came() -> None:
    """Take in all that waits, or leave it to the next round and to the sweep; raises nothing."""
    try:
        take_in_all()
    except Exception:
        log.warning("inbox.not_taken_in", exc_info=True)
        connection.close()
