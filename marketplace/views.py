"""The pages of the marketplace: catalogue, algorithm, comparison, deployments and their gates."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from hub.access import ANY_ROLE, is_staff_member
from hub.models import Site
from hub.phrases import render as worded
from marketplace import card_text, comparing, deploying, gate_files, sboms
from marketplace import catalogue as offers
from marketplace.api import compared
from marketplace.catalogue import MOST_COMPARED, CatalogueFilter
from marketplace.deciding import counts_of
from marketplace.deploying import BY_ONE, MoveNotAllowed, signed_for
from marketplace.deployments_api import deployments_of, notices_of
from marketplace.expiry import alarm_of
from marketplace.gates import GATES_FOR, Standing, digest_of, facts_for, owners_of, standing
from marketplace.models import AlgorithmVersion, Deployment, Gate, GateFile
from marketplace.transition import transition_of
from marketplace.validation import sample_size
from vendors import filing
from vendors.belonging import may_bring_papers, may_keep_vendors

PAGE_SIZE = 50
REASON_LENGTH = 500


@login_required
@require_GET
def catalogue(request: HttpRequest) -> HttpResponse:
    """What is on offer, narrowed by what is asked; a box before each to compare."""
    rows = offers.offered_to(request.user).prefetch_related("versions__clearance", "evidence")
    asked = CatalogueFilter(request.GET, queryset=rows, request=request)
    found = asked.qs if asked.is_valid() else rows.none()
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    entries = offers.entries(page.object_list)
    chosen = set(request.GET.getlist("code"))
    shown = {one.algorithm.code for one in entries}
    context = {
        "page": page,
        "entries": entries,
        "asked": asked,
        "choices": offers.choices(request.user, list(rows)),
        "chosen": chosen,
        "chosen_elsewhere": [one for one in rows if one.code in chosen - shown],
        "most": MOST_COMPARED,
        "is_narrowed": any(request.GET.get(name) for name in asked.filters),
        "notices": [one for one in notices_of(request.user)[:50] if one.is_open],
        "may_keep": may_keep_vendors(request.user),
    }
    return render(request, "marketplace/catalogue.html", context)


@login_required
@require_GET
def algorithm(request: HttpRequest, code: str) -> HttpResponse:
    """One algorithm: evidence matrix, certificate, versions, and where it is in use."""
    row = offers.offered_to(request.user).filter(code=code).first()
    if row is None:
        raise Http404
    entry = offers.entries([row])[0]
    versions = row.versions.select_related("clearance", "sbom", "model_card").order_by("-pk")
    papers = filing.whole(row.papers.select_related("version", "algorithm"))
    cited = {one.reference for one in entry.evidence}
    context = {
        "entry": entry,
        "algorithm": row,
        "versions": [
            _version(one) | {"papers": [each for each in papers if each.version_id == one.pk]}
            for one in versions
        ],
        "texts": [one for one in papers if one.reference in cited],
        "withdrawn": [one for one in papers if one.reference and one.reference not in cited],
        "deployments": deployments_of(request.user).filter(version__algorithm=row),
        "may_keep": may_keep_vendors(request.user),
        "may_bring": may_bring_papers(request.user, row.vendor),
        "may_begin": is_staff_member(request.user),
    }
    return render(request, "marketplace/algorithm.html", context)


@login_required
@require_GET
def compare(request: HttpRequest) -> HttpResponse:
    """Up to four algorithms side by side."""
    asked = list(dict.fromkeys(request.GET.getlist("code")))
    found = compared(request.user, ",".join(asked))
    rows = comparing.comparison(found, user=request.user)
    chosen = [one.algorithm.code for one in found]
    context = {
        "groups": [(name, list(some)) for name, some in groupby(rows, lambda row: row.group)],
        "columns": [(one, [code for code in chosen if code != one.algorithm.code])
                    for one in found],
        "chosen": chosen, "most": MOST_COMPARED, "are_too_many": len(asked) > MOST_COMPARED,
    }  # fmt: skip
    return render(request, "marketplace/compare.html", context)


@login_required
@require_GET
def deployments(request: HttpRequest) -> HttpResponse:
    """Where which version is in use, at the sites of the user."""
    asked = {name: request.GET.get(name, "").replace("\x00", "") for name in ("site", "state")}
    rows = deployments_of(request.user)
    if asked["site"]:
        rows = rows.filter(site__code=asked["site"])
    if asked["state"]:
        rows = rows.filter(state=asked["state"])
    context = {
        "page": Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page")),
        "asked": asked, "states": Deployment.State.choices,
        "sites": Site.objects.visible_to(request.user, roles=ANY_ROLE).order_by("name"),
    }  # fmt: skip
    return render(request, "marketplace/deployments.html", context)


@login_required
@require_GET
def deployment(request: HttpRequest, pk: int) -> HttpResponse:
    """One version at one site: its gates, who has signed, and how it got here."""
    row = _deployment(request, pk)
    gates = standing(row)
    owners = owners_of(row, gates)
    files = gate_files.behind(owners)
    context = {
        "deployment": row,
        "why": worded(row.suspended_why),
        "gates": [_gate(one, files[one.kind], owner=owners[one.kind]) for one in gates],
        "up": [_way_up(row, to, gates, by=request.user) for to in sorted(signed_for(row))],
        "down": [(to, Deployment.State(to).label) for to in sorted(BY_ONE.get(row.state, ()))],
        "waiting": [
            {"row": one, "label": _label(one.to)}
            for one in row.signatures.filter(move=None).select_related("user")
        ],
        "moves": [
            (one, _label(one.was), _label(one.became),
             _(deploying.BY_FILE) if one.why == deploying.BY_FILE else worded(one.why))
            for one in row.moves.all()
        ],
        "is_early": row.state == Deployment.State.SHADOW
        and not all(one.stands for one in gates if one.kind in (Gate.Kind.DPIA, Gate.Kind.DPA)),
        "reason_length": REASON_LENGTH,
    }
    return render(request, "marketplace/deployment.html", context)


@login_required
@require_POST
def sign(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign that it goes on."""
    row = _deployment(request, pk)
    try:
        to, seen = request.POST.get("to", ""), request.POST.get("seen", "")
        move = deploying.sign(row, to=to, by=_user(request), seen=seen)
        said = _("Signed: it is in its new state.") if move else _("Signed: one more must sign.")
        messages.success(request, said)
    except MoveNotAllowed as refused:
        messages.error(request, str(refused))
    return redirect("deployment", pk=row.pk)


