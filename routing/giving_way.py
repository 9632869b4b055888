"""A background run that gives way to a STAT: it is told, stopped, and waits to be run again.

It is told by a mark on its row, in the transaction that found no GPU free; whoever holds its lease
next stops it. A worker that dies between the two leaves the mark, and the sweep comes again.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.phrases import phrase
from routing import nudges, pathway, pools, staging
from routing.models import GpuPool, Study, Workitem
from vendors.performers.base import Performer, SubmitFailed

log = structlog.get_logger(__name__)


def ask(keys: Sequence[int]) -> None:
    """Tell running Workitems to give way; one that has just ended is let be."""
    now = timezone.now()
    for key in sorted(keys):
        running = Workitem.objects.filter(pk=key, state="dispatched", preempt_at=None)
        if running.update(preempt_at=now, due_at=now):
            nudges.collect(key)


def gives_way(workitem: Workitem, performer: Performer) -> bool:
    """Stop a run that was told to give way, and let it wait again; False where it goes on.

    Its number goes up, so that the next run has a name of its own; its attempts do not, and what
    is billed is what was written back, once.
    """
    if workitem.preempt_at is None:
        return False
    try:
        performer.cancel(staging.run_of(workitem, workitem.version.declared))
    except SubmitFailed as fault:
        log.warning("giving_way.not_stopped", workitem=str(workitem.uid), why=fault.reason)
        return False
    staging.discard(workitem)
    pool = pools.scope_of(workitem.version_id).pool
    with transaction.atomic():
        if pool is not None:  # before the study, as in slots.py
            GpuPool.objects.filter(pk=pool.pk).update(preemptions=F("preemptions") + 1)
        Study.objects.lock(workitem.study_id)
        pathway.advance(
            workitem, Workitem.State.ENTITLED,
            why=phrase(_("gave its GPU to a STAT study; it runs again when one is free")),
            runs=workitem.runs + 1, preemptions=workitem.preemptions + 1, preempt_at=None,
            due_at=timezone.now(),
        )  # fmt: skip
        nudges.dispatch(workitem.version_id)
    log.info("giving_way.stopped", workitem=str(workitem.uid), times=workitem.preemptions)
    return True
