"""When a running Workitem is looked at the next time, and what it says of itself meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.phrases import phrase
from routing import nudges
from routing.models import Workitem
from vendors.performers.base import Progress

_SHORTEST = 0.1
# A critical result must not lie finished: the hub's own time is to be 1.5 s at most.
_LONGEST = 0.5
# a later look is left to the sweep, and takes no place in a queue
_LONGEST_NUDGE = 5.0


def look_again(workitem: Workitem, progress: Progress) -> None:
    """As its performer says; else soon after the start, later less often, by how long it has run.

    A performer that tells of every change by itself needs no looks but as a net.
    """
    now = timezone.now()
    ran = (now - (workitem.dispatched_at or now)).total_seconds()
    seconds = min(max(ran / 20, _SHORTEST), _LONGEST)
    if progress.next_look is not None:
        seconds = progress.next_look.total_seconds()
    changes: dict[str, Any] = {"due_at": now + timedelta(seconds=seconds)}
    if progress.why:
        changes["why"] = phrase(_("in the cluster: %(why)s"), why=progress.why).stored()
    seen = Workitem.objects.filter(pk=workitem.pk, fence=workitem.fence, due_at=workitem.due_at)
    if not seen.update(**changes):
        # Somebody asked for a look while this one was taken, and must not wait for the next.
        nudges.collect(workitem.pk, seconds=_SHORTEST)
    elif seconds <= _LONGEST_NUDGE:
        nudges.collect(workitem.pk, seconds=seconds)