@login_required
@require_POST
def step(request: HttpRequest, pk: int) -> HttpResponse:
    """Suspend it, retire it, or take it a state back."""
    row = _deployment(request, pk)
    why = request.POST.get("why", "").strip()
    try:
        if not why or len(why) > REASON_LENGTH or not why.isprintable():
            raise MoveNotAllowed(
                _("Say why, in up to %(length)s characters.") % {"length": REASON_LENGTH}
            )
        deploying.step(row, to=request.POST.get("to", ""), why=why, by=_user(request))
        messages.success(request, _("Recorded."))
    except MoveNotAllowed as refused:
        messages.error(request, str(refused))
    return redirect("deployment", pk=row.pk)


def _version(row: AlgorithmVersion) -> dict[str, Any]:
    clearance = getattr(row, "clearance", None)
    sbom, card = getattr(row, "sbom", None), getattr(row, "model_card", None)
    today = timezone.localdate()
    return {
        "row": row,
        "performer": row.declared.performer,
        "clearance": clearance,
        "alarm": alarm_of(clearance, on=today),
        "transition": transition_of(clearance, on=today) if clearance else None,
        "sbom": sboms.summary(sbom.document) if sbom else None,
        "card": card_text.sections(card.document) if card else None,
        "notices": [
            one.notice for one in row.notices.select_related("notice") if one.notice.is_open
        ],
    }


def _label(state: str) -> str:
    """A state as people say it."""
    return str(Deployment.State(state).label) if state in Deployment.State.values else state


def _gate(one: Standing, files: list[GateFile], *, owner: int) -> dict[str, Any]:
    details = one.gate.details if one.gate else {}
    told: dict[str, Any] = {
        "one": one,
        "label": one.kind.label,
        "files": files, "owner": owner,
        "is_file_missing": gate_files.is_missing(one.kind, files),
        "needed_for": [Deployment.State(to).label for to, kinds in GATES_FOR.items()
                       if one.kind in kinds],
    }  # fmt: skip
    if one.kind == Gate.Kind.LOCAL_VALIDATION and details:
        counts, confidence = counts_of(details), details.get("confidence", 0.95)
        told |= {
            "counts": counts,
            "sensitivity": _percents(counts.sensitivity(confidence)),
            "specificity": _percents(counts.specificity(confidence)),
            "needed": sample_size(
                details["expected_sensitivity"], margin=details["margin"],
                prevalence=details["prevalence"], confidence=confidence,
            ),
        }  # fmt: skip
    return told


def _percents(interval: Any) -> str:
    if interval.rate is None:
        return "–"
    rate, low, high = (
        number_format(round(100 * one, 2), decimal_pos=2)
        for one in (interval.rate, interval.low, interval.high)
    )
    return f"{rate} % ({low}–{high})"


def _way_up(row: Deployment, to: str, gates: tuple[Standing, ...], *, by: Any) -> dict[str, Any]:
    needed = [one for one in gates if one.kind in GATES_FOR[to]]
    return {
        "to": to, "label": Deployment.State(to).label,
        "missing": [one.kind.label for one in needed if not one.stands],
        "is_signed": row.signatures.filter(move=None, to=to, user=by).exists(),
        "seen": digest_of(facts_for(row, to=to)),
    }  # fmt: skip


def _deployment(request: HttpRequest, pk: int) -> Deployment:
    if found := deployments_of(request.user).filter(pk=pk).first():
        return found
    raise Http404


def _user(request: HttpRequest) -> Any:
    return request.user
