"""The pages of framework agreements and call-offs, and the buttons on them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from contracts import (
    acting,
    approving,
    offered,
    reading,
    seen,
    seen_agreements,
    tender_access,
    utilisation,
)
from contracts.call_offs import CallOffMoveError
from contracts.filters import FrameworkFilter
from contracts.forms import base
from contracts.forms.agreements import AmendmentForm, DraftForm, LotForm, SupplierForm
from contracts.forms.documents import DocumentForm
from contracts.models import CallOff, CallOffAmount, FrameworkAgreement, OptionState
from contracts.models.options import Option
from contracts.options import OptionMoveError
from contracts.price_book import terms_of
from contracts.seen import ANY, ChangedMeanwhile
from hub.access import holds_role
from hub.configuration.doubts import doubts_of
from hub.configuration.entries import EntryChanged
from hub.forms import spoken
from hub.models import OrganisationRole
from marketplace.models import Algorithm

PAGE_SIZE = 50


@login_required
@require_GET
def frameworks(request: HttpRequest) -> HttpResponse:
    """The agreements of the user's organisations, each with how much of it is bound."""
    asked = FrameworkFilter(request.GET, queryset=reading.frameworks(request.user))
    found = asked.qs if asked.is_valid() else FrameworkAgreement.objects.none()
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [_with_utilisation(framework) for framework in page],
        "asked": asked,
        "may_begin": holds_role(request.user, roles=acting.OFFICER),
        "is_narrowed": any(request.GET.get(name) for name in asked.filters),
    }
    return _page(request, "frameworks", context)


@login_required
@require_GET
def framework(request: HttpRequest, pk: int) -> HttpResponse:
    """One agreement: who may buy, how much is left, what it costs, how it was changed."""
    return framework_page(request, pk)


def framework_page(
    request: HttpRequest, pk: int, *, bound: base.Form | None = None
) -> HttpResponse:
    """The page of an agreement; ``bound`` is a form on it that was refused."""
    found = reading.whole_frameworks(request.user).filter(pk=pk).first()
    if found is None:
        raise Http404
    may_change = acting.may_act_for(request.user, found.holder)
    revision = seen_agreements.revision(found)
    context = {
        **_with_utilisation(found),
        "authorities": [
            {
                "row": row,
                "option": getattr(row, "option", None),
                "role": _role(row.role),
                **_state(getattr(row, "option", None)),
                "may_act": acting.may_act_for(request.user, row.organisation),
            }
            for row in found.authorities.all()
        ],
        "term_options": [
            {"row": row, **_state(row)} for row in found.term_options.all()
        ],
        "may_extend": may_change,
        "revision": revision,
        "doubts": [
            one.text for one in doubts_of("framework", found)
            if may_change and not one.field.startswith("amendments")  # told in their own table
        ],
        "may_draft": holds_role(request.user, roles=acting.OFFICER),
        "forms": _forms(found, bound, revision) if may_change else {},
        "documents": found.documents.defer("content"),
        "lots": reading.lot_utilisations(found),
        "suppliers": found.suppliers.all(),
        "first_has_lots": found.suppliers.filter(vendor=found.supplier).exists(),
        "amendments": reading.amendment_steps(found),
        "call_offs": getattr(found, "seen_call_offs", []),
    }
    return _page(request, "framework", context, status=400 if bound else 200)


@login_required
@require_GET
def call_off(request: HttpRequest, pk: int) -> HttpResponse:
    """One call-off: its lines, who approved it, and what may be done with it."""
    found = reading.call_offs(request.user).filter(pk=pk).first()
    if found is None:
        raise Http404
    approvals = reading.approvals(found)
    may_act = acting.may_act_for(request.user, found.organisation)
    mine = any(
        one["is_current"] and one["user"] == request.user.get_username() for one in approvals
    )
    after = utilisation.of_framework(found.framework)
    if found.state == CallOff.State.DRAFT:
        after = after.with_more(max(found.committed_value, found.invoiced_to_date))
    is_draft = found.state == CallOff.State.DRAFT
    missing = approving.problems_of(found, found.framework, on=approving.today())
    context = {
        "call_off": found,
        "competition": _competition(request, found),
        "prices": _prices(found),
        "doubts": [one.text for one in doubts_of("call_off", found) if may_act],
        "missing": [spoken(one, DraftForm) for one in missing] if is_draft and may_act else [],
        "supplier": found.supplier or found.framework.supplier,
        "approvals": approvals,
        "moves": [CallOff.State(state) for state in reading.moves_of(found)] if may_act else [],
        "may_approve": may_act and found.state == CallOff.State.DRAFT and not mine,
        "has_approved": mine,
        "may_change": may_act and found.state == CallOff.State.DRAFT,
        "has_void": any(not one["is_current"] for one in approvals),
        "seen": approving.fingerprint(found),
        "revision": seen.revision(found),
        "after": after,
    }
    return _page(request, "call_off", context)


