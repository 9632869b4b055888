"""What becomes of earlier Workitems when a study comes again with other input."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext_noop as _

from hub.phrases import phrase
from routing import nudges, pathway, retracting
from routing.models import Study, Workitem


def replace_earlier(study: Study, wanted: Sequence[Workitem]) -> None:
    """Supersede every Workitem that ``wanted`` does not hold; its successor names it.

    One without a successor is taken back, where the RIS may know it: it stands no longer.
    """
    earlier = (
        study.workitems.exclude(pk__in=[item.pk for item in wanted])
        .exclude(state=Workitem.State.SUPERSEDED)
        .select_related("version__algorithm")
    )
    # What the RIS was told finds its successor before what ran in shadow.
    for item in sorted(earlier, key=lambda one: (one.purpose != "clinical", one.pk)):
        _supersede(item, revision=study.revision)
        successor = _successor(item, wanted, revision=study.revision)
        if successor is not None:
            successor.replaces = item
            successor.save(update_fields=["replaces"])
        elif retracting.may_be_known(item):
            # Asked only now: before it was cancelled it could still be sent.
            retracting.retract(item)


def _successor(item: Workitem, wanted: Sequence[Workitem], *, revision: int) -> Workitem | None:
    """The new Workitem, of the same version if possible, that does not replace another yet."""
    free = [
        one
        for one in wanted
        if one.version.algorithm_id == item.version.algorithm_id
        and one.revision == revision
        and one.replaces_id is None
    ]
    same = [one for one in free if one.version_id == item.version_id]
    return next(iter(same or free), None)


def _supersede(item: Workitem, *, revision: int) -> None:
    why = phrase(_("Superseded: revision %(revision)s has other input"), revision=revision)
    if item.state in (Workitem.State.ENTITLED, Workitem.State.DISPATCHED):
        nudges.abandon(item.pk)
    pathway.advance(item, Workitem.State.SUPERSEDED, why=why, due_at=None)
    retracting.cancel_deliveries(item, why=why)
