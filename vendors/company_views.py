"""The pages on which a company is put on record, and what is known of it is changed."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from hub import forms as base
from hub.configuration import entries
from hub.configuration.entries import EntryChanged, EntryRefused
from vendors import registering
from vendors.belonging import demand_keeper, visible_vendors


class CompanyForm(base.Form):
    """What is known of a company; judged by the rules of the set-up file."""

    name = base.words(gettext_lazy("Company"), most=200)
    country = base.words(gettext_lazy("Country"), most=2, says=gettext_lazy("Two letters: NO, DK."))
    organisation_number = base.words(
        gettext_lazy("Organisation number"), most=20, needed=False,
        says=gettext_lazy("Its check digit is held against the rule of the country."),
    )  # fmt: skip
    srn = base.words(
        gettext_lazy("Single registration number (SRN)"), most=20, needed=False,
        says=gettext_lazy("Of the manufacturer in EUDAMED, such as NO-MF-000012345."),
    )  # fmt: skip
    signing_key = base.text(
        gettext_lazy("Public keys (PEM)"), needed=False, rows=4, most=8000,
        says=gettext_lazy("With one here, no image of the company runs unless it is signed."),
    )  # fmt: skip

    revision = base.revision()

    def clean_country(self) -> str:
        """In capitals, as it is kept."""
        return str(self.cleaned_data["country"]).upper()


class NewCompanyForm(CompanyForm):
    """A company that is not on record yet."""

    code = base.code(
        gettext_lazy("Code"), most=50, says=gettext_lazy("By which files and addresses name it.")
    )
    field_order = ("name", "code")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Put a company on record."""
    demand_keeper(request.user)
    form = NewCompanyForm(_sent(request), key="company", initial={"country": "NO"})
    if form.is_bound and form.is_valid():
        try:
            said = {name: held for name, held in form.cleaned_data.items() if name != "revision"}
            row = registering.register(by=request.user, **said)
        except EntryRefused as refused:
            form.refuse(base.told(refused))
        else:
            messages.success(request, _("It is on record: its checklist begins."))
            return redirect("vendor", code=row.code)
    return _page(request, form, heading=_("New company"), back=reverse("vendors"),
                 back_label=_("Vendors"))  # fmt: skip


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, code: str) -> HttpResponse:
    """Change what is known of a company."""
    row = visible_vendors(request.user).filter(code=code).first()
    if row is None:
        raise Http404
    demand_keeper(request.user)
    held = {name: getattr(row, name) for name in registering.FIELDS}
    held["revision"] = registering.revision(row)
    form = CompanyForm(_sent(request), key="company", initial=held)
    if form.is_bound and form.is_valid():
        try:
            said = dict(form.cleaned_data)
            of = said.pop("revision") or entries.ANY
            registering.change(row, by=request.user, of=of, **said)
        except (EntryRefused, EntryChanged) as refused:
            form.refuse(base.told(refused))
        else:
            messages.success(request, _("Written."))
            return redirect("vendor", code=code)
    return _page(request, form, heading=row.name, back=reverse("vendor", args=[code]),
                 back_label=row.name)  # fmt: skip



def _sent(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _page(request: HttpRequest, form: base.Form, **said: str) -> HttpResponse:
    context = {"form": form, "submit": _("Save"), **said}
    return render(request, "hub/form.html", context, status=400 if form.is_bound else 200)
