"""Step 6: take back what an algorithm left, and refuse what is not fit to be shown to anyone."""

from __future__ import annotations

import json
from datetime import timedelta

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.phrases import Phrase, phrase
from routing import giving_way, lease, nudges, outputs, pathway, run_files, staging, worklist
from routing.looking_again import look_again
from routing.models import Finding, Result, Study, Workitem
from routing.outputs import OutputRefused, Outputs
from routing.shares import ALGORITHMS, ASK_AGAIN_SECONDS
from routing.steps.dispatch import MOST_ATTEMPTS
from vendors.manifest import Manifest
from vendors.performers.base import Performer, PerformerRefused, Progress

log = structlog.get_logger(__name__)

# of one Workitem, also where none of them counts as an attempt
MOST_RUNS = 20
# how long a performer may not answer for a run that is past its time
_SILENCE = timedelta(minutes=10)


def collect(workitem: Workitem) -> None:
    """Look how a running Workitem stands, and collect it once it has ended.

    Before its time nothing is done: every look sets the time of the next and nudges for it, so a
    nudge that comes twice would otherwise come twice for as long as the algorithm runs.
    """
    if workitem.due_at is not None and workitem.due_at > timezone.now():
        return
    with ALGORITHMS.turn(workitem.version_id) as may_begin:
        if may_begin:
            _look(workitem)
        else:
            nudges.collect(workitem.pk, seconds=ASK_AGAIN_SECONDS)


def _look(workitem: Workitem) -> None:
    with lease.hold(workitem, states=("dispatched",)) as held:
        if held is None:
            return
        manifest = held.version.declared
        try:
            performer = staging.performer_of(manifest)
        except PerformerRefused as fault:
            why = phrase(_("not waited for: %(why)s"), why=str(fault))
            _fail(held, why, Progress("failed"))
            staging.discard(held)
            return
        progress = run_files.judged(held, performer.poll(staging.run_of(held, manifest)))
        if progress.state == "running" or _may_still_run(held, manifest, progress):
            if not giving_way.gives_way(held, performer):
                look_again(held, progress)
        elif progress.state == "succeeded":
            _take(held, manifest, performer, progress)
        else:
            _give_up(held, performer, progress)


def _may_still_run(workitem: Workitem, manifest: Manifest, progress: Progress) -> bool:
    """A run is not killed because the engine was busy, until it must be over by its own time."""
    longest = timedelta(seconds=manifest.performer.timeout_seconds) + _SILENCE
    since = workitem.dispatched_at
    return progress.state == "silent" and since is not None and timezone.now() < since + longest


def _take(
    workitem: Workitem, manifest: Manifest, performer: Performer, progress: Progress
) -> None:
    try:
        found = outputs.read(workitem, manifest)
    except OutputRefused as fault:
        _fail(workitem, fault.why, progress)
    else:
        _keep(workitem, found, progress)
    staging.clean_up(workitem, performer)
    nudges.dispatch(workitem.version_id)


@transaction.atomic
def _keep(workitem: Workitem, found: Outputs, progress: Progress) -> None:
    # First of all: whoever was overtaken is told so, not that the rows are there already.
    pathway.advance(
        workitem,
        Workitem.State.COLLECTED,
        why=phrase(
            _("findings: %(findings)s, objects: %(objects)s, after %(seconds)s s"),
            findings=len(found.findings),
            objects=len(found.results),
            seconds=progress.seconds,
        ),
        log_tail="\n".join(progress.log_tail),
        finished_at=timezone.now(),
        due_at=timezone.now(),
    )
    Finding.objects.bulk_create(found.findings)
    Result.objects.bulk_create(found.results)
    nudges.write_back(workitem.pk)


def _give_up(workitem: Workitem, performer: Performer, progress: Progress) -> None:
    """A run that ended badly: tried again where that can help, otherwise failed with the reason.

    Its traces go only after the move: whoever was overtaken must not take those of a run that goes
    on, and after it they are nobody's.
    """
    number = workitem.runs
    # What the cluster took away is run again, and was no attempt of the algorithm.
    attempts = workitem.attempts + (0 if progress.is_disruption else 1)
    why = phrase(_("the algorithm failed: %(why)s"), why=progress.why or "no trace of the run")
    can_help = progress.is_retryable or progress.state in ("unknown", "silent")
    if can_help and attempts < MOST_ATTEMPTS and number < MOST_RUNS:
        with transaction.atomic():
            pathway.advance(
                workitem, Workitem.State.ENTITLED,
                why=phrase(_("tried again: %(why)s"), why=why),
                attempts=attempts, runs=number + 1,
                log_tail="\n".join(progress.log_tail),
                due_at=timezone.now() + timedelta(seconds=2**max(attempts, 1)),
            )  # fmt: skip
    else:
        _fail(workitem, why, progress)
    staging.clean_up(workitem, performer, number=number)
    nudges.dispatch(workitem.version_id)


def _fail(workitem: Workitem, why: Phrase, progress: Progress) -> None:
    with transaction.atomic():
        Study.objects.lock(workitem.study_id)
        pathway.advance(
            workitem, Workitem.State.FAILED, why=why,
            log_tail="\n".join(progress.log_tail), finished_at=timezone.now(), due_at=None,
        )  # fmt: skip
        worklist.place(workitem.study)
    log.warning("collect.failed", workitem=str(workitem.uid), why=json.dumps(why.text))
