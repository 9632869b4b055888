"""The pages on which a paper of an algorithm is handed in, and files of evidence are taken."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from hub import forms as base
from marketplace import catalogue, papers
from marketplace.deployments_api import deployments_of
from marketplace.models import Algorithm, PaperFile
from vendors import filing
from vendors.belonging import demand_bringer
from vendors.file_doors import FileFields, attachment
from vendors.filing import FileRefused


class PaperForm(FileFields):
    """A paper of a version, or the text of a reference."""

    kind = base.choice(gettext_lazy("Kind"), PaperFile.Kind.choices)
    version = base.choice(
        gettext_lazy("Version"), (), needed=False, says=gettext_lazy("None for a reference.")
    )
    reference = base.choice(
        gettext_lazy("Reference"), (), needed=False,
        says=gettext_lazy("Of the evidence matrix; none for a paper of a version."),
    )  # fmt: skip
    field_order = ("kind", "version", "reference", "file", "replaces")

    def __init__(self, *args: Any, algorithm: Algorithm, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].required = True
        versions = algorithm.versions.order_by("-pk").values_list("version", flat=True)
        base.set_choices(self, "version", [(one, one) for one in versions])
        rows = algorithm.evidence.order_by("-year", "title")
        named = [(one.reference, f"{one.title} ({one.year})") for one in rows]
        base.set_choices(self, "reference", list(dict(named).items()))
        self.offer(filing.standing(algorithm.papers.all()))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest, code: str) -> HttpResponse:
    """Hand in a paper."""
    row = _algorithm(request, code)
    demand_bringer(request.user, row.vendor)
    sent = (request.POST, request.FILES) if request.method == "POST" else ()
    shown = {name: request.GET[name] for name in ("kind", "version", "reference")
             if name in request.GET}  # fmt: skip
    form = PaperForm(*sent, key="paper", algorithm=row, initial=shown)
    brought = form.brought() if form.is_bound and form.is_valid() else None
    if brought is not None:
        try:
            papers.add(row, form.cleaned_data, brought, by=request.user)
        except FileRefused as refused:
            form.refuse(base.told(refused))
        else:
            messages.success(request, _("The file is kept."))
            return redirect("algorithm", code)
    context = {
        "form": form, "heading": _("Hand in a file"), "submit": _("Hand in"),
        "back": reverse("algorithm", args=[code]), "back_label": row.name,
    }  # fmt: skip
    return render(request, "hub/form.html", context, status=400 if form.is_bound else 200)


@login_required
@require_GET
def take_paper(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """The bytes of a paper, for who sees the algorithm."""
    rows = _algorithm(request, code).papers.select_related("file")
    return attachment(rows.filter(pk=pk).first())


@login_required
@require_GET
def take_from_gate(request: HttpRequest, pk: int, gate: str, file: int) -> HttpResponse:
    """The bytes of a file behind a gate, for who sees the deployment."""
    row = deployments_of(request.user).filter(pk=pk).first()
    found = row.files.select_related("file").filter(gate=gate, pk=file).first() if row else None
    return attachment(found)


def _algorithm(request: HttpRequest, code: str) -> Algorithm:
    if found := catalogue.offered_to(request.user).filter(code=code).first():
        return found
    raise Http404
