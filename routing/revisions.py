"""Where a study begins, and where a late instance opens its next revision."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext_noop as _

from hub.phrases import phrase
from routing import pathway, worklist
from routing.models import Study


def begin(study: Study) -> None:
    """Note that the first instance of a study has come."""
    source = study.source.code if study.source else ""
    pathway.note(
        study,
        from_state="",
        to_state=study.state,
        why=phrase(_("First instance received from %(node)s"), node=source),
    )


def open_next(study: Study, *, instances: int, has_images: bool) -> None:
    """Open the next revision, because instances came after the study was thought complete.

    Results of the earlier revision stay until match() has seen whether their input changed, and
    the worklist says that AI has not seen all of it yet. Images bring a study that was read back
    to the list, for nobody has read those; what a workstation added while reading does not.
    """
    pathway.advance(
        study,
        Study.State.RECEIVING,
        why=phrase(
            _("%(count)s instances came after the study was complete: revision %(revision)s"),
            count=instances,
            revision=study.revision + 1,
        ),
        revision=study.revision + 1,
        completed_by="",
        first_instance_at=timezone.now(),
        is_read=study.is_read and not has_images,
    )
    worklist.place(study)
