"""Step 3: give every algorithm that has a rule at this site its verdict, with its clause."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext_noop as _

from hub.phrases import phrase
from routing import linking, pathway, priority_changes, superseding, verdicts, worklist
from routing.models import Study


@transaction.atomic
def match(study: Study) -> None:
    """Move a complete study to ``matched``, with a Verdict for each version considered.

    A Workitem whose input did not change since the last revision stands as it is; one whose input
    changed is superseded by a new one.
    """
    if study.state != Study.State.COMPLETE:
        return
    # Held from here on: an order that changes now waits, and then sees the verdicts.
    Study.objects.lock(study.pk)
    study.refresh_from_db(fields=["order"])
    if study.order is None:
        # Under READ COMMITTED an order and a study that came at once did not see each other.
        linking.link_study(study)
    wanted = verdicts.give(study)
    pathway.advance(
        study,
        Study.State.MATCHED,
        why=phrase(_("algorithms that want this study: %(count)s"), count=len(wanted)),
        due_at=None,
    )
    superseding.replace_earlier(study, wanted)
    worklist.place(study)
    priority_changes.tell(study)
