"""The pages: worklist, study, operations; and the buttons on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from hub.access import PATIENT_ROLES, holds_role
from hub.pages import way_back
from routing import acting, operations, reading, retention, standing
from routing.filters import StudyFilter
from routing.models import Priority, Study, Workitem
from routing.models.studies import StudyQuerySet
from routing.paging import MOST_COUNTED, NotAPlace, Page, Place, page_of
from routing.pathway import MoveRefused, Overtaken

PAGE_SIZE = 50
REASON_LENGTH = 500
MODALITIES = ("CR", "CT", "DX", "MG", "MR", "NM", "PT", "RF", "US", "XA")


@login_required
@require_GET
def worklist(request: HttpRequest) -> HttpResponse:
    """The studies to read, the sickest patient on top; for htmx the rows alone."""
    sites = reading.visible_sites(request.user)
    studies = reading.worklist(request.user, sites=sites)
    asked = StudyFilter(request.GET, queryset=studies, request=request)
    is_refused = not asked.is_valid()
    found = Study.objects.none() if is_refused else asked.qs
    told = counts(Study.objects.filter(site__in=sites).unread())
    is_narrowed = any(request.GET.get(name) for name in asked.filters)
    page = page_of(
        found,
        size=PAGE_SIZE,
        after=_place(request, "after"),
        before=_place(request, "before"),
        is_counted=is_refused or not asked.is_of_all,
        count=None if is_narrowed else min(told["unread"], MOST_COUNTED),
    )
    reading.note_worklist_seen(request.user, page.studies, asked=request.GET)
    context = {
        "page": page,
        "rows": [_row(study) for study in page.studies],
        "counts": told,
        "asked": asked,
        "is_refused": is_refused,
        "is_narrowed": is_narrowed,
        "sites": sites,
        "has_sites": len(sites) > 1,
        "modality_choices": MODALITIES,
        "priority_choices": [(value.value, value.name) for value in Priority],
        "ai_state_choices": Study.AiState.choices,
        "here": request.get_full_path(),
        "page_links": _page_links(request, page),
        "rendered_at": timezone.now(),
        "may_see_patients": bool(sites) or holds_role(request.user, roles=PATIENT_ROLES),
    }
    return _page(request, "worklist", context)


@login_required
@require_GET
def study(request: HttpRequest, uid: UUID) -> HttpResponse:
    """One study: its facts, its findings, and every step it went with the reason."""
    found = _study(request, uid)
    reading.note_study_seen(request.user, found, again=_is_refresh(request))
    moves = list(found.transitions.all())
    deliveries = list(reading.deliveries_of(found))
    context = {
        "study": found,
        "findings": reading.findings_to_read(found),
        "workitems": _workitems(request.user, found),
        "moves": list(zip(moves, [None, *moves], strict=False)),
        "verdicts": [one for one in found.verdicts.all() if one.revision == found.revision],
        "earlier_verdicts": [
            one for one in found.verdicts.all() if one.revision != found.revision
        ],
        "deliveries": deliveries,
        "here": request.get_full_path(),
        "rendered_at": timezone.now(),
        "is_radiologist": _is(request, acting.RADIOLOGIST, found),
        "is_administrator": _is(request, acting.ADMINISTRATOR, found),
        "reason_length": REASON_LENGTH,
    }
    return _page(request, "study", context)


@login_required
@require_GET
def operate(request: HttpRequest) -> HttpResponse:
    """What needs an administrator: stuck studies, dead letters, silent nodes, input set aside."""
    if not holds_role(request.user, roles=acting.ADMINISTRATOR):
        raise PermissionDenied(_("This page is for administrators."))
    context = {
        "stuck_studies": operations.stuck_studies(request.user)[: operations.SHOWN],
        "stuck_workitems": operations.stuck_workitems(request.user)[: operations.SHOWN],
        "dead_letters": operations.dead_letters(request.user)[: operations.SHOWN],
        "set_aside": operations.set_aside(request.user)[: operations.SHOWN],
        "waiting": standing.waiting(request.user, roles=operations.ROLES),
        "pools": standing.pools_now(),
        "nodes": operations.nodes(request.user),
        "prospects": operations.prospects(request.user),
        "most_counted": retention.MOST_COUNTED,
        "here": request.get_full_path(),
        "rendered_at": timezone.now(),
    }
    return _page(request, "operations", context)


# -- the buttons -------------------------------------------------------------------------------
def button(act: Callable[..., str]) -> Callable[..., HttpResponse]:
    """A POST that does one thing, says what came of it, and goes back to the page."""

    @login_required
    @require_POST
    def press(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            messages.success(request, act(request, **kwargs))
        except MoveRefused as refused:
            messages.error(request, str(refused))
        except Overtaken:
            messages.error(request, _("Somebody else was faster: look at the study again."))
        return redirect(_way_back(request))

    return press


@button
def accept(request: HttpRequest, uid: UUID) -> str:
    """Accept the results of a Workitem."""
    workitem = acting.accept(_user(request), uid)
    if workitem.state == Workitem.State.WRITTEN_BACK:
        return _("Noted that you agree.")
    return _("Accepted: the result is on its way to PACS and RIS.")


@button
def reject(request: HttpRequest, uid: UUID) -> str:
    """Reject the results of a Workitem, with the reason that the person gave."""
    reason = request.POST.get("reason", "").strip()
    if not reason or len(reason) > REASON_LENGTH:
        raise MoveRefused(
            _("Say why the result is rejected, in up to %(length)s characters.")
            % {"length": REASON_LENGTH}
        )
    acting.reject(_user(request), uid, reason=reason)
    return _("Rejected.")


@button
def replay_workitem(request: HttpRequest, uid: UUID) -> str:
    """Run a Workitem again."""
    acting.replay_workitem(_user(request), uid)
    return _("The algorithm runs again.")


@button
def replay_delivery(request: HttpRequest, pk: int) -> str:
    """Try a Delivery again."""
    acting.replay_delivery(_user(request), pk)
    return _("The delivery is tried again.")


@button
def mark_read(request: HttpRequest, uid: UUID) -> str:
    """Take a study off the list of those to read."""
    acting.mark_read(_user(request), _study(request, uid))
    return _("Marked as read.")


@button
def mark_unread(request: HttpRequest, uid: UUID) -> str:
    """Put a study back on the list of those to read."""
    acting.mark_unread(_user(request), _study(request, uid))
    return _("It stands on the worklist again.")


def _way_back(request: HttpRequest) -> str:
    """Where the person was, or the next study to read where they asked for it."""
    if "and_next" in request.POST:
        following = Study.objects.visible_to(request.user).unread().in_reading_order().first()
        return f"/studies/{following.uid}/" if following else "/"
    return way_back(request)


# -- what the pages are made of ----------------------------------------------------------------
def counts(studies: StudyQuerySet) -> dict[str, int]:
    """How many studies wait, how many of them are STAT, on how many AI failed."""
    return studies.aggregate(
        unread=Count("pk"),
        stat=Count("pk", filter=Q(priority=Priority.STAT)),
        failed=Count("pk", filter=Q(ai_state=Study.AiState.FAILED)),
        held=Count("pk", filter=Q(ai_state=Study.AiState.HELD)),
    )


def _row(row: Study) -> dict[str, Any]:
    found = reading.findings_to_read(row)
    shown = [finding for finding in found if finding.status != "absent"]
    absent = [finding for finding in found if finding.status == "absent"]
    return {"study": row, "findings": shown, "absent": absent}


def _workitems(user: Any, found: Study) -> list[dict[str, Any]]:
    items = list(found.workitems.all())
    places = standing.where(items, names=standing.names_for(user))
    return [
        {
            "workitem": item,
            "findings": reading.findings_on_page(item),
            "place": places.get(item.pk),
        }
        for item in items
    ]


def _place(request: HttpRequest, name: str) -> Place | None:
    """Where the page is to begin or end; what is no place begins at the first study."""
    try:
        return Place.read(request.GET.get(name, ""))
    except NotAPlace:
        return None


def _page_links(request: HttpRequest, page: Page) -> dict[str, str]:
    """The addresses of the pages before and after, with the same question."""
    kept = [item for item in request.GET.items() if item[0] not in ("before", "after")]
    ends = {"before": page.before, "after": page.after}
    return {
        name: "?" + urlencode([*kept, (name, str(place))]) for name, place in ends.items() if place
    }


def _page(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    """The whole page, or for htmx only the part that changes."""
    part = f"routing/{name}_part.html" if _is_refresh(request) else f"routing/{name}.html"
    response = render(request, part, context)
    response.headers["Vary"] = "HX-Request, Cookie"
    return response


def _is_refresh(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def _is(request: HttpRequest, roles: tuple[str, ...], found: Study) -> bool:
    return holds_role(request.user, roles=roles, site=found.site)


def _user(request: HttpRequest) -> Any:
    return request.user


def _study(request: HttpRequest, uid: UUID) -> Study:
    """The study, if the user may see it; the same 404 for one that is not there."""
    found = reading.whole_studies(request.user).filter(uid=uid).first()
    if found is None:
        raise Http404
    return found