def _prices(found: CallOff) -> dict[str, Any]:
    """Prices of its own, or of a draft those that it will have, as the page shows them."""
    said = offered.said_of(found)
    own = {(one.algorithm.code, str(one.valid_from or "")): one.pk for one in
           found.price_book.select_related("algorithm")}  # fmt: skip
    amounts = {one.name: one.pk for one in found.fixed.all()}
    codes = [one["algorithm"] for one in said.get("price_book", ())]
    rows = {one.code: one for one in Algorithm.objects.filter(code__in=codes)}
    return {
        "book": [
            {
                "algorithm": rows[one["algorithm"]], "model": one["model"],
                "terms": terms_of(one), "pk": own.get((one["algorithm"], one["valid_from"] or "")),
                "valid_from": one["valid_from"] and date.fromisoformat(one["valid_from"]),
            }
            for one in said.get("price_book", ())
        ],
        "fixed": [
            one | {"per_label": CallOffAmount.Per(one["per"]).label, "pk": amounts.get(one["name"])}
            for one in said.get("fixed", ())
        ],
        "are_offered": bool(said) and not own and not amounts,
        "above": [
            _with_name(spoken(one, DraftForm), rows)
            for one in offered.above_the_agreement(found)
        ],
    }  # fmt: skip


def _with_name(sentence: str, rows: dict[str, Algorithm]) -> str:
    """A sentence that begins with the code of an algorithm, with its name instead."""
    about, colon, rule = sentence.partition(": ")
    found = rows.get(about.lower())
    return f"{found.name}{colon}{rule}" if found and rule else sentence


def _competition(request: HttpRequest, found: CallOff) -> dict[str, Any] | None:
    """The mini-competition that it follows from, and how much of it the user may open."""
    row = found.competition
    if row is None:
        return None
    mine = tender_access.buyers_procedures(request.user)
    return {
        "row": row,
        "is_mine": mine.filter(pk=row.pk).exists(),
        "may_read": tender_access.protocol_for(request.user, row.code) is not None,
        "protocol": row.protocols.last(),
    }


# -- the buttons -------------------------------------------------------------------------------
def button(act: Callable[..., str]) -> Callable[..., HttpResponse]:
    """A POST that does one thing, says what came of it, and goes back to the page of the row."""

    @login_required
    @require_POST
    def press(request: HttpRequest, pk: int, **kwargs: Any) -> HttpResponse:
        try:
            messages.success(request, act(request, pk, **kwargs))
        except (CallOffMoveError, OptionMoveError, ChangedMeanwhile, EntryChanged) as refused:
            messages.error(request, str(refused))
        return redirect("framework" if "option" in act.__name__ else "call-off", pk)

    return press


@button
def approve(request: HttpRequest, pk: int) -> str:
    """Approve a draft."""
    found = acting.approve(_user(request), pk, of=request.POST.get("seen", "")[:64] or ANY)
    if found.state == CallOff.State.APPROVED:
        return _("Approved by two people.")
    return _("Your approval is noted: a second person must approve it too.")


@button
def move(request: HttpRequest, pk: int) -> str:
    """Order, activate, close or cancel."""
    to = request.POST.get("state", "")
    acting.demand_officer(request.user)
    if to not in CallOff.State.values:
        raise CallOffMoveError(_("Say which state it is to go to."))
    found = acting.move(_user(request), pk, to=to)
    return _("%(call_off)s is now: %(state)s") % {
        "call_off": found.code, "state": found.get_state_display(),
    }  # fmt: skip


@button
def move_option(request: HttpRequest, pk: int, organisation: str) -> str:
    """Exercise or decline the option of an organisation."""
    to = request.POST.get("state", "")
    acting.move_option(
        _user(request), pk, organisation=organisation, to=to, of=_revision_in(request)
    )
    return _("The option is noted.")


@button
def move_term_option(request: HttpRequest, pk: int, code: str) -> str:
    """Exercise or decline an option of the agreement itself."""
    to = request.POST.get("state", "")
    acting.move_term_option(_user(request), pk, code=code, to=to, of=_revision_in(request))
    return _("The option is noted.")


def _revision_in(request: HttpRequest) -> str:
    """What the page that was sent has shown of the agreement."""
    return request.POST.get("revision", "")[:64] or ANY


def _state(option: Option | None) -> dict[str, str]:
    """The state of an option today, for programs and for people."""
    state = reading.option_state(option)
    return {"state": state, "state_label": str(OptionState(state).label) if state else ""}


def _role(role: str) -> str:
    """What an organisation is named as, for people."""
    if role == "option_authority":
        role = OrganisationRole.Role.OPTION_HOLDER.value
    return str(OrganisationRole.Role(role).label) if role in OrganisationRole.Role.values else role


def _with_utilisation(found: FrameworkAgreement) -> dict[str, Any]:
    return {"framework": found, "utilisation": utilisation.of_framework(found)}


def _forms(
    found: FrameworkAgreement, bound: base.Form | None, revision: str
) -> dict[str, base.Form]:
    """The forms on the page, each empty but for the one that was refused."""
    seen: dict[str, Any] = {"initial": {"revision": revision}}
    empty = [
        AmendmentForm(key="amend", **seen), LotForm(key="lot", **seen),
        SupplierForm(framework=found, key="supplier", **seen), DocumentForm(key="document"),
    ]  # fmt: skip
    return {one.key: one for one in (*empty, *filter(None, [bound]))}


def _page(
    request: HttpRequest, name: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    return render(request, f"contracts/{name}.html", context, status=status)


def _user(request: HttpRequest) -> Any:
    return request.user
