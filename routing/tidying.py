"""What a killed process left lying about: runs nobody waits for, and half-written files."""

from __future__ import annotations

import shutil
import time
import uuid
from pathlib import Path

import structlog
from django.conf import settings

from routing import serving, staging
from routing.models import Workitem
from routing.places import parcels, prepared_root, spool, work_root
from vendors.performers.base import PerformerRefused, SubmitFailed

log = structlog.get_logger(__name__)

# Older than any step that may still be busy with the folder
_SETTLED_SECONDS = 600.0


def tidy() -> int:
    """Stop and remove the working folders of Workitems that are over; how many there were."""
    spool().sweep()
    serving.tend()
    root = work_root()
    count = 0
    for folder in root.iterdir() if root.exists() else ():
        if time.time() - folder.stat().st_mtime > _settled() and _tidy(folder):
            count += 1
    prepared = prepared_root()
    for folder in prepared.iterdir() if prepared.exists() else ():
        # Nobody took it: the study became another's, or nobody's.
        if time.time() - folder.stat().st_mtime > _settled():
            shutil.rmtree(folder, ignore_errors=True)
            count += 1
    parcels().sweep(older_than=time.time() - _settled())
    for owner in sorted(parcels().owners()):
        if not (root / owner).exists() and not _is_at_work(owner):
            parcels().discard(owner)
            count += 1
    if count:
        log.info("tidy.removed", folders=count)
    return count


def _is_at_work(owner: str) -> bool:
    """Whether a Workitem, perhaps on another host, may still need its parcels."""
    try:
        return Workitem.objects.filter(uid=uuid.UUID(owner), state__in=staging.AT_WORK).exists()
    except ValueError:
        return False


def _tidy(folder: Path) -> bool:
    owner, _dot, fence = folder.name.partition(".")
    try:
        workitem = Workitem.objects.select_related("study__site", "version").get(
            uid=uuid.UUID(owner)
        )
    except (ValueError, Workitem.DoesNotExist):
        return False
    if fence and (workitem.state not in staging.AT_WORK or fence != str(workitem.fence)):
        # The desk of a worker that lost its lease, and then nobody's.
        shutil.rmtree(folder, ignore_errors=True)
        return True
    if fence:
        return False
    if workitem.state in staging.AT_WORK:
        staging.end_strays(workitem)
        return False
    try:
        staging.stop(workitem)
    except PerformerRefused:
        # What may not run here any more does not run, and its input must not stay for that.
        staging.discard(workitem)
    except SubmitFailed as fault:
        log.warning("tidy.no_answer", workitem=str(workitem.uid), why=fault.reason)
        return False
    return True


def _settled() -> float:
    return max(_SETTLED_SECONDS, float(settings.HUB_LEASE_SECONDS))
