"""The inbox: instances that were answered with Success and are not yet part of their study.

One statement for each batch asks all that makes an instance an ordinary one and writes its row. The
SQL of the hot path is here and nowhere else; taking_in.py makes the rows part of their studies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from django.db import connection
from django.db.models import QuerySet

from hub import plain_sql
from hub.dicom.headers import from_plain, plain
from hub.dicom.spool import Stored
from hub.models import Node
from routing.arrivals import Arrival
from routing.models import Arrived

# SQLite takes at least 999 parameters in one statement; a row has thirteen.
_AT_ONCE = 50
# Instances of this process of which the rows need not be read again, to be taken in.
_MOST_RECENT = 2000
_COLUMNS = (
    "site_id", "study_instance_uid", "patient_id", "issuer_of_patient_id", "node_id",
    "sop_instance_uid", "key", "sha256", "size", "sender", "header", "received_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Waiting:
    """One row of the inbox."""

    pk: int
    arrival: Arrival


# By the key of the row, which is never given twice; in the order in which they came.
_recent: dict[int, Arrival] = {}


def admit(batch: Sequence[Arrival]) -> set[int]:
    """Write a row for each ordinary instance; the places in ``batch`` of those that have one.

    Ordinary is a new UID at its site, for a study that is there and still receiving, of the same
    patient. All else is for taking_in.take().
    """
    places: dict[tuple[int, str], int] = {}
    while len(_recent) > _MOST_RECENT:
        del _recent[next(iter(_recent))]
    for place, arrival in enumerate(batch):
        # of two with one UID the second is no ordinary one
        uid = arrival.header.instance.sop_instance_uid
        places.setdefault((arrival.node.site_id, uid), place)
    # In one order, so that of two listeners with the same instances none waits for the other.
    ordered = sorted(places.items())
    admitted: set[int] = set()
    for start in range(0, len(ordered), _AT_ONCE):
        few = [batch[place] for _key, place in ordered[start : start + _AT_ONCE]]
        values = [value for arrival in few for value in _values(arrival)]
        rows = plain_sql.fetch(_admission(len(few), connection.vendor), values)
        for pk, site, uid in rows:
            place = places[site, uid]
            _recent[pk] = batch[place]
            admitted.add(place)
    return admitted


def waiting(study_id: int, *, most: int = 10_000) -> list[Waiting]:
    """What waits for a study, the oldest first."""
    ordered = Arrived.objects.filter(study=study_id).order_by("pk")
    keys = dict(ordered.values_list("pk", "key")[:most])
    found = {
        pk: Waiting(pk, came) for pk, key in keys.items()
        if (came := _recent.get(pk)) and came.stored.key == key
    }  # fmt: skip
    if len(found) < len(keys):
        # of another process, or of too long ago
        between = ordered.filter(pk__gte=min(keys), pk__lte=max(keys))
        found |= {one.pk: one for one in _read(between) if one.pk not in found}
    # What was taken out meanwhile is not there any more. Where that was all, others may wait.
    if keys and not found:
        return waiting(study_id, most=most)
    return [found[pk] for pk in keys if pk in found]


def _read(waiting: QuerySet[Arrived]) -> list[Waiting]:
    columns = ("pk", "node", "header", "key", "digest", "size", "sender", "received_at")
    rows = list(waiting.values_list(*columns))
    nodes = Node.objects.select_related("site").in_bulk({row[1] for row in rows})
    return [
        Waiting(
            pk,
            Arrival(
                nodes[node], from_plain(orjson.loads(header)),
                Stored(key=key, digest=digest, size=size, is_new=True), sender, received_at,
            ),
        )
        for pk, node, header, key, digest, size, sender, received_at in rows
    ]  # fmt: skip


def claim(rows: Sequence[Waiting]) -> list[Arrival]:
    """Take rows out of the inbox; the arrivals of those that nobody else took out before."""
    ours: set[int] = set()
    for start in range(0, len(rows), _AT_ONCE):
        pks = [row.pk for row in rows[start : start + _AT_ONCE]]
        marks = ", ".join(["%s"] * len(pks))
        statement = f"DELETE FROM routing_arrived WHERE id IN ({marks}) RETURNING id"  # nosec B608
        ours |= {pk for (pk,) in plain_sql.fetch(statement, pks)}
    return [row.arrival for row in rows if row.pk in ours]


def known(site_id: int, uids: Sequence[str]) -> dict[str, str]:
    """Digests by SOP Instance UID of what a site has of these, part of a study or waiting.

    A UID is one instance, also where a sender uses it again in another study. The content of that
    one differs for sure: the Study Instance UID is part of it.
    """
    found: dict[str, str] = {}
    for start in range(0, len(uids), _AT_ONCE):
        few = uids[start : start + _AT_ONCE]
        rows = plain_sql.fetch(_question(len(few)), [site_id, *few, site_id, *few])
        found |= {uid: digest for _is_part, uid, digest in sorted(rows)}
    return found


def _values(arrival: Arrival) -> list[Any]:
    study, stored = arrival.header.study, arrival.stored
    return [
        arrival.node.site_id, study.study_instance_uid, study.patient_id, arrival.issuer,
        arrival.node.pk, arrival.header.instance.sop_instance_uid, stored.key, stored.digest,
        stored.size, arrival.sender, orjson.dumps(plain(arrival.header)).decode(),
        connection.ops.adapt_datetimefield_value(arrival.received_at),
    ]  # fmt: skip


@cache
def _question(count: int) -> str:
    marks = ", ".join(["%s"] * count)
    # SQLite takes the tables of a CROSS JOIN in this order; by itself it would look through all
    # studies of the site. Of two rows with one UID, the one that is part of a study counts.
    return (
        "SELECT 0, sop_instance_uid, sha256 FROM routing_arrived"  # nosec B608 (marks alone)
        f" WHERE site_id = %s AND sop_instance_uid IN ({marks})"
        " UNION ALL SELECT 1, i.sop_instance_uid, i.sha256 FROM routing_instance i"
        " CROSS JOIN routing_study s WHERE s.id = i.study_id"
        f" AND s.site_id = %s AND i.sop_instance_uid IN ({marks})"
    )


@cache
def _admission(count: int, vendor: str) -> str:
    """The statement for so many instances.

    The key of the study is locked against complete(), which closes a study only while nobody holds
    it so: whoever comes second sees what the first did. SQLite lets one write at a time anyway,
    and takes the tables of a CROSS JOIN in this order: it would else look through a site's studies.
    """
    is_postgresql = vendor == "postgresql"
    at = "CAST(f.received_at AS timestamptz)" if is_postgresql else "f.received_at"
    row = "(" + ", ".join(["%s"] * len(_COLUMNS)) + ")"
    statement = f"""
    WITH f ({", ".join(_COLUMNS)}) AS (VALUES {", ".join([row] * count)})
    INSERT INTO routing_arrived
        (site_id, study_id, node_id, sop_instance_uid, key, sha256, size, sender, header,
         received_at)
    SELECT s.site_id, s.id, f.node_id, f.sop_instance_uid, f.key, f.sha256,
           CAST(f.size AS bigint), f.sender, f.header, {at}
      FROM f CROSS JOIN routing_study s
     WHERE s.site_id = f.site_id AND s.study_instance_uid = f.study_instance_uid
       AND s.state = 'receiving' AND s.patient_id = f.patient_id
       AND f.issuer_of_patient_id IN ('', s.issuer_of_patient_id)
       AND NOT EXISTS (
           SELECT 1 FROM routing_instance i CROSS JOIN routing_study o
            WHERE i.sop_instance_uid = f.sop_instance_uid AND o.id = i.study_id
              AND o.site_id = f.site_id)
    {"FOR KEY SHARE OF s" if is_postgresql else ""}
    ON CONFLICT (sop_instance_uid, site_id) DO NOTHING
    RETURNING id, site_id, sop_instance_uid
    """  # nosec B608 (names and marks alone, no value)
    # Django looks through all of it for parameters each time.
    return " ".join(statement.split())
