"""Who may ask for which act on a study: finds the row, asks for the role, calls the one verb."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext as _

from hub.access import PATIENT_ROLES, holds_role, site_clause
from hub.models import Site
from routing import replay, review
from routing.models import Delivery, Study, Workitem

if TYPE_CHECKING:
    from hub.models import User

RADIOLOGIST = ("radiologist",)
ADMINISTRATOR = ("administrator",)


def accept(user: User, uid: UUID) -> Workitem:
    """Accept the results of a Workitem, on behalf of a radiologist of its site."""
    workitem = _workitem(user, uid)
    _demand(user, workitem.study.site, RADIOLOGIST)
    review.accept(workitem, by=user)
    return _workitem(user, uid)


def reject(user: User, uid: UUID, *, reason: str) -> Workitem:
    """Reject the results of a Workitem, on behalf of a radiologist of its site."""
    workitem = _workitem(user, uid)
    _demand(user, workitem.study.site, RADIOLOGIST)
    review.reject(workitem, by=user, reason=reason)
    return _workitem(user, uid)


def replay_workitem(user: User, uid: UUID) -> Workitem:
    """Run a Workitem again: an administrator any, a radiologist of its site one that failed."""
    workitem = _workitem(user, uid)
    may = PATIENT_ROLES if workitem.state == Workitem.State.FAILED else ADMINISTRATOR
    _demand(user, workitem.study.site, may)
    replay.replay_workitem(workitem, by=user)
    return _workitem(user, uid)


def replay_delivery(user: User, pk: int) -> Delivery:
    """Try a Delivery again, on behalf of an administrator."""
    delivery = _delivery(user, pk)
    _demand(user, delivery.workitem.study.site, ADMINISTRATOR)
    replay.replay_delivery(delivery, by=user)
    return _delivery(user, pk)


def mark_read(user: User, study: Study) -> None:
    """Take a study off the list of those to read, on behalf of a radiologist of its site."""
    _demand(user, study.site, RADIOLOGIST)
    review.mark_read(study, by=user)


def mark_unread(user: User, study: Study) -> None:
    """Put a study back on the list of those to read, on behalf of a radiologist of its site."""
    _demand(user, study.site, RADIOLOGIST)
    review.mark_unread(study, by=user)


def _workitem(user: User, uid: UUID) -> Workitem:
    rows = Workitem.objects.select_related(
        "study__site", "version__algorithm", "reviewed_by"
    ).filter(site_clause(user, path="study__site", roles=PATIENT_ROLES), uid=uid)
    if found := rows.first():
        return found
    raise Http404


def _delivery(user: User, pk: int) -> Delivery:
    rows = Delivery.objects.select_related(
        "node", "workitem__study__site", "workitem__version__algorithm"
    ).filter(site_clause(user, path="workitem__study__site", roles=PATIENT_ROLES), pk=pk)
    if found := rows.first():
        return found
    raise Http404


def _demand(user: User, site: Site, roles: tuple[str, ...]) -> None:
    if holds_role(user, roles=roles, site=site):
        return
    if roles == RADIOLOGIST:
        raise PermissionDenied(_("Only a radiologist of %(site)s may do this.") % {"site": site})
    if roles == ADMINISTRATOR:
        raise PermissionDenied(_("Only an administrator of %(site)s may do this.") % {"site": site})
    raise PermissionDenied(_("Your roles at %(site)s do not allow this.") % {"site": site})
