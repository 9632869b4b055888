"""Whether an instance may become part of a study: of its patient, and under a UID of its own."""

from __future__ import annotations

import structlog
from django.utils.translation import gettext_noop as _

from hub.dicom.digests import are_of_one_kind
from hub.dicom.spool import NotInSpool
from hub.phrases import Phrase, phrase
from routing.arrivals import Arrival
from routing.models import Arrived, Discarded, Instance, Study
from routing.places import spool
from routing.setting_aside import set_aside
from routing.surviving import surviving_id

log = structlog.get_logger(__name__)


def refusal(
    study: Study, arrival: Arrival, known_digest: str | None
) -> tuple[str, Phrase] | None:
    """The attribute for which this instance may not become part of the study, and why; or None."""
    if arrival.header.study.patient_id != study.patient_id and not _is_prior(study, arrival):
        return "PatientID", phrase(_("Patient ID differs from that of the study"))
    # The same number given out by two authorities is two patients; who says nothing says no other.
    if len({arrival.issuer, study.issuer_of_patient_id} - {""}) > 1:
        words = _("Issuer of Patient ID differs from that of the study")
        return "IssuerOfPatientID", phrase(words)
    if known_digest is not None and not _is_same(arrival, known_digest):
        words = _("SOP Instance UID is already used by an instance with other content")
        return "SOPInstanceUID", phrase(words)
    return None


def _is_prior(study: Study, arrival: Arrival) -> bool:
    """Whether the instance bears a Patient ID that was merged into the study's."""
    said = arrival.header.study.patient_id
    return bool(said) and study.patient_id == surviving_id(study.site_id, said, arrival.issuer)


def _is_same(arrival: Arrival, known_digest: str) -> bool:
    """Whether an instance is the one that its site has; what releases before took in is read."""
    ours = arrival.stored.digest
    if are_of_one_kind(ours, known_digest):
        return ours == known_digest
    return spool().has_content(arrival.stored.key, known_digest)


def keep_one(study: Study, arrival: Arrival, known_digest: str) -> None:
    """Of two files with one content keep that of the row, and the new one where that is lost.

    Their names tell the digest of this release, and that of the other one of a release before.
    Where it cannot be told whether the first is whole, both stay.
    """
    uid, stored = arrival.header.instance.sop_instance_uid, arrival.stored
    row: Instance | Arrived | None = (
        Instance.objects.filter(
            study__site=study.site_id, sop_instance_uid=uid, digest=known_digest
        ).first()
        or Arrived.objects.filter(
            site=study.site_id, sop_instance_uid=uid, digest=known_digest
        ).first()
    )  # fmt: skip
    if row is None:
        return
    try:
        is_whole = spool().has_content(row.key, row.digest)
    except NotInSpool:
        is_whole = False
    except Exception:
        log.warning("receive.copy_kept", sender=arrival.sender, exc_info=True)
        return
    if is_whole:
        Discarded.objects.get_or_create(key=stored.key)
    else:
        new = {"key": stored.key, "digest": stored.digest, "size": stored.size}
        type(row)._base_manager.filter(pk=row.pk).update(**new)


def divert(study: Study | None, arrival: Arrival, field: str, why: Phrase) -> None:
    """Report an instance that lies in the spool and belongs to no study."""
    set_aside(
        node=arrival.node, sender=arrival.sender, key=arrival.stored.key,
        why=why, field=field, study=study,
    )  # fmt: skip
    named = str(study.uid) if study else ""
    log.warning("receive.set_aside", study=named, sender=arrival.sender, field=field)
