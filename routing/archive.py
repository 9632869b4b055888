"""Ask the archive how many instances a study has, where the set-up names one (role ``archive``)."""

from __future__ import annotations

import structlog
from django.conf import settings

from hub.dicom import scu
from hub.models import Node
from routing.models import Result, Study

log = structlog.get_logger(__name__)


def ask_expected(study: Study) -> int | None:
    """How many instances the archive has of the study now; None where it does not say.

    It may still be receiving the study itself: its answer is good for the moment, and not kept.
    """
    nodes = Node.objects.filter(site=study.site, protocol=Node.Protocol.DICOM)
    for node in nodes:
        if node.has_role("archive") and (count := _count(node, study)):
            return count
    return None


def _count(node: Node, study: Study) -> int | None:
    peer = scu.Peer(ae_title=node.ae_title, host=node.host, port=node.port or 104)
    try:
        found = scu.find_study(
            peer,
            calling_ae_title=settings.HUB_AE_TITLE,
            study_instance_uid=study.study_instance_uid,
        )
    except (scu.Unreachable, scu.AssociationRefused, scu.OperationFailed) as fault:
        log.warning("archive.no_answer", node=node.code, fault=str(fault))
        return None
    count = found.number_of_study_related_instances if found else None
    if not count:
        return None
    # What the hub itself wrote to the archive will not come back as part of the study.
    own = Result.objects.filter(
        workitem__study=study, workitem__deliveries__state="delivered"
    ).distinct()
    return max(count - own.count(), 0) or None
