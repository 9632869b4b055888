"""The forms of agreements: amendments, lots, suppliers, and drafts of call-offs."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from contracts import competed
from contracts.forms import base
from contracts.forms.base import set_choices, set_rows
from contracts.models import Amendment, CallOff, FrameworkAgreement
from contracts.seen import ChangedMeanwhile
from hub.models import Organisation, Site
from marketplace.models import Algorithm
from vendors.models import Vendor


class AmendmentForm(base.Form):
    """A change after signing."""

    revision = base.revision()
    agreed = base.day(_("Agreed"), needed=True)
    reason = base.choice(_("Reason (BT-200)"), Amendment.Reason.choices)
    value_after = base.money(_("Value of the agreement after it"), needed=True)
    notice = base.words(_("Notice of the modification (BT-1501)"), most=80, needed=False)
    description = base.text(_("What is changed"), needed=False)


class LotForm(base.Form):
    """A lot that is added or changed."""

    revision = base.revision()
    code = base.code(_("Code"), says=_("That of a lot which is there changes it."))
    title = base.words(_("Title"))
    estimated_value = base.money(_("Estimated value"))
    maximum_value = base.money(_("Maximum value"))


class SupplierForm(base.Form):
    """A further supplier."""

    revision = base.revision()
    vendor = base.row(_("Supplier"))
    lot = base.choice(_("Lot"), (), needed=False, says=_("Left out: all lots."))
    rank = base.whole(_("Rank"), most=999)

    def __init__(self, *args: Any, framework: FrameworkAgreement, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_rows(self, "vendor", Vendor.objects.order_by("name"))
        set_choices(self, "lot", lots_of(framework))


class DraftForm(base.Form):
    """A call-off to be drafted."""

    code = base.words(_("Code"), most=40)
    organisation = base.row(_("Organisation that buys"))
    mode = base.choice(_("Mode"), CallOff.Mode.choices)
    competition = base.choice(
        _("Mini-competition"), (), needed=False,
        says=_("The one that it follows from; only of that mode."),
    )
    lot = base.choice(_("Lot"), (), needed=False)
    supplier = base.row(_("Supplier"), needed=False, says=_("Left out: the first one."))
    valid_from = base.day(_("In force from"), needed=True)
    valid_to = base.day(_("to"), says=_("Left out: as long as the agreement."))
    estimated_value = base.money(_("Estimated value"))
    committed_value = base.money(
        _("Committed value"), needed=True, says=_("What it binds of the maximum value.")
    )
    cost_centre = base.words(_("Cost centre"), most=80, needed=False)
    buyer_reference = base.words(_("Buyer reference"), most=80, needed=False)

    def __init__(
        self, *args: Any, framework: FrameworkAgreement, buyers: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        named = framework.suppliers.values("vendor")
        suppliers = Vendor.objects.filter(pk__in=named) | Vendor.objects.filter(
            pk=framework.supplier_id
        )
        set_rows(self, "organisation", buyers)
        set_rows(self, "supplier", suppliers.order_by("name"))
        set_choices(self, "lot", lots_of(framework))
        set_choices(self, "competition", competitions_of(framework, buyers))


class RedraftForm(DraftForm):
    """A draft that is changed; it carries the revision that the person was shown."""

    revision = base.revision()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("code", "organisation"):  # they stay, whatever is sent in them
            self.fields[name].disabled = True

    def meet(self, refused: ChangedMeanwhile, *, now: str) -> None:
        """Show what somebody else changed beside what was typed; saved again, that takes its place.
        """
        self.refuse([
            refused, _("What you typed stands below. Save again to put it in the place of theirs.")
        ])
        for name, change in refused.changes.items():
            text = _("Changed meanwhile: it was %(was)s and is %(is)s.") % {
                "was": _listed(change["was"]), "is": _listed(change["is"]),
            }  # fmt: skip
            self.add_error(name if name in self.fields else None, text)
        self.data = {**self.data.dict(), self.add_prefix("revision"): now}  # type: ignore[attr-defined]


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "–")


class LineForm(base.Form):
    """One algorithm at one site; a line that is left empty is none."""

    algorithm = base.row(_("Algorithm"), needed=False)
    site = base.row(_("Site"), needed=False)
    activated = base.day(_("Activated"))
    volume_estimate = base.whole(_("Studies in a year"), most=2_147_483_647, least=0)

    def __init__(
        self, *args: Any, framework: FrameworkAgreement, buyers: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        priced = framework.price_book.values("algorithm")
        set_rows(self, "algorithm", Algorithm.objects.filter(pk__in=priced).order_by("name"))
        set_rows(self, "site", Site.objects.filter(organisation__in=buyers).order_by("name"))

    def clean(self) -> dict[str, Any]:
        """All of it, or nothing."""
        said: dict[str, Any] = super().clean() or {}
        if any(value is not None for value in said.values()):
            for name in ("algorithm", "site", "activated"):
                if said.get(name) is None and name not in self.errors:
                    self.add_error(name, _("This field is required."))
        return said


LineSet = forms.formset_factory(LineForm, extra=3, max_num=200, absolute_max=200)


def draft_of(call_off: CallOff) -> dict[str, Any]:
    """What a draft says now, for DraftForm."""
    said = {name: getattr(call_off, name) for name in DraftForm.base_fields}
    return said | {"competition": call_off.competition.code if call_off.competition else ""}


def lines_of(call_off: CallOff) -> list[dict[str, Any]]:
    """Its lines, for LineSet."""
    return [
        {name: getattr(line, name) or None for name in LineForm.base_fields}
        for line in call_off.lines.order_by("algorithm__code", "site__code")
    ]


def buyers_of(framework: FrameworkAgreement, mine: frozenset[int] | None) -> Any:
    """The organisations that the agreement names and the user buys for."""
    named = framework.authorities.values("organisation")
    rows = Organisation.objects.filter(pk__in=named).order_by("name")
    return rows if mine is None else rows.filter(pk__in=mine)


def competitions_of(framework: FrameworkAgreement, buyers: Any) -> list[tuple[str, str]]:
    """The mini-competitions under the agreement that one of the buyers takes part in."""
    mine = frozenset(one.pk for one in buyers)
    return [
        (one.code, f"{one.code} {one.title} ({one.get_state_display()})")
        for one in competed.under(framework, for_any=mine)
    ]


def lots_of(framework: FrameworkAgreement) -> list[tuple[str, str]]:
    """The lots as a list to choose from."""
    return [(lot.code, f"{lot.code} {lot.title}") for lot in framework.lots.order_by("code")]
