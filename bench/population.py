"""Makes studies by the hundred thousand, with all the rows that hang on them, inside PostgreSQL.

As an archive of nine trusts has them: nearly all read, a few hundred unread at each site, most of
what the hub did long over. Each column that is not named here gets its default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connection, models, transaction

from contracts.models import UsageEvent, VolumeCounter
from hub.models import AuditEvent
from routing.models import (
    Delivery,
    Finding,
    Instance,
    Message,
    Order,
    Result,
    Series,
    Study,
    Transition,
    Verdict,
    Workitem,
)

# a study every half minute is a million in a year
SECONDS_APART = 31.5
UNREAD_AT_MOST = 5100
INSTANCES = 2
# the first rows of each kind are the set-up's and the measurements' own
_FIRST_ID = 1000

_SITES = """
CREATE TEMP TABLE IF NOT EXISTS bench_site AS
SELECT row_number() OVER (ORDER BY s.id) - 1 AS ordinal, s.id AS site_id, s.code AS site_code,
  (SELECT min(n.id) FROM hub_node n WHERE n.site_id = s.id AND n.protocol = 'dicom') AS pacs_id,
  (SELECT min(n.id) FROM hub_node n WHERE n.site_id = s.id AND n.protocol = 'hl7') AS ris_id,
  l.id AS line_id, l.call_off_id, l.algorithm_id, v.id AS version_id
FROM hub_site s
JOIN LATERAL (SELECT * FROM contracts_calloffline c WHERE c.site_id = s.id ORDER BY id LIMIT 1) l
  ON true
JOIN marketplace_algorithmversion v ON v.algorithm_id = l.algorithm_id
"""
# Every column that the tables below are made of: one row for each study from first to last.
_FACTS = """
CREATE TEMP TABLE bench_fact AS
WITH drawn AS (
  SELECT n, (hashint8(n) & 1023) / 1024.0 AS a, (hashint8(n * 7 + 1) & 65535) / 65536.0 AS b,
    (hashint8(n * 13 + 5) & 65535) / 65536.0 AS c, (hashint8(n * 17 + 3) & 65535) AS d
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
)
SELECT f.n, %(first_id)s + f.n AS id, s.*, now() - (%(last)s - f.n) * interval '31.5 s' AS at,
  gen_random_uuid() AS study_uid, gen_random_uuid() AS workitem_uid,
  '1.2.826.0.1.3680043.10.99.' || f.n AS uid,
  'ACC' || lpad(f.n::text, 9, '0') AS accession,
  lpad(((f.d * 7919::bigint + f.n) %% 99999999)::text, 11, '0') AS patient,
  (array['BERG','DAL','NY','STOR','LUND','ØDE','SOL','HAUG','VIK','STRAND','BAKK','MO','ÅS','FOSS',
    'EIK','BJØRN','HELL','SAND','TVEIT','ROS'])[1 + f.d %% 20]
  || (array['SEN','STAD','HEIM','VIK','LAND','GÅRD','NES','RUD','LI','BØ'])[1 + (f.d / 20) %% 10]
  || '^' || (array['KARI','OLA','ANNE','PER','INGER','JAN','MARIT','LARS','ÅSE','BJØRN','LIV','ODD',
    'RANDI','KNUT','SIGRID','ØYVIND'])[1 + (f.d / 200) %% 16]
  || ' ' || chr(65 + (f.n %% 26)::int) AS name,
  (array['CT','CT','CT','CT','CT','DX','DX','DX','DX','DX','CR','CR','MR','MR','MR','US','US','MG',
    'CT\\SR','NM'])[1 + floor(f.b * 20)::int] AS modality,
  (array['CT head','CT chest','DX thorax','MR brain','US abdomen','DX hand','MG screening',
    'CT abdomen'])[1 + f.d %% 8] AS description,
  CASE WHEN f.c < .02 THEN 1 WHEN f.c < .10 THEN 2 WHEN f.c < .20 THEN 3 WHEN f.c < .98 THEN 4
    ELSE 5 END AS priority,
  f.n %% 10 < 6 AS has_ai, f.n <= %(last)s - %(unread)s AS is_read
