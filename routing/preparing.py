"""Copies made ahead: while a study arrives, of what an algorithm will most likely be given.

Nothing hangs on it. A study whose copies were not made ahead has them made when it is dispatched.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import structlog
from django.conf import settings
from django.utils import timezone

from contracts import entitlement
from contracts.clauses import Refused
from marketplace.models import AlgorithmVersion
from routing import nudges, verdicts
from routing.copying import Copier
from routing.models import Instance, Study, Workitem
from routing.places import spool

log = structlog.get_logger(__name__)

# Looked so often within the short quiet time, and after a pause at every half of its length.
_LOOKS = 4
# One that has others waiting for longer is busy: its input is not what it waits for.
_BUSY_AFTER = timedelta(seconds=5)


def prepare(study: Study) -> None:
    """Copy what has come of a study that still arrives; looks again until it is complete."""
    if study.state != Study.State.RECEIVING:
        return
    try:
        for version, instances in _foreseen(study):
            Copier(study, version.declared).copy_ahead(instances)
    except OSError:
        # Dispatch will say what is wrong with the disk, if it still is.
        log.info("prepare.not_copied", study=study.pk, exc_info=True)
    silence = (timezone.now() - study.last_instance_at).total_seconds()
    nudges.prepare(study.pk, seconds=max(_soon(), silence / 2))


def begin(study: Study) -> None:
    """Look soon: the first instance of a revision has come."""
    nudges.prepare(study.pk, seconds=_soon())


def _soon() -> float:
    return float(settings.HUB_SHORT_QUIET_SECONDS) / _LOOKS


def _foreseen(study: Study) -> Iterator[tuple[AlgorithmVersion, list[Instance]]]:
    """The versions that would be given this study de-identified, were it complete now."""
    for version, series in verdicts.foresee(study):
        if version.declared.needs.identity == "as_is" or _is_busy(version):
            continue
        answer = entitlement.entitle(site=study.site, version=version, at=timezone.now())
        if isinstance(answer, Refused):
            continue
        instances = list(Instance.objects.filter(study=study, series__in=series))
        # Twice what the copies take, for receiving goes first.
        if 2 * sum(one.size for one in instances) < spool().free_bytes():
            yield version, instances


def _is_busy(version: AlgorithmVersion) -> bool:
    since = timezone.now() - _BUSY_AFTER
    waiting = Workitem.objects.filter(version=version, state=Workitem.State.ENTITLED)
    return waiting.filter(due_at__lt=since).exists()
