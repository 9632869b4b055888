"""The pages on which algorithms, versions, their papers and their evidence are put on record."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from hub import conditional
from hub import forms as base
from hub.conditional import NotAsSeen
from marketplace import catalogue, clearing, paper_forms, publishing
from marketplace.api import clearance_told
from marketplace.clearing import Cleared
from marketplace.models import Algorithm, AlgorithmVersion
from marketplace.publishing import NotPublished, Reference
from marketplace.serializers import ClearanceSerializer, EvidenceSerializer
from vendors import packages
from vendors.belonging import demand_bringer, demand_keeper
from vendors.manifest import Manifest, ManifestInvalid
from vendors.packages import PackageInvalid

METHODS = ("GET", "HEAD", "POST")
_EMPTY: dict[str, Any] = {"needs": {"modality": []}, "returns": {"findings": []}}


@login_required
@require_http_methods(METHODS)
def offer(request: HttpRequest) -> HttpResponse:
    """Put an algorithm into the catalogue."""
    demand_keeper(request.user)
    form = paper_forms.OfferForm(_sent(request), key="offer", user=request.user)
    if form.is_bound and form.is_valid():
        said = dict(form.cleaned_data)
        if _done(form, lambda: publishing.offer(said.pop("vendor"), by=_user(request), **said)):
            messages.success(request, _("It is in the catalogue: put a version on record."))
            return redirect("algorithm", said["code"])
    return _page(
        request, form, heading=_("New algorithm"), back=reverse("catalogue"),
        back_label=_("Catalogue"),
    )  # fmt: skip


@login_required
@require_http_methods(METHODS)
def release(request: HttpRequest, code: str) -> HttpResponse:
    """Put a version on record; or make a draft of its manifest from a package."""
    row = _algorithm(request, code)
    demand_keeper(request.user)
    is_draft = request.method == "POST" and "packaging" in request.POST
    package = paper_forms.PackageForm(
        *((request.POST, request.FILES) if is_draft else ()), key="package"
    )
    drafted, missing = _draft(row, package) if is_draft else (None, [])
    form = paper_forms.ReleaseForm(
        None if is_draft else _sent(request), key="release",
        initial={"manifest": _told(drafted or _started(row))},
    )  # fmt: skip
    if form.is_bound and form.is_valid():
        said = dict(form.cleaned_data)
        if _done(form, lambda: publishing.release(
            row, said.pop("manifest"), by=_user(request), **said
        )):  # fmt: skip
            messages.success(request, _("The version is on record: its CE mark is next."))
            return redirect("algorithm", code)
    context = {
        "form": form, "package": package, "missing": missing, "algorithm": row,
        "is_drafted": drafted is not None,
    }  # fmt: skip
    status = 400 if form.is_bound or package.errors else 200
    return render(request, "marketplace/release.html", context, status=status)


@login_required
@require_http_methods(METHODS)
def clear(request: HttpRequest, code: str, version: str) -> HttpResponse:
    """Put the CE mark of a version on record."""
    row = _version(request, code, version)
    demand_keeper(request.user)
    held = getattr(row, "clearance", None)
    names = paper_forms.ClearanceForm.base_fields
    shown = {name: getattr(held, name) for name in names} if held else {}
    form = paper_forms.ClearanceForm(_sent(request), key="clearance", initial=shown)
    seen = _Seen(form, row, lambda: clearance_told(row))
    if form.is_bound and form.is_valid():
        of, said = seen.of(), _judged(form, ClearanceSerializer)
        if said is not None and seen.is_done(
            of, lambda: clearing.record(row, Cleared(**said), by=_user(request))
        ):
            messages.success(request, _("Recorded."))
            return redirect("algorithm", code)
    return _page(
        request, form, heading=_("CE mark of %(version)s") % {"version": row},
        back=reverse("algorithm", args=[code]), back_label=row.algorithm.name,
    )  # fmt: skip


@login_required
@require_http_methods(METHODS)
def cite(request: HttpRequest, code: str) -> HttpResponse:
    """Add a reference to the evidence matrix."""
    row = _brought(request, code)
    form = paper_forms.EvidenceForm(_sent(request), key="evidence")
    if form.is_bound and form.is_valid():
        said = _judged(form, EvidenceSerializer)
        if said is not None:
            publishing.cite(row, Reference(**said), by=_user(request))
            messages.success(request, _("The reference is in the matrix."))
            return redirect("algorithm", code)
    return _page(
        request, form, heading=_("Add a reference"), back=reverse("algorithm", args=[code]),
        back_label=row.name,
    )  # fmt: skip


@login_required
@require_POST
def withdraw(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """Take a reference off the record."""
    found = _brought(request, code).evidence.filter(pk=pk).first()
    if found is None:
        raise Http404
    publishing.withdraw(found, by=_user(request))
    messages.success(request, _("The reference is off the record."))
    return redirect("algorithm", code)


@login_required
@require_http_methods(METHODS)
def keep_sbom(request: HttpRequest, code: str, version: str) -> HttpResponse:
    """Take in the bill of materials of a version."""
    return _kept(
        request, code, version, paper_forms.SbomForm,
        (publishing.sbom_of, publishing.keep_sbom), _("Bill of materials (SBOM)"),
    )  # fmt: skip


@login_required
@require_http_methods(METHODS)
def keep_card(request: HttpRequest, code: str, version: str) -> HttpResponse:
    """Take in the model card of a version."""
    return _kept(
        request, code, version, paper_forms.CardForm,
        (publishing.card_of, publishing.keep_model_card), _("Model card"),
    )  # fmt: skip


def _kept(
    request: HttpRequest, code: str, version: str, shape: Any,
    verbs: tuple[Callable[..., Any], Callable[..., Any]], heading: str,
) -> HttpResponse:  # fmt: skip
    """The page of a document that takes the place of the one before: (what stands, keeping it)."""
    _brought(request, code)
    row = _version(request, code, version)
    sent = (request.POST, request.FILES) if request.method == "POST" else ()
    form = shape(*sent, key="paper")
    seen = _Seen(form, row, lambda: verbs[0](row))
    if form.is_bound and form.is_valid() and seen.is_done(
        seen.of(), lambda: verbs[1](row, form.cleaned_data["file"], by=_user(request))
    ):
        messages.success(request, _("Recorded."))
        return redirect("algorithm", code)
    return _page(
        request, form, heading=f"{heading} · {row}", back=reverse("algorithm", args=[code]),
        back_label=row.algorithm.name,
    )  # fmt: skip


def _draft(row: Algorithm, form: Any) -> tuple[dict[str, Any] | None, list[str]]:
    """The draft of a manifest and what is missing in it; None where the package is not read."""
    if not form.is_valid():
        return None, []
    said = form.cleaned_data
    try:
        if said["packaging"] == "map":
            performer = packages.performer_of_map(
                _mapping(said["app"]), _mapping(said["package"]), image=said["image"]
            )
        else:
            performer = packages.performer_of_mercure(
                _mapping(said["module"]), image=said["image"]
            )
    except PackageInvalid as error:
        name, _dot, below = error.field.partition(".")
        form.refuse([f"{name}: {below + ': ' if below else ''}{error.text}"])
        return None, []
    made = packages.draft(algorithm=row.code, version=said["version"], performer=performer)
    try:
        Manifest.from_json(made)
    except ManifestInvalid as error:
        return made, list(error.problems)
    return made, []


def _mapping(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _started(row: Algorithm) -> dict[str, Any]:
    """The manifest of the newest version to go on from, or the least that one must say."""
    newest = row.versions.order_by("-pk").first()
    if newest is not None:
        return dict(newest.manifest)
    return {"schema": "hub.manifest/1", "algorithm": row.code, "version": "", **_EMPTY}


def _told(manifest: dict[str, Any]) -> str:
    return json.dumps(manifest, indent=2, ensure_ascii=False)


class _Seen:
    """What a person saw of what stands for a version, sent along with the form unseen."""

    def __init__(
        self, form: base.Form, row: AlgorithmVersion, told: Callable[[], Any]
    ) -> None:
        self.form, self.row, self.told = form, row, told
        form.fields["revision"] = base.revision()
        form.initial["revision"] = conditional.revision(told)

    def of(self) -> str:
        """The revision that may be replaced."""
        return self.form.cleaned_data.pop("revision") or "*"

    def is_done(self, of: str, verb: Callable[[], object]) -> bool:
        """Do it; a refusal, and who was faster, stand on the form."""
        try:
            with conditional.as_seen(self.row, self.told, of=of, called=str(self.row)):
                return _done(self.form, verb)
        except NotAsSeen as refused:
            self.form.refuse([str(refused.detail)])
        return False


def _done(form: base.Form, verb: Callable[[], object]) -> bool:
    """Do it; a refusal is put beside the field that it is about."""
    try:
        verb()
    except NotPublished as refused:
        shown = [name for name in form.fields if name != "revision"]
        only = shown[0] if len(shown) == 1 else ""
        for path, rule in refused.problems:
            name, _dot, below = path.partition(".")
            told = f"{below}: {rule}" if below and name in form.fields else rule
            form.refuse([f"{name}: {told}" if name in form.fields else
                         f"{only}: {path}: {rule}" if only else f"{path}: {rule}"])  # fmt: skip
        return False
    return True


def _judged(form: base.Form, shape: type[Any]) -> Any:
    """What the API would take of the form; None where it refuses, and the form says why."""
    said = {n: value for n, value in form.cleaned_data.items() if value not in (None, "")}
    asked = shape(data=said)
    if asked.is_valid():
        return asked.validated_data
    form.put(asked.errors)
    return None


def _algorithm(request: HttpRequest, code: str) -> Algorithm:
    if found := catalogue.offered_to(request.user).filter(code=code).first():
        return found
    raise Http404


def _version(request: HttpRequest, code: str, version: str) -> AlgorithmVersion:
    rows = AlgorithmVersion.objects.filter(algorithm=_algorithm(request, code), version=version)
    if found := rows.select_related("algorithm__vendor", "clearance").first():
        return found
    raise Http404


def _brought(request: HttpRequest, code: str) -> Algorithm:
    row = _algorithm(request, code)
    demand_bringer(request.user, row.vendor)
    return row


def _sent(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _user(request: HttpRequest) -> Any:
    return request.user


def _page(request: HttpRequest, form: base.Form, **said: Any) -> HttpResponse:
    context = {"form": form, "submit": _("Save"), **said}
    return render(request, "hub/form.html", context, status=400 if form.is_bound else 200)
