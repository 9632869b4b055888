"""What the watch of a cluster sees becomes a nudge: the Workitem of the run is looked at now."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import structlog
from django.db import OperationalError, transaction
from django.utils import timezone

from routing import nudges
from routing.models import Workitem
from vendors import warm_servers

log = structlog.get_logger(__name__)


def look_at(runs: Sequence[str]) -> None:
    """Nudge ``collect`` for the Workitems of runs; a run that is not the present one is passed.

    The name of a warm server stands for the run that it has, and those that wait for it.
    """
    try:
        with transaction.atomic():
            for run in {*runs, *warm_servers.runs_with(runs)}:
                _look_at(run)
    except OperationalError:
        # The row is looked at anyway when its time comes.
        log.warning("cluster_nudges.no_database", exc_info=True)


def _look_at(run: str) -> None:
    uid, _, number = run.rpartition("-")
    try:
        meant = {"uid": uuid.UUID(uid), "runs": int(number)}
    except ValueError:
        return
    items = Workitem.objects.filter(**meant, state=Workitem.State.DISPATCHED)
    items.update(due_at=timezone.now())
    for key in items.values_list("pk", flat=True):
        nudges.collect(key)
