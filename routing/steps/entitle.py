"""Step 4: ask the contracts whether this hospital may use this algorithm on this study."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from contracts import entitlement
from contracts.clauses import Refused
from hub.phrases import phrase
from routing import nudges, pathway, worklist
from routing.models import Study, Workitem


@transaction.atomic
def entitle(workitem: Workitem) -> None:
    """Move a matched Workitem to ``entitled``, or to ``refused`` with the clause that refused."""
    if workitem.state != Workitem.State.MATCHED:
        return
    Study.objects.lock(workitem.study_id)
    now = timezone.now()
    answer = entitlement.entitle(site=workitem.study.site, version=workitem.version, at=now)
    if isinstance(answer, Refused):
        pathway.advance(workitem, Workitem.State.REFUSED, why=answer.why, due_at=None)
        worklist.place(workitem.study)
        return
    pathway.advance(
        workitem,
        Workitem.State.ENTITLED,
        why=phrase(
            _("Call-off %(call_off)s covers it (%(purpose)s use)"),
            call_off=answer.call_off_code,
            purpose=worklist.PURPOSE_WORDS[answer.purpose],
        ),
        line_id=answer.line_id,
        purpose=answer.purpose,
        write_back_mode=answer.write_back,
        due_at=now,
    )
    worklist.place(workitem.study)
    nudges.dispatch(workitem.version_id)

