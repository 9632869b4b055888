"""The page on which a usage is priced: under the agreements in force, or under a set-up file."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from contracts import simulation, usage_text
from contracts.api.price_simulations import LONGEST_SETUP
from contracts.forms import base
from contracts.usage_rows import UsageRefused
from contracts.usage_text import UsageNotRead
from contracts.views.buttons import page
from hub.access import CONTRACT_ROLES, holds_role
from hub.configuration.problems import SetUpRefused
from hub.models import Organisation

EXAMPLE = "call_off;algorithm;site;date;quantity\nCO-1;bleed;north;2026-06-15;900"
MOST_SENTENCES = 20
ROW = re.compile(r"usage\[([0-9]+)\]\.?(?:: )?(.*)", re.DOTALL)


class SimulationForm(base.Form):
    """A usage, and under what it is priced; a file goes before what is typed."""

    usage = base.text(
        gettext_lazy("Usage"), needed=False, rows=7, most=LONGEST_SETUP,
        says=gettext_lazy("A table out of a spreadsheet with these columns, or the JSON of the "
                          "API, which may have late, failed, availability and outcomes too."),
    )  # fmt: skip
    usage_file = forms.FileField(label=gettext_lazy("or a file with it"), required=False)
    setup = base.text(
        gettext_lazy("Set-up file (YAML)"), needed=False, rows=7, most=LONGEST_SETUP,
        says=gettext_lazy("Left out: the agreements in force, with your organisation's call-offs."),
    )
    setup_file = forms.FileField(label=gettext_lazy("or the file itself"), required=False)
    until = base.day(
        gettext_lazy("Last day charged"),
        says=gettext_lazy("Left out: the end of the contract year."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["usage"].widget.attrs["placeholder"] = EXAMPLE

    def clean(self) -> dict[str, Any]:
        """What is in a file stands for what is typed beside it."""
        said: dict[str, Any] = super().clean() or {}
        for name in ("usage", "setup"):
            file = said.get(f"{name}_file")
            if file is not None and file.size > LONGEST_SETUP:
                text = _("expected up to %(most)s bytes") % {"most": LONGEST_SETUP}
                self.add_error(f"{name}_file", text)
            elif file is not None:
                said[name] = file.read().decode("utf-8", "replace")
        if not said.get("usage"):
            self.add_error("usage", _("This field is required."))
        return said


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def simulate(request: HttpRequest) -> HttpResponse:
    """The form; and below it, once something was sent, the invoices that it would give."""
    if not holds_role(request.user, roles=CONTRACT_ROLES):
        raise PermissionDenied(_("This page is for those who buy."))
    is_sent = request.method == "POST"
    form = SimulationForm(
        request.POST if is_sent else None, request.FILES if is_sent else None, key="price"
    )
    answer = _answer(form, request.user) if is_sent and form.is_valid() else None
    context: dict[str, Any] = {"form": form, "example": EXAMPLE}
    if answer is not None:
        context |= _told(answer)
    return page(request, "price_simulation", context, status=400 if form.errors else 200)


def _answer(form: SimulationForm, user: Any) -> dict[str, Any] | None:
    """The invoices; None where something was refused, and its field says what."""
    said = form.cleaned_data
    try:
        usage = usage_text.read(said["usage"])
        terms = (
            simulation.terms_in([("set-up", said["setup"].encode("utf-8", "surrogatepass"))])
            if said["setup"]
            else simulation.terms_held(user)
        )
        return simulation.simulate(terms, usage, until=said["until"])
    except UsageNotRead as refused:
        form.add_error("usage", str(refused))
    except SetUpRefused as refused:
        for problem in refused.problems[:MOST_SENTENCES]:
            form.add_error("setup", str(problem))
    except UsageRefused as refused:
        for fault in refused.faults[:MOST_SENTENCES]:
            form.add_error("usage", _of_row(str(fault)))
    return None


def _of_row(sentence: str) -> str:
    """A refusal of usage[0].quantity as people count the rows of a table."""
    found = ROW.fullmatch(sentence)
    if found is None:
        return sentence
    return _("Row %(number)s, %(rule)s") % {
        "number": int(found.group(1)) + 1, "rule": found.group(2),
    }  # fmt: skip


def _told(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer for people: names where they are known, and what it comes to."""
    names = dict(Organisation.objects.values_list("code", "name"))
    invoices = [
        one | {"buyer": names.get(one["organisation"], one["organisation"])}
        for one in answer["invoices"]
    ]
    sums = {
        name: sum((Decimal(one[name]) for one in answer["invoices"]), Decimal("0.00"))
        for name in ("net", "vat", "gross")
    }
    told = json.dumps(answer, indent=2, ensure_ascii=False)
    return {"invoices": invoices, "sums": sums, "told": told, "is_answered": True}
