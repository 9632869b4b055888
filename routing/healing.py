"""Instances that lie in the spool without a row, after a crash between the two: taken in again.

The sender was not answered, so it sends again as well; both ways lead to the same row.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from itertools import groupby, islice

import structlog
from django.db import InterfaceError, OperationalError, connection

from hub.dicom.headers import UnreadableDataset, read_file_header
from hub.dicom.scp import OUT_OF_RESOURCES
from hub.dicom.spool import NotInSpool, Stored
from hub.models import Node
from hub.passing import is_scarcity
from routing.arrivals import Arrival
from routing.models import Arrived, Discarded, Instance, SetAside
from routing.places import spool
from routing.steps.receive import Receiver

log = structlog.get_logger(__name__)

_AT_ONCE = 500
# The scan looks back this far unless it is told to look at everything.
_RECENT_SECONDS = 2 * 24 * 3600.0
# A database that is away is asked again this often.
_AGAIN_SECONDS = 5.0


def start(receiver: Receiver) -> threading.Thread:
    """Scan in a thread of its own, so that the listener opens at once."""
    thread = threading.Thread(target=_run, args=(receiver,), daemon=True, name="healing")
    thread.start()
    return thread


def _run(receiver: Receiver) -> None:
    # Only what lay there before this process: younger files are being received right now.
    started = time.time()
    while not _is_healed(receiver, newest=started):
        time.sleep(_AGAIN_SECONDS)


def _is_healed(receiver: Receiver, *, newest: float) -> bool:
    """Take in what lies there; False where something is away that will be back.

    The database, as after a loss of power; or the system gives this process no more files.
    """
    try:
        count = heal(receiver, newest=newest)
    except (InterfaceError, OperationalError):
        log.warning("healing.database_away", exc_info=True)
        return False
    except OSError:
        log.warning("healing.not_looked", exc_info=True)
        return False
    finally:
        connection.close()
    if count:
        log.warning("healing.taken_in", instances=count)
    return True


def heal(receiver: Receiver, *, newest: float, look_at_all: bool = False) -> int:
    """Take in every instance file written before ``newest`` that has no row; how many.

    Raises OperationalError or InterfaceError where the database is away, and OSError where the
    system lets nobody look at what lies there.
    """
    oldest = 0.0 if look_at_all else newest - _RECENT_SECONDS
    count = 0
    keys = (key for key in spool().walk() if oldest <= _age(key) <= newest)
    for _folder, of_series in groupby(keys, key=lambda key: key.rpartition("/")[0]):
        while batch := list(islice(of_series, _AT_ONCE)):
            known = rows_of(batch) | discarded(batch)
            for key in batch:
                if key not in known and _take_in(receiver, key):
                    count += 1
    return count


def rows_of(batch: Sequence[str]) -> set[str]:
    """Which keys of one series have a row; found by its study, for keys alone have no index."""
    try:
        study = read_file_header(spool().fetched(batch[0])).study.study_instance_uid
    except (NotInSpool, UnreadableDataset, OSError) as fault:
        if is_scarcity(fault):
            raise
        study = ""
    site = batch[0].split("/")[1]
    of_study = Instance.objects.filter(study__site__code=site, study__study_instance_uid=study)
    # The inbox first: what leaves it meanwhile is then found where it went.
    unknown = set(batch)
    for rows in (Arrived.objects.all(), of_study, SetAside.objects.all()):
        if unknown:
            unknown -= set(rows.filter(key__in=unknown).values_list("key", flat=True))
    return set(batch) - unknown


def discarded(batch: Sequence[str]) -> set[str]:
    """Which keys are of files that retention is about to delete."""
    rows = Discarded.objects.filter(key__in=batch)
    return set(rows.values_list("key", flat=True))


def _age(key: str) -> float:
    try:
        return spool().path(key).stat().st_mtime
    except (OSError, NotInSpool):
        return -1.0


def _take_in(receiver: Receiver, key: str) -> bool:
    try:
        lying = spool().describe(key)
        header = read_file_header(spool().path(key))
    except (NotInSpool, UnreadableDataset, OSError) as fault:
        if is_scarcity(fault):
            raise
        log.error("healing.unreadable", key=key, fault=str(fault))
        return False
    node = _node(lying.site, lying.calling_ae_title)
    if node is None:
        log.error("healing.no_node", key=key)
        return False
    stored = Stored(key=key, digest=lying.digest, size=lying.size, is_new=False)
    arrival = Arrival(node, header, stored, sender=f"{lying.calling_ae_title} (healed)")
    if receiver.record(arrival) != OUT_OF_RESOURCES:
        return True
    with connection.cursor() as cursor:
        # Its own fault, or nobody's: raises where the database is away.
        cursor.execute("SELECT 1")
    return False


def _node(site: str, ae_title: str) -> Node | None:
    nodes = Node.objects.filter(site__code=site, protocol="dicom").select_related("site")
    return nodes.filter(ae_title=ae_title).first() or nodes.first()