FROM drawn f JOIN bench_site s ON s.ordinal = floor((SELECT count(*) FROM bench_site) * f.a ^ 1.4)
"""
_WHY = """'{"text": "ordered as %%(priority)s", "args": {"priority": "routine"}}'::jsonb"""
_PATIENCE = """at + (array['0 h','1 h','4 h','24 h','72 h'])[priority]::interval"""
_HEADER = """jsonb_build_object('patient_id', patient, 'patient_name', name, 'patient_sex', 'F',
  'patient_birth_date', '1956-03-04', 'study_date', to_char(at, 'YYYY-MM-DD'), 'study_time',
  '12:00:00', 'study_instance_uid', uid, 'institution_name', site_code, 'referring_physician_name',
  'DOCTOR^D', 'study_description', description, 'accession_number', accession)"""
_CODE = """'{"value": "1386000", "scheme": "SCT", "meaning": "Intracranial haemorrhage"}'::jsonb"""
_DONE = "CASE WHEN is_read OR n % 7 > 0 THEN 'written_back' ELSE 'held' END"

Columns = Mapping[str, str]
_STUDY: Columns = {
    "id": "id", "uid": "study_uid", "site_id": "site_id", "study_instance_uid": "uid",
    "state": "'matched'", "source_id": "pacs_id", "accession_number": "accession",
    "patient_id": "patient", "patient_name": "name", "modality": "modality",
    "study_description": "description", "header": _HEADER, "instance_count": str(INSTANCES),
    "has_images": "true", "first_instance_at": "at", "last_instance_at": "at",
    "completed_by": "'no_gap'", "order_id": "id", "priority": "priority",
    "reading_band": "CASE WHEN priority > 1 THEN 2 WHEN has_ai THEN 0 ELSE 1 END",
    "read_by": _PATIENCE, "waiting_since": "at", "reason": _WHY,
    "ai_state": f"CASE WHEN NOT has_ai THEN 'none' WHEN {_DONE} = 'held' THEN 'held' "
    "WHEN n % 200 = 0 THEN 'failed' ELSE 'done' END",
    "is_read": "is_read", "changed_at": "at",
}  # fmt: skip
_ORDER: Columns = {
    "id": "id", "site_id": "site_id", "node_id": "ris_id", "key": "accession",
    "placer_order_number": "accession", "filler_order_number": "accession",
    "accession_number": "accession", "study_instance_uid": "uid", "modality": "modality",
    "patient": "jsonb_build_object('name', name, 'identifiers', '[]'::jsonb)",
    "priority": "priority", "created_at": "at", "updated_at": "at",
}  # fmt: skip
_MESSAGE: Columns = {
    "node_id": "ris_id", "control_id": "accession", "message_type": "'OMI^O23'",
    "raw": "repeat('MSH|^~', 150)::bytea", "answer": "repeat('MSH|^~', 20)::bytea",
    "is_accepted": "true", "received_at": "at",
}  # fmt: skip
_SERIES: Columns = {
    "id": "id", "study_id": "id", "series_instance_uid": "uid || '.1'", "series_number": "1",
    "modality": "left(modality, 2)", "instance_count": str(INSTANCES),
    "attributes": "jsonb_build_object('modality', jsonb_build_array(modality),"
    " 'body_part_examined', '[\"HEAD\"]'::jsonb)",
}  # fmt: skip
_INSTANCE: Columns = {
    "study_id": "id", "series_id": "id", "sop_instance_uid": "uid || '.1.' || number",
    "sop_class_uid": "'1.2.840.10008.5.1.4.1.1.2'", "transfer_syntax_uid": "'1.2.840.10008.1.2.1'",
    "instance_number": "number", "rows": "512", "columns": "512",
    "key": "site_code || '/' || uid || '/' || number", "sha256": "md5(uid) || md5(uid)",
    "size": "526000", "received_at": "at",
}  # fmt: skip
_VERDICT: Columns = {
    "study_id": "id", "revision": "1", "algorithm_id": "algorithm_id", "version_id": "version_id",
    "rule_code": "'bench'", "is_match": "has_ai", "clause": _WHY, "at": "at",
}  # fmt: skip
_WORKITEM: Columns = {
    "id": "id", "uid": "workitem_uid", "study_id": "id", "revision": "1",
    "version_id": "version_id", "state": _DONE, "purpose": "'clinical'",
    "write_back_mode": "'automatic'", "line_id": "line_id", "priority": "priority",
    "input_series": "jsonb_build_array(uid || '.1')", "input_fingerprint": "md5(uid)",
    "runs": "1", "fence": "3", "why": _WHY, "created_at": "at", "dispatched_at": "at",
    "finished_at": "at",
}  # fmt: skip
_FINDING: Columns = {
    "workitem_id": "id", "ordinal": "1", "code": _CODE,
    "status": "CASE WHEN n % 5 = 0 THEN 'present' ELSE 'absent' END", "probability": "0.7",
    "is_critical": "n % 25 = 0", "urgency": "'stat'",
}  # fmt: skip
_RESULT: Columns = {
    "workitem_id": "id", "kind": "'sr'", "sop_class_uid": "'1.2.840.10008.5.1.4.1.1.88.34'",
    "sop_instance_uid": "uid || '.9.1'", "series_instance_uid": "uid || '.9'",
    "key": "site_code || '/' || uid || '/sr'", "created_at": "at",
}  # fmt: skip
_DELIVERY: Columns = {
    "id": "id * 2 + number", "workitem_id": "id",
    "node_id": "CASE number WHEN 1 THEN pacs_id ELSE ris_id END",
    "kind": "CASE number WHEN 1 THEN 'dicom' ELSE 'result' END",
    "name": "replace(workitem_uid::text, '-', '') || ':' || number", "state": "'delivered'",
    "message": "repeat('MSH|^~', 100)::bytea", "control_id": "left(md5(uid), 20)",
    "created_at": "at", "delivered_at": "at", "attempts": "1", "fence": "1",
}  # fmt: skip
_MOVE: Columns = {
    "study_id": "id", "revision": "1", "at": "at + number * interval '1 s'", "why": _WHY,
}  # fmt: skip
_STUDY_MOVE: Columns = _MOVE | {
    "from_state": "(array['', 'receiving', 'complete'])[number]",
    "to_state": "(array['receiving', 'complete', 'matched'])[number]",
}
_WORKITEM_MOVE: Columns = _MOVE | {
    "workitem_id": "id",
    "from_state": "(array['', 'matched', 'entitled', 'dispatched', 'collected', 'writing_back'])"
    "[number]",
    "to_state": "(array['matched', 'entitled', 'dispatched', 'collected', 'writing_back',"
    " 'written_back'])[number]",
}
_USAGE: Columns = {
    "source": "'urn:hub:site:' || site_code", "event_id": "workitem_uid::text", "at": "at",
    "study_ref": "'hmac-sha256:' || md5(uid) || md5(accession)", "call_off_id": "call_off_id",
    "line_id": "line_id", "algorithm_id": "algorithm_id", "version_id": "version_id",
    "site_id": "site_id",
}  # fmt: skip
_AUDIT: Columns = {
    "at": "at", "actor": "'radiologist.' || site_code", "action": "'study.viewed'",
    "site_id": "site_id", "subject": "study_uid::text",
}  # fmt: skip
# model, columns, rows for each study, and which studies have them
_KINDS: tuple[tuple[type[models.Model], Columns, int, str], ...] = (
    (Order, _ORDER, 1, "true"),
    (Message, _MESSAGE, 1, "true"),
    (Study, _STUDY, 1, "true"),
    (Series, _SERIES, 1, "true"),
    (Instance, _INSTANCE, INSTANCES, "true"),
    (Verdict, _VERDICT, 1, "true"),
    (Workitem, _WORKITEM, 1, "has_ai"),
    (Finding, _FINDING, 1, "has_ai"),
    (Result, _RESULT, 1, "has_ai"),
    (Delivery, _DELIVERY, 2, "has_ai"),
    (Transition, _STUDY_MOVE, 3, "true"),
    (Transition, _WORKITEM_MOVE, 6, "has_ai"),
    (UsageEvent, _USAGE, 1, "has_ai"),
    (AuditEvent, _AUDIT, 1, "is_read"),
)
_STEP = 100_000


def grow(total: int) -> None:
    """Add studies until there are ``total``; those that were unread before are read now."""
    done = Study.objects.count()
    with connection.cursor() as cursor:
        cursor.execute(_SITES)
    Study.objects.filter(is_read=False).update(is_read=True)
    while done < total:
        last = min(done + _STEP, total)
        unread = min(UNREAD_AT_MOST, total // 4) if last == total else 0
        _add(done + 1, last, unread=unread)
        done = last
    with connection.cursor() as cursor:
        _count_volumes(cursor)
        # what autovacuum would have done meanwhile
        cursor.execute("VACUUM ANALYZE")


@transaction.atomic
def _add(first: int, last: int, *, unread: int) -> None:
    with connection.cursor() as cursor:
        # no row refers to one that is not there; to look at each again would take half the time
        cursor.execute("SET LOCAL session_replication_role = replica")
        facts = {"first": first, "last": last, "first_id": _FIRST_ID, "unread": unread}
        cursor.execute(_FACTS, facts)
        for model, columns, count, which in _KINDS:
            _insert(cursor, model, columns, count=count, which=which)
        cursor.execute("DROP TABLE bench_fact")
        for statement in connection.ops.sequence_reset_sql(
            _no_style(), [model for model, *_rest in _KINDS]
        ):
            cursor.execute(statement)


def _insert(
    cursor: Any, model: type[models.Model], columns: Columns, *, count: int, which: str
) -> None:
    fields = [
        field for field in model._meta.concrete_fields
        if field.column in columns or not (field.primary_key or field.null)
    ]  # fmt: skip
    values, given = [], []
    for field in fields:
        if field.column in columns:
            values.append(columns[field.column].replace("%", "%%"))
        else:
            values.append("%s")
            default = field.get_db_prep_save(field.get_default(), connection)
            given.append(default)
    names = ", ".join(f'"{field.column}"' for field in fields)
    cursor.execute(
        f'INSERT INTO "{model._meta.db_table}" ({names}) SELECT {", ".join(values)} '  # noqa: S608
        f"FROM bench_fact, generate_series(1, {count}) number WHERE {which} ORDER BY n",
        given,
    )


def _count_volumes(cursor: Any) -> None:
    VolumeCounter.objects.all().delete()
    cursor.execute(
        "INSERT INTO contracts_volumecounter (framework_id, algorithm_id, contract_year, quantity)"
        " SELECT c.framework_id, u.algorithm_id, '2026-01-01', count(*) FROM contracts_usageevent u"
        " JOIN contracts_calloff c ON c.id = u.call_off_id GROUP BY 1, 2"
    )


def _no_style() -> Any:
    from django.core.management.color import no_style

    return no_style()
