"""The pages on which a version is taken into use and a gate of its deployment is decided."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from hub import conditional
from hub import forms as base
from hub.access import ANY_ROLE, is_staff_member
from hub.conditional import NotAsSeen
from hub.models import Site
from marketplace import catalogue, deploying, papers
from marketplace.deciding import DecisionRefused
from marketplace.deploying import MoveNotAllowed
from marketplace.deployments_api import decided_at, deployments_of
from marketplace.gate_forms import FORMS, DecisionForm, MetricSet
from marketplace.models import AlgorithmVersion, Deployment, Gate
from vendors import filing
from vendors.belonging import own_vendor
from vendors.filing import FileRefused

METHODS = ("GET", "HEAD", "POST")


class _Versions(base.Chooser):
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.algorithm.name} {obj.version} · {obj.algorithm.vendor.name}"


class BeginForm(base.Form):
    """A version that is taken into use at a site."""

    site = base.row(gettext_lazy("Site"))
    version = _Versions(queryset=None, label=gettext_lazy("Version"), empty_label=None)

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        base.set_rows(self, "site", Site.objects.visible_to(user, roles=ANY_ROLE).order_by("name"))
        rows = AlgorithmVersion.objects.filter(algorithm__in=catalogue.offered_to(user))
        rows = rows.select_related("algorithm__vendor").order_by("algorithm__name", "-pk")
        base.set_rows(self, "version", rows)


@login_required
@require_http_methods(METHODS)
def begin(request: HttpRequest) -> HttpResponse:
    """Take a version into use in shadow: it runs, and nothing leaves the hub."""
    if not is_staff_member(request.user) or own_vendor(request.user) is not None:
        raise PermissionDenied(_("This is for those who hold a role here."))
    asked = {name: request.GET[name] for name in ("site", "version") if name in request.GET}
    form = BeginForm(_sent(request), key="begin", user=request.user, initial=asked)
    if form.is_bound and form.is_valid():
        said = form.cleaned_data
        try:
            row = deploying.begin(said["version"], site=said["site"], by=_user(request))
        except MoveNotAllowed as refused:
            form.refuse([str(refused)])
        else:
            messages.success(request, _("It runs in shadow: nothing of it leaves the hub."))
            return redirect("deployment", pk=row.pk)
    return _page(
        request, form, heading=_("Take a version into use"), submit=_("Begin in shadow"),
        back=reverse("deployments"), back_label=_("Deployments"),
        intro=_("It begins in shadow. Validation and clinical use follow when their gates stand "
                "and two people have signed."),
    )  # fmt: skip


@login_required
@require_http_methods(METHODS)
def decide(request: HttpRequest, pk: int, gate: str) -> HttpResponse:
    """Record what was decided at a gate, on a form of what that gate holds."""
    row = deployments_of(request.user).filter(pk=pk).first()
    if row is None or gate not in FORMS:
        raise Http404
    kind = Gate.Kind(gate)
    held = row.gates.filter(kind=kind).first()
    sent = (request.POST, request.FILES) if request.method == "POST" else ()
    seen = conditional.revision(lambda: decided_at(row, kind))
    form = FORMS[kind](*sent, key="gate", initial=_shown(held) | {"revision": seen})
    form.fields["revision"] = base.revision()
    form.offer(filing.standing(row.files.filter(gate=kind)))
    metrics = None
    if kind == Gate.Kind.MONITORING_PLAN:
        metrics = MetricSet(
            _sent(request), prefix="metrics", initial=held.details.get("metrics") if held else None
        )
    is_fit = form.is_bound and form.is_valid() and (metrics is None or metrics.is_valid())
    if is_fit and _decided(row, kind, form, metrics, by=_user(request)):
        messages.success(request, _("Recorded."))
        return redirect("deployment", pk=row.pk)
    return _page(
        request, form, heading=kind.label, submit=_("Record"),
        back=reverse("deployment", args=[pk]), back_label=f"{row.version} · {row.site.name}",
        sets=[(_("Metrics"), metrics, "set-metrics")] if metrics is not None else [],
    )  # fmt: skip


def _decided(
    row: Deployment, kind: Gate.Kind, form: DecisionForm, metrics: Any, *, by: Any
) -> bool:
    """Record it; a refusal is put beside the field that it is about."""
    more = {}
    if metrics is not None:
        more["metrics"] = [one for one in metrics.cleaned_data if one.get("metric")]
    of = form.cleaned_data.pop("revision") or "*"
    try:
        with conditional.as_seen(
            row, lambda: decided_at(row, kind), of=of, called=str(row.version)
        ):
            papers.decide_on(row, kind, form.decision(**more), form.brought(), by=by)
    except NotAsSeen as refused:
        form.refuse([str(refused.detail)])
        return False
    except DecisionRefused as refused:
        form.refuse(f"{path.removeprefix('details.')}: {rule}" for path, rule in refused.problems)
        return False
    except FileRefused as refused:
        form.refuse(base.told(refused))
        return False
    return True


def _shown(held: Gate | None) -> dict[str, Any]:
    """What the form says before anybody has typed: what was decided last."""
    if held is None:
        return {}
    return dict(held.details) | {
        "is_passed": "yes" if held.is_passed else "no", "evidence": held.evidence,
        "owner": held.owner, "valid_until": held.valid_until,
    }  # fmt: skip


def _sent(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _user(request: HttpRequest) -> Any:
    return request.user


def _page(request: HttpRequest, form: base.Form, **said: Any) -> HttpResponse:
    status = 400 if form.is_bound else 200
    return render(request, "hub/form.html", {"form": form, **said}, status=status)
