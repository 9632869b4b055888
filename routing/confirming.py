"""Whether a PACS has what it answered with Success, where the set-up wants it to be asked."""

from __future__ import annotations

import time
from collections.abc import Sequence

from django.conf import settings

from hub.dicom import holdings, scu
from routing.models import Result, Study

# A PACS may answer a moment before its index knows.
_PAUSES = (0.0, 0.5, 1.5)


def missing(peer: scu.Peer, rows: Sequence[Result], *, study: Study) -> int:
    """How many of the objects of a delivery the node says it does not have, asked three times.

    Raises as scu.find_study does where it cannot be asked.
    """
    unseen = {row.sop_instance_uid for row in rows}
    for pause in _PAUSES:
        time.sleep(pause)
        unseen -= holdings.instances_of(
            peer,
            calling_ae_title=settings.HUB_AE_TITLE,
            study_instance_uid=study.study_instance_uid,
            series_instance_uids={row.series_instance_uid for row in rows},
            timeout_seconds=settings.HUB_SEND_TIMEOUT_SECONDS,
        )
        if not unseen:
            break
    return len(unseen)
