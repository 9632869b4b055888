"""The pages on which an agreement gets its own options: more time, volume or modules."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from contracts import acting, written
from contracts.forms.written import TermOptionForm
from contracts.views.written_agreements import METHODS, framework_form, removed, sent, tried
from hub.configuration import entries
from hub.configuration.entries import ANY


@login_required
@require_http_methods(METHODS)
def option(request: HttpRequest, pk: int, code: str = "") -> HttpResponse:
    """An option of the agreement: a new one, or one that nobody exercised or declined yet."""
    row = acting.framework_to_change(request.user, pk)
    held = written.entry_of(row)
    found = [one for one in held.get("term_options") or [] if one["code"] == code]
    if code and not found:
        raise Http404
    shown = {**(found[0] if found else {"kind": "extension"}), "revision": entries.revision(held)}
    form = TermOptionForm(sent(request), key="option", initial=shown)
    form.fields["code"].disabled = bool(found)
    if form.is_bound and form.is_valid():
        of = form.cleaned_data["revision"] or ANY
        if tried(form, lambda: written.set_term_option(
            row, form.entry(), by=request.user, instead_of=code, of=of
        )):  # fmt: skip
            messages.success(request, _("The option is noted."))
            return redirect("framework", pk)
    heading = _("Change the option") if found else _("New option")
    return framework_form(request, form, row, heading=heading)


@login_required
@require_POST
def remove(request: HttpRequest, pk: int, code: str) -> HttpResponse:
    """Take an option away that nobody exercised or declined yet."""
    row = acting.framework_to_change(request.user, pk)
    if not any(one.code == code for one in row.term_options.all()):
        raise Http404
    return removed(request, row, _("The option is taken away."), lambda of: (
        written.set_term_option(row, None, by=request.user, instead_of=code, of=of)
    ))  # fmt: skip
