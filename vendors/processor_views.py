"""The page on which a vendor names who else handles personal data for it, and where."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from hub import forms as base
from vendors import onboarding
from vendors.belonging import demand_bringer, visible_vendors
from vendors.models import Vendor
from vendors.onboarding import OnboardingRefused, Processor
from vendors.serializers import SubProcessorSerializer

MOST = 200
BASES = (
    ("adequacy", gettext_lazy("Adequacy decision (Art. 45)")),
    ("standard_clauses", gettext_lazy("Standard contractual clauses (Art. 46)")),
    ("binding_rules", gettext_lazy("Binding corporate rules (Art. 47)")),
    ("derogation", gettext_lazy("Derogation (Art. 49)")),
)


class ProcessorForm(base.Form):
    """One of them; a row that is left empty is none."""

    name = base.words(gettext_lazy("Name"), most=200, needed=False)
    country = base.words(
        gettext_lazy("Country"), most=2, needed=False, says=gettext_lazy("Two letters, as NO.")
    )
    purpose = base.words(gettext_lazy("Purpose"), most=300, needed=False)
    transfer_basis = base.choice(
        gettext_lazy("Basis of the transfer"), BASES, needed=False,
        says=gettext_lazy("Outside of the EEA."),
    )  # fmt: skip


ProcessorSet = forms.formset_factory(ProcessorForm, extra=3, max_num=MOST, absolute_max=MOST)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def processors(request: HttpRequest, code: str) -> HttpResponse:
    """The list, in place of the one before."""
    row = visible_vendors(request.user).filter(code=code).first()
    if row is None:
        raise Http404
    demand_bringer(request.user, row)
    sent = request.POST if request.method == "POST" else None
    held = list(row.sub_processors.order_by("name").values(*ProcessorForm.base_fields))
    rows = ProcessorSet(sent, prefix="processors", initial=held)
    form = base.Form(sent, key="processors")
    if form.is_bound and rows.is_valid() and _named(row, form, rows, by=request.user):
        messages.success(request, _("The sub-processors are named."))
        return redirect("vendor", code)
    context = {
        "form": form, "heading": _("Sub-processors"), "submit": _("Save"),
        "sets": [(_("Who handles personal data for the vendor"), rows, "set-processors")],
        "back": reverse("vendor", args=[code]), "back_label": row.name,
        "intro": _("A change opens an accepted data processing agreement again. "
                   "A row that is left empty is taken away."),
    }  # fmt: skip
    return render(request, "hub/form.html", context, status=400 if form.is_bound else 200)


def _named(row: Vendor, form: base.Form, rows: Any, *, by: Any) -> bool:
    """Put the list in place; a refusal stands beside the field that it is about."""
    filled = [one for one in rows if any(one.cleaned_data.values())]
    given = []
    for one in filled:
        asked = SubProcessorSerializer(data=one.cleaned_data)
        if asked.is_valid():
            given.append(Processor(**asked.validated_data))
        else:
            one.put(asked.errors)
    if len({one.name for one in given}) < len(given):
        form.refuse([_("expected each name once")])
    if len(given) < len(filled) or form.errors:
        return False
    try:
        onboarding.name_sub_processors(row, given, by=by)
    except OnboardingRefused as refused:
        form.refuse([str(refused)])
        return False
    return True
