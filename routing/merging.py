"""Two patient records are one: what was the prior Patient ID's is the surviving one's (IHE RAD-12).

The merge is kept, for what comes under the prior identifier later: an instance, an order, another
merge. What the RIS was told under it is told again as a correction. Studies are those of the site
that the message came from; no other site's ever move.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import structlog
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub import audit
from hub.hl7.er7 import MessageError
from hub.hl7.merge import MergeContent
from hub.models import Node, Site
from hub.phrases import phrase
from routing import letters, linking, nudges, pathway, retracting, worklist
from routing.models import Delivery, Order, PatientMerge, Study, Workitem
from routing.surviving import bring_up_to_date, is_same_issuer, surviving_id

log = structlog.get_logger(__name__)


def apply(merges: Sequence[MergeContent], *, site: Site, sender: str) -> None:
    """Merge patients of a site; inside a transaction. Twice, or out of order, is the same.

    Raises MessageError where the surviving identifier itself was merged into the prior one.
    """
    targets = [(merge, _target(merge, site)) for merge in merges]
    for merge, target in targets:
        if _remember(merge, target, site):
            moved = [_move(study, target) for study in _studies_of(merge, site)]
            audit.record(
                "patient.merged", actor=sender, site=site, subject=target,
                prior=merge.prior.value, issuer=merge.prior.assigning_authority,
                studies=len(moved),
            )  # fmt: skip
            log.info("merging.merged", site=site.code, studies=len(moved))


def follow(study: Study) -> None:
    """Move a study that was begun under a prior identifier while its merge was being committed.

    The study is locked.
    """
    target = surviving_id(study.site_id, study.patient_id, study.issuer_of_patient_id)
    if target != study.patient_id:
        _move(study, target)


def _target(merge: MergeContent, site: Site) -> str:
    """Where a chain of merges ends, whichever of its links came first."""
    one = merge.surviving
    target = surviving_id(site.pk, one.value, one.assigning_authority, one.universal_id)
    if target == merge.prior.value:
        text = "the surviving identifier was itself merged into this one before"
        raise MessageError("MRG-1", 204, text)
    return target


def _remember(merge: MergeContent, target: str, site: Site) -> bool:
    """Keep the merge, and have all that were merged into the prior one end at the target too.

    Whether that was news. Raises MessageError where the prior one went to somebody else before.
    """
    prior = merge.prior
    row, is_new = PatientMerge.objects.select_for_update().get_or_create(
        site=site, prior_id=prior.value, issuer=prior.assigning_authority,
        defaults={
            "universal_id": prior.universal_id, "surviving_id": target,
            "merged_at": timezone.now(),
        },
    )  # fmt: skip
    if row.surviving_id != target:
        text = "the prior identifier was merged into another patient's before"
        raise MessageError("MRG-1", 204, text)
    for earlier in PatientMerge.objects.filter(site=site, surviving_id=prior.value):
        if earlier.issuer == prior.assigning_authority:
            earlier.surviving_id = target
            earlier.save(update_fields=["surviving_id"])
    return is_new


def _studies_of(merge: MergeContent, site: Site) -> list[Study]:
    """The studies of the prior identifier, locked, in order."""
    prior = merge.prior
    rows = Study.objects.filter(site=site, patient_id=prior.value).order_by("pk")
    said = (prior.assigning_authority, prior.universal_id)
    return [
        study for study in rows.select_for_update(of=("self",), no_key=True)
        if is_same_issuer(study.issuer_of_patient_id, "", said)
    ]  # fmt: skip


def _move(study: Study, target: str) -> Study:
    study.patient_id = target
    study.save(update_fields=["patient_id", "changed_at"])
    why = phrase(_("The patient was merged into another Patient ID"))
    pathway.note(study, from_state=study.state, to_state=study.state, why=why)
    if study.order is None:
        linking.link_study(study)
    else:
        # A message about it may be on its way; the study, which comes first, is locked already.
        study.order = Order.objects.select_for_update(no_key=True).get(pk=study.order.pk)
        bring_up_to_date(study.order)
        worklist.place(study)
    letters.rewrite(study)
    _correct(study, target)
    return study


def _correct(study: Study, target: str) -> None:
    """Tell the RIS again, as a correction, what it was told under the prior identifier."""
    released = (Workitem.State.WRITING_BACK, Workitem.State.WRITTEN_BACK)
    # A name is seen where a patient's number must not be.
    cause = ":" + hashlib.sha256(target.encode()).hexdigest()[:12]
    for workitem in study.workitems.filter(state__in=released).order_by("pk"):
        if not retracting.may_be_known(workitem):
            continue
        for node in Node.objects.filter(site=study.site, protocol=Node.Protocol.HL7):
            if node.has_role("results"):
                letters.make(
                    workitem, node, kind=Delivery.Kind.RESULT, status="C", cause=cause
                )
                nudges.deliver(node.pk)
