"""A Workitem that cannot go on for now, by no fault of its own: no room, or no container engine.

To wait is no attempt, and fails nothing by itself. The row says what it waits for and since when,
and the sweep looks again, at first every few seconds and later once a minute.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.dicom.deidentify import NoMeansForCopy, NoRoomForCopy
from hub.dicom.durable import NO_ROOM, SpoolFull
from hub.dicom.object_store import StoreAway
from hub.passing import is_scarcity
from hub.phrases import Phrase, phrase
from routing.models import Workitem

log = structlog.get_logger(__name__)

_SHORTEST = timedelta(seconds=5)
_LONGEST = timedelta(minutes=1)


def is_lack_of_room(fault: BaseException) -> bool:
    """Whether a full disk is what broke a step, also where it was told in other words."""
    return any(
        isinstance(one, SpoolFull | NoRoomForCopy)
        or (isinstance(one, OSError) and one.errno in NO_ROOM)
        for one in (fault, fault.__cause__)
    )


def for_room(workitem: Workitem) -> None:
    """Wait until there is room on the disk, for as long as that takes."""
    why = phrase(_("waits for room on the disk of the hub"))
    _wait(workitem, Workitem.WaitsFor.ROOM, why, timezone.now())
    log.warning("waiting.no_room", workitem=str(workitem.uid), state=workitem.state)


def for_what_is_lacking(workitem: Workitem, fault: BaseException) -> bool:
    """Wait where what broke a step is a lack that passes; False where it was another fault.

    Of room, of the object store, or of what the system lets this process have at a time.
    """
    if is_lack_of_room(fault):
        for_room(workitem)
        return True
    if is_scarcity(fault) or isinstance(fault, NoMeansForCopy):
        _for_means(workitem)
        return True
    if not any(isinstance(one, StoreAway) for one in (fault, fault.__cause__)):
        return False
    why = phrase(_("waits for the object store: %(why)s"), why=str(fault))
    _wait(workitem, Workitem.WaitsFor.STORE, why, timezone.now())
    log.warning("waiting.no_store", workitem=str(workitem.uid), why=str(fault))
    return True


def _for_means(workitem: Workitem) -> None:
    """Look again soon: others give back what they have of it."""
    ours = Workitem.objects.filter(pk=workitem.pk, fence=workitem.fence, state=workitem.state)
    why = phrase(_("waits until the system gives the hub files, memory and processes again"))
    ours.update(
        waits_for="", waits_since=None, why=why.stored(), due_at=timezone.now() + _SHORTEST
    )
    log.warning("waiting.no_means", workitem=str(workitem.uid), state=workitem.state)


def for_engine(workitem: Workitem, said: str) -> bool:
    """Wait for an engine that does not answer; False once that took longer than may be.

    All that stands behind it waits with it: to ask an engine that is away takes a while.
    """
    now = timezone.now()
    is_first = workitem.waits_for != Workitem.WaitsFor.ENGINE or workitem.waits_since is None
    since = now if is_first else workitem.waits_since
    if now - since > timedelta(seconds=settings.HUB_ENGINE_PATIENCE_SECONDS):  # type: ignore[operator]
        return False
    why = phrase(_("waits for the container engine: %(why)s"), why=said)
    due_at = _wait(workitem, Workitem.WaitsFor.ENGINE, why, now)
    log.warning("waiting.no_engine", workitem=str(workitem.uid), why=said)
    behind = Workitem.objects.filter(
        Q(lease_until=None) | Q(lease_until__lt=now), Q(due_at=None) | Q(due_at__lt=due_at),
        version=workitem.version_id, state=Workitem.State.ENTITLED,
    )  # fmt: skip
    told = {"waits_for": Workitem.WaitsFor.ENGINE, "why": why.stored(), "due_at": due_at}
    behind.exclude(waits_for=Workitem.WaitsFor.ENGINE).update(waits_since=now, **told)
    behind.update(**told)
    return True


def _wait(workitem: Workitem, what: str, why: Phrase, now: datetime) -> datetime:
    """Write down what it waits for, and when to look again."""
    is_first = workitem.waits_for != what or workitem.waits_since is None
    since = now if is_first else workitem.waits_since
    due_at = now + min(max((now - since) / 4, _SHORTEST), _LONGEST)  # type: ignore[operator]
    ours = Workitem.objects.filter(pk=workitem.pk, fence=workitem.fence, state=workitem.state)
    ours.update(waits_for=what, waits_since=since, why=why.stored(), due_at=due_at)
    return due_at
