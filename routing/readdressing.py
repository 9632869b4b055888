"""Reports that bear the Patient ID of their study at the moment they are sent.

A report may wait for its PACS while the RIS merges its patient into another. Sent as it was
written it would bring the number back that the merge took away. Other content is another instance
(PS3.3 C.12.1): the report is written anew under a UID of its own, and names the first as its
predecessor where somebody may have that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import structlog
from django.db import transaction

from hub.dicom.sr import Report
from routing import reports
from routing.models import Delivery, Result, Workitem
from routing.places import spool

log = structlog.get_logger(__name__)


def rows_of(workitem: Workitem, made: Sequence[Report]) -> list[Result]:
    """Keep reports in the spool; their rows, not written yet. Raises SpoolFull."""
    prefix = f"{workitem.study.site.code}/{workitem.uid.hex}"
    return [
        Result(
            workitem=workitem,
            kind="sr",
            sop_class_uid=report.sop_class_uid,
            sop_instance_uid=report.sop_instance_uid,
            series_instance_uid=report.series_instance_uid,
            title=report.title,
            patient_id=workitem.study.patient_id,
            key=spool().put_file(report.dataset_bytes, prefix=prefix, suffix=".dcm").key,
        )
        for report in made
    ]


def addressed(delivery: Delivery, rows: Sequence[Result]) -> list[Result]:
    """Of a Workitem's objects those to be sent now, reports written anew where they must be.

    ``rows`` each have ``now_of``, the Patient ID of their study; ``delivery`` is held, and says
    whether an earlier try of it may have arrived. Raises SpoolFull, ContentNotExpressible.
    """
    others = [row for row in rows if row.kind != "sr"]
    written = [row for row in rows if row.kind == "sr"]
    fitting = [row for row in written if row.patient_id in ("", row.now_of)]  # type: ignore[attr-defined]
    if fitting or not written:
        return [*others, *fitting]
    return [*others, *_write_anew(delivery, written)]


def _write_anew(delivery: Delivery, outdated: Sequence[Result]) -> list[Result]:
    workitem = Workitem.objects.select_related(
        "study__site", "study__order", "version__algorithm__vendor", "replaces"
    ).get(pk=delivery.workitem_id)
    known = outdated if _may_be_anywhere(delivery) else ()
    # A name is seen where a patient's number must not be.
    edition = hashlib.sha256(workitem.study.patient_id.encode()).hexdigest()[:12]
    made = reports.build(workitem, edition=edition, replaces=known)
    rows = rows_of(workitem, made)
    with transaction.atomic():
        # Two that send to two destinations write the same UIDs: whoever is first is right.
        Result.objects.bulk_create(rows, ignore_conflicts=True)
        if not known:
            Result.objects.filter(pk__in=[row.pk for row in outdated]).delete()
    log.info("readdressing.written_anew", workitem=str(workitem.uid), reports=len(rows))
    uids = [row.sop_instance_uid for row in rows]
    return list(Result.objects.filter(sop_instance_uid__in=uids).order_by("pk"))


def _may_be_anywhere(delivery: Delivery) -> bool:
    """Whether any destination may have the reports as they were first written."""
    others = Delivery.objects.filter(
        workitem=delivery.workitem_id, kind=Delivery.Kind.DICOM, may_have_arrived=True
    )
    return delivery.may_have_arrived or others.exclude(pk=delivery.pk).exists()
