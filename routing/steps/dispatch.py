"""Step 5: stage the input of the Workitem whose turn it is, and hand it to its Performer."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.db import OperationalError, transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.dicom.deidentify import CopyNotWritten, DeidentificationFailed
from hub.phrases import Phrase, phrase
from routing import lease, mishaps, nudges, pathway, staging, still_granted, waiting, worklist
from routing.models import Study, Workitem
from routing.pathway import Overtaken
from routing.shares import ALGORITHMS, ASK_AGAIN_SECONDS
from routing.slots import next_up
from routing.still_granted import OutOfUse
from vendors.manifest import Manifest
from vendors.performers.base import PerformerRefused, SubmitFailed
from vendors.signatures import SignatureRefused

log = structlog.get_logger(__name__)

MOST_ATTEMPTS = 3
FIRST_LOOK = timedelta(milliseconds=100)
_BACK_OFF = timedelta(seconds=5)


def dispatch(version_id: int) -> None:
    """Start what waits in the queue of one algorithm version, until nothing of it can start."""
    with ALGORITHMS.turn(version_id) as may_begin:
        if may_begin:
            _start_all(version_id)
        else:
            nudges.dispatch(version_id, seconds=ASK_AGAIN_SECONDS)


def _start_all(version_id: int) -> None:
    while True:
        with next_up(version_id) as workitem:
            if workitem is None:
                return
            try:
                _start(workitem)
            except Overtaken:
                # Superseded, or taken over while it was staged or handed over.
                nudges.abandon(workitem.pk)
                staging.step_back(workitem)
            except OperationalError:
                raise  # the database is away or busy: no fault of this one
            except Exception as fault:
                # One that breaks must not keep the others from starting
                log.error("dispatch.failed", workitem=str(workitem.uid), exc_info=True)
                mishaps.of_workitem(workitem.pk, step="dispatch", fault=fault)


def _start(workitem: Workitem) -> None:
    manifest = workitem.version.declared
    try:
        still_granted.require_start(workitem)
        performer = staging.performer_of(manifest)
        # A worker that died after submitting left a run behind: it is taken over, not doubled.
        progress = performer.poll(staging.run_of(workitem, manifest))
        if progress.state == "silent":
            # Its input must not be laid out anew under a run that may be going on.
            raise SubmitFailed(progress.why, is_away=True)
        if progress.state == "unknown":
            staging.end_earlier(workitem, manifest, performer)
            staging.require_room()
            # Staging clears the folder, which may be another's by now: after a pause longer than
            # the lease a worker does not know that it was paused.
            lease.require(workitem)
            run = staging.stage(workitem, manifest)
            lease.require(workitem)
            performer.submit(run)
    except SubmitFailed as fault:
        _not_submitted(workitem, fault)
    except OutOfUse as fault:
        _not_started(workitem, phrase(_("not started: %(why)s"), why=fault.why), None)
    except (PerformerRefused, SignatureRefused) as fault:
        _not_started(workitem, phrase(_("not started: %(why)s"), why=str(fault)), None)
    except (OSError, DeidentificationFailed) as fault:
        _not_staged(workitem, fault)
    else:
        _started(workitem, manifest)


def _started(workitem: Workitem, manifest: Manifest) -> None:
    now = timezone.now()
    pathway.advance(
        workitem,
        Workitem.State.DISPATCHED,
        why=phrase(_("handed to the %(kind)s performer"), kind=manifest.performer.kind),
        dispatched_at=now,
        preempt_at=None,
        due_at=now + FIRST_LOOK,
    )
    nudges.collect(workitem.pk, seconds=FIRST_LOOK.total_seconds())


def _not_submitted(workitem: Workitem, fault: SubmitFailed) -> None:
    if waiting.for_what_is_lacking(workitem, fault):
        return
    if fault.is_away and waiting.for_engine(workitem, fault.reason):
        return
    is_final = fault.is_permanent or fault.is_away
    again_at = None if is_final else timezone.now() + _BACK_OFF
    _not_started(workitem, phrase(_("not started: %(why)s"), why=fault.reason), again_at)


def _not_staged(workitem: Workitem, fault: OSError | DeidentificationFailed) -> None:
    if waiting.for_what_is_lacking(workitem, fault):
        return
    if isinstance(fault, OSError | CopyNotWritten):
        said = fault.strerror if isinstance(fault, OSError) else str(fault)
        why = phrase(_("the input could not be staged: %(why)s"), why=said or "error")
        _not_started(workitem, why, timezone.now() + _BACK_OFF)
    else:
        words = _("not sent to the algorithm, because it cannot be de-identified: %(why)s")
        _not_started(workitem, phrase(words, why=str(fault)), None)


def _not_started(workitem: Workitem, why: Phrase, again_at: datetime | None) -> None:
    attempts = workitem.attempts + 1
    log.warning("dispatch.not_started", workitem=str(workitem.uid), attempts=attempts)
    if again_at is not None and attempts < MOST_ATTEMPTS:
        Workitem.objects.filter(pk=workitem.pk, fence=workitem.fence).update(
            attempts=attempts, due_at=again_at, why=why.stored(), waits_for=""
        )
        return
    with transaction.atomic():
        Study.objects.lock(workitem.study_id)
        pathway.advance(
            workitem, Workitem.State.FAILED, why=why, attempts=attempts, due_at=None,
            finished_at=timezone.now(),
        )  # fmt: skip
        worklist.place(workitem.study)
    staging.discard(workitem)
