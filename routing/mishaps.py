"""What happens when a step itself breaks: the row says so, it is tried again, and given up in time.

Without this a row that breaks its step would be nudged for ever and never say why it stands still.
"""

from __future__ import annotations

from datetime import timedelta

import structlog
from celery.utils.time import get_exponential_backoff_interval
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.phrases import Phrase, phrase
from routing import pathway, waiting, worklist
from routing.models import Study, Workitem

log = structlog.get_logger(__name__)

MOST_TRIES = 5


def of_study(study_id: int, *, step: str, fault: Exception) -> None:
    """Note on a study that its step broke, and look again later; it stays readable meanwhile."""
    why = _words(step, fault)
    with transaction.atomic():
        study = Study.objects.lock(study_id)
        earlier = study.transitions.filter(why=why.stored(), revision=study.revision)
        study.due_at = timezone.now() + _wait(earlier.count() + 1)
        study.save(update_fields=["due_at", "changed_at"])
        if earlier.count() < MOST_TRIES:
            pathway.note(study, from_state=study.state, to_state=study.state, why=why)


def of_workitem(workitem_id: int, *, step: str, fault: Exception) -> None:
    """Try the step of a Workitem again later; after some tries the Workitem has failed.

    A full disk is no try: it may be full for a night, and nothing has failed by that. Nor is it one
    where the system had no more files or memory.
    """
    why = _words(step, fault)
    with transaction.atomic():
        Study.objects.lock(Workitem.objects.values_list("study_id", flat=True).get(pk=workitem_id))
        workitem = Workitem.objects.select_for_update(no_key=True).get(pk=workitem_id)
        tries = workitem.attempts + 1
        if workitem.state not in pathway.ACTIVE:
            return
        if waiting.for_what_is_lacking(workitem, fault):
            return
        may_fail = Workitem.State.FAILED in pathway.WORKITEM_MOVES[workitem.state]
        if tries >= MOST_TRIES and may_fail:
            pathway.advance(
                workitem, Workitem.State.FAILED, why=why, attempts=tries, due_at=None,
                finished_at=timezone.now(),
            )  # fmt: skip
            worklist.place(workitem.study)
            return
        Workitem.objects.filter(pk=workitem.pk).update(
            attempts=tries, why=why.stored(), due_at=timezone.now() + _wait(tries), waits_for=""
        )


def _words(step: str, fault: Exception) -> Phrase:
    """The kind of fault alone: its text may hold what a patient's header said."""
    return phrase(
        _("the hub could not %(step)s it (%(fault)s); the log says more"),
        step=step,
        fault=type(fault).__name__,
    )


def _wait(tries: int) -> timedelta:
    seconds = get_exponential_backoff_interval(
        factor=1, retries=tries, maximum=300, full_jitter=False
    )
    return timedelta(seconds=seconds)
