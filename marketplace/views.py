"""The pages of the marketplace: catalogue, algorithm, comparison, deployments and their gates."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.forms import BooleanField, CharField, DateField, Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from hub.phrases import render as worded
from marketplace import catalogue as offers
from marketplace import deciding, deploying, sboms
from marketplace.api import compared
from marketplace.catalogue import MOST_COMPARED, CatalogueFilter
from marketplace.deciding import Decision, DecisionRefused, counts_of
from marketplace.deploying import BY_ONE, MoveNotAllowed, signed_for
from marketplace.deployments_api import deployments_of, notices_of
from marketplace.expiry import alarm_of
from marketplace.gates import GATES_FOR, Standing, standing
from marketplace.models import AlgorithmVersion, Deployment, Gate
from marketplace.transition import transition_of
from marketplace.validation import sample_size

PAGE_SIZE = 50
REASON_LENGTH = 500


class DecisionForm(Form):
    """What was decided at a gate."""

    is_passed = BooleanField(required=False)
    evidence = CharField(max_length=2000, required=False, label=gettext_lazy("Evidence"))
    owner = CharField(max_length=200, required=False, label=gettext_lazy("In charge"))
    decided_on = DateField(required=False)
    valid_until = DateField(required=False)
    details = CharField(max_length=20_000, required=False)

    def clean_details(self) -> dict[str, Any]:
        """What only this gate has, as JSON."""
        text = self.cleaned_data["details"].strip()
        try:
            held = json.loads(text) if text else {}
        except ValueError:
            held = None
        if not isinstance(held, dict):
            raise DecisionRefused([("details", "expected an object in JSON")])
        return held


@login_required
@require_GET
def catalogue(request: HttpRequest) -> HttpResponse:
    """What is on offer, narrowed by what is asked; a box before each to compare."""
    rows = offers.offered_to(request.user).prefetch_related("versions__clearance", "evidence")
    asked = CatalogueFilter(request.GET, queryset=rows, request=request)
    found = asked.qs if asked.is_valid() else rows.none()
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "entries": offers.entries(page.object_list),
        "asked": asked,
        "most": MOST_COMPARED,
        "is_narrowed": any(request.GET.get(name) for name in asked.filters),
        "notices": [one for one in notices_of(request.user)[:50] if one.is_open],
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
    context = {
        "entry": entry,
        "algorithm": row,
        "versions": [_version(one) for one in versions],
        "deployments": deployments_of(request.user).filter(version__algorithm=row),
    }
    return render(request, "marketplace/algorithm.html", context)


@login_required
@require_GET
def compare(request: HttpRequest) -> HttpResponse:
    """Up to four algorithms side by side."""
    codes = ",".join(request.GET.getlist("code"))
    found = compared(request.user, codes)
    context = {"found": found, "rows": offers.comparison(found), "most": MOST_COMPARED}
    return render(request, "marketplace/compare.html", context)


@login_required
@require_GET
def deployments(request: HttpRequest) -> HttpResponse:
    """Where which version is in use, at the sites of the user."""
    page = Paginator(deployments_of(request.user), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "marketplace/deployments.html", {"page": page})


@login_required
@require_GET
def deployment(request: HttpRequest, pk: int) -> HttpResponse:
    """One version at one site: its gates, who has signed, and how it got here."""
    row = _deployment(request, pk)
    gates = standing(row)
    context = {
        "deployment": row,
        "why": worded(row.suspended_why),
        "gates": [_gate(one) for one in gates],
        "up": [_way_up(to, gates) for to in sorted(signed_for(row))],
        "down": [(to, Deployment.State(to).label) for to in sorted(BY_ONE.get(row.state, ()))],
        "waiting": row.signatures.filter(move=None).select_related("user"),
        "moves": [(one, worded(one.why)) for one in row.moves.all()],
        "is_early": row.state == Deployment.State.SHADOW
        and not all(one.stands for one in gates if one.kind in (Gate.Kind.DPIA, Gate.Kind.DPA)),
        "reason_length": REASON_LENGTH,
    }
    return render(request, "marketplace/deployment.html", context)


@login_required
@require_POST
def decide(request: HttpRequest, pk: int, gate: str) -> HttpResponse:
    """Record what was decided at a gate."""
    row = _deployment(request, pk)
    if gate not in Gate.Kind.values:
        raise Http404
    try:
        form = DecisionForm(request.POST)
        if not form.is_valid():
            raise DecisionRefused(
                [(name, " ".join(map(str, told))) for name, told in form.errors.items()]
            )
        decision = Decision(**form.cleaned_data)
        deciding.decide(row, Gate.Kind(gate), decision, by=_user(request))
        messages.success(request, _("Recorded."))
    except DecisionRefused as refused:
        for path, text in refused.problems:
            messages.error(request, f"{path}: {text}")
    return redirect("deployment", pk=row.pk)


@login_required
@require_POST
def sign(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign that it goes on."""
    row = _deployment(request, pk)
    try:
        move = deploying.sign(row, to=request.POST.get("to", ""), by=_user(request))
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
    sbom = getattr(row, "sbom", None)
    today = timezone.localdate()
    return {
        "row": row,
        "performer": row.declared.performer,
        "clearance": clearance,
        "alarm": alarm_of(clearance, on=today),
        "transition": transition_of(clearance, on=today) if clearance else None,
        "sbom": sboms.summary(sbom.document) if sbom else None,
        "card": getattr(row, "model_card", None),
        "notices": [
            one.notice for one in row.notices.select_related("notice") if one.notice.is_open
        ],
    }


def _gate(one: Standing) -> dict[str, Any]:
    details = one.gate.details if one.gate else {}
    told: dict[str, Any] = {
        "one": one,
        "label": one.kind.label,
        "needed_for": [Deployment.State(to).label for to, kinds in GATES_FOR.items()
                       if one.kind in kinds],
        "details": json.dumps(details, indent=1, ensure_ascii=False) if details else "",
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
    return f"{100 * interval.rate:.2f} % ({100 * interval.low:.2f}–{100 * interval.high:.2f})"


def _way_up(to: str, gates: tuple[Standing, ...]) -> dict[str, Any]:
    needed = [one for one in gates if one.kind in GATES_FOR[to]]
    return {
        "to": to, "label": Deployment.State(to).label,
        "missing": [one.kind.label for one in needed if not one.stands],
    }  # fmt: skip


def _deployment(request: HttpRequest, pk: int) -> Deployment:
    if found := deployments_of(request.user).filter(pk=pk).first():
        return found
    raise Http404


def _user(request: HttpRequest) -> Any:
    return request.user
