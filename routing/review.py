"""What a radiologist decides: accept or reject a result, mark a study as read or unread."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub import audit
from hub.models import User
from hub.phrases import phrase
from routing import nudges, pathway, priority_changes, retracting, worklist
from routing.models import Study, Workitem
from routing.pathway import Overtaken
from routing.settling import STANDING


@transaction.atomic
def accept(workitem: Workitem, *, by: User) -> None:
    """Let a held result go out; for one that went out already, note that it was agreed with."""
    review = {"review": "accepted", "reviewed_by": by, "reviewed_at": timezone.now()}
    if workitem.state in STANDING:
        row = Workitem.objects.filter(pk=workitem.pk, state__in=STANDING)
        if not row.filter(review="").update(**review):
            if row.filter(review="accepted").exists():
                return  # the first who agreed stays
            raise Overtaken(f"{workitem} was rejected or superseded meanwhile")
    else:
        pathway.advance(
            workitem,
            Workitem.State.COLLECTED,
            why=phrase(_("accepted by %(name)s"), name=str(by)),
            by=by.username,
            due_at=timezone.now(),
            **review,
        )
        nudges.write_back(workitem.pk)
    _audit("result.accepted", workitem, by)


@transaction.atomic
def reject(workitem: Workitem, *, by: User, reason: str = "") -> None:
    """Take a result out of use; what the RIS was told is cancelled (ORU status X)."""
    Study.objects.lock(workitem.study_id)
    words = _("rejected by %(name)s: %(reason)s") if reason else _("rejected by %(name)s")
    why = phrase(words, name=str(by), reason=reason)
    pathway.advance(
        workitem,
        Workitem.State.REJECTED,
        why=why,
        by=by.username,
        due_at=None,
        review="rejected",
        reviewed_by=by,
        reviewed_at=timezone.now(),
    )
    retracting.cancel_deliveries(workitem, why=why, by=by.username)
    # Asked only now: before it was cancelled it could still be sent.
    if retracting.may_be_known(workitem):
        retracting.retract(workitem)
    worklist.place(workitem.study)
    # Another algorithm's critical finding may have relied on the change that was cancelled.
    priority_changes.tell(workitem.study)
    _audit("result.rejected", workitem, by)


@transaction.atomic
def mark_read(study: Study, *, by: User) -> None:
    """Take a study off the list of those that wait for a reader."""
    Study.objects.filter(pk=study.pk).update(is_read=True, changed_at=timezone.now())
    study.is_read = True
    pathway.note(
        study, from_state=study.state, to_state=study.state,
        why=phrase(_("read by %(name)s"), name=str(by)), by=by.username,
    )  # fmt: skip
    audit.record("study.read", actor=by, site=study.site, subject=str(study.uid))


@transaction.atomic
def mark_unread(study: Study, *, by: User) -> None:
    """Put a study that was marked as read by mistake back on the list."""
    Study.objects.filter(pk=study.pk).update(is_read=False, changed_at=timezone.now())
    study.is_read = False
    pathway.note(
        study, from_state=study.state, to_state=study.state,
        why=phrase(_("put back on the worklist by %(name)s"), name=str(by)), by=by.username,
    )  # fmt: skip
    audit.record("study.unread", actor=by, site=study.site, subject=str(study.uid))


def _audit(action: str, workitem: Workitem, by: User) -> None:
    study = workitem.study
    audit.record(
        action, actor=by, site=study.site, subject=str(study.uid),
        workitem=str(workitem.uid), algorithm=str(workitem.version),
    )  # fmt: skip
