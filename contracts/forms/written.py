"""The forms on which an agreement is put on record: its head, who may buy under it, one price."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from contracts import price_text
from contracts.forms import base
from contracts.forms.base import set_choices, set_rows
from contracts.models import CallOffAmount, FrameworkAgreement, TermOption
from contracts.price_text import TextNotRead
from contracts.pricing.terms import Model, Scope
from contracts.templatetags.value_words import price_model
from contracts.terms import ROLES
from contracts.vat import TREATMENTS
from hub.configuration.reader import Value
from hub.models import Organisation, OrganisationRole
from marketplace.models import Algorithm
from vendors.models import Vendor

PERIODS = (
    ("month", _("Month")), ("quarter", _("Quarter")), ("contract_year", _("Contract year")),
)  # fmt: skip
SCOPES = {
    Scope.FRAMEWORK: _("all under the agreement"), Scope.AUTHORITY: _("each organisation"),
    Scope.CALL_OFF: _("each call-off"),
}
VAT = {
    "standard": _("Standard rate"), "reverse_charge": _("Reverse charge"), "exempt": _("Exempt"),
    "out_of_scope": _("Out of scope"),
}
# terms that have a field of their own; all others are typed in YAML
OWN_FIELDS = ("algorithm", "valid_from", "model", "tiers", "unit_price", "introduction",
              "tier_scope", "tier_period", "included_units", "better_of")  # fmt: skip


def role_label(role: str) -> str:
    """What an organisation is named as, for people."""
    known = OrganisationRole.Role
    name = known.OPTION_HOLDER.value if role == "option_authority" else role
    return str(known(name).label) if name in known.values else role


class AgreementForm(base.Form):
    """An agreement without its prices."""

    code = base.words(_("Code"), most=40)
    title = base.words(_("Title"))
    holder = base.row(_("Contract holder"))
    supplier = base.row(_("Supplier"), says=_("The first, where there are several."))
    valid_from = base.day(_("In force from"), needed=True)
    valid_to = base.day(_("Last day"), needed=True)
    estimated_value = base.money(_("Estimated value"), needed=True)
    maximum_value = base.money(
        _("Maximum value"), needed=True, says=_("A hard stop: nothing above it is approved.")
    )
    currency = base.words(_("Currency"), most=3)
    vat = base.choice(_("VAT"), [(one, VAT.get(one, one)) for one in TREATMENTS])
    ceilings = base.choice(
        _("Prices of call-offs"), FrameworkAgreement.Ceilings.choices, needed=False,
        says=_("Whether a call-off of a mini-competition may cost more than the price book."),
    )  # fmt: skip
    technique = base.choice(
        _("Technique"), FrameworkAgreement.Technique.choices, needed=False,
        says=_("How it is bought under it (BT-765)."),
    )  # fmt: skip
    duration_justification = base.text(
        _("Why it lasts longer than the law has it (BT-109)"), needed=False, rows=2,
        says=_("Demanded where it does, with all extensions."),
    )  # fmt: skip
    revision = base.revision()

    def __init__(self, *args: Any, holders: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_rows(self, "holder", holders)
        set_rows(self, "supplier", Vendor.objects.order_by("name"))

    def entry(self) -> dict[str, Any]:
        """What is said, as a set-up file has it."""
        said = self.cleaned_data
        names = ("code", "title", "vat", "ceilings", "technique", "duration_justification")
        return {
            **{name: said[name] or None for name in names},
            "currency": said["currency"].upper(),
            "holder": said["holder"].code, "supplier": said["supplier"].code,
            "valid": {"from": str(said["valid_from"]), "to": str(said["valid_to"])},
            "estimated_value": f"{said['estimated_value']:.2f}",
            "maximum_value": f"{said['maximum_value']:.2f}",
        }  # fmt: skip

    @staticmethod
    def shown(entry: Value) -> dict[str, Any]:
        """An entry as the form shows it."""
        return {
            **entry, "valid_from": entry["valid"]["from"], "valid_to": entry["valid"]["to"],
        }  # fmt: skip


class PartyForm(base.Form):
    """An organisation that the agreement names; a line that is left empty is none."""

    organisation = base.row(_("Organisation"), needed=False)
    role = base.choice(_("Named as"), (), needed=False)
    valid_from = base.day(_("from"))
    valid_to = base.day(_("to"))
    exercise_by = base.day(
        _("Option to be exercised by"), says=_("Of an option holder: it joins when it does.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_rows(self, "organisation", Organisation.objects.order_by("name"))
        set_choices(self, "role", [(one, role_label(one)) for one in ROLES])

    def clean(self) -> dict[str, Any]:
        """Whoever is named is named as something."""
        said: dict[str, Any] = super().clean() or {}
        if said.get("organisation") and not said.get("role"):
            self.add_error("role", _("This field is required."))
        return said

    def entry(self, before: Value) -> dict[str, Any] | None:
        """What is said, over what is held of the same naming; None for an empty line."""
        said = self.cleaned_data
        if not said.get("organisation"):
            return None
        days = {"from": said["valid_from"], "to": said["valid_to"]}
        valid = {name: str(day) for name, day in days.items() if day}
        option = dict(before.get("option") or {})
        if said["role"] == "option_authority":
            option["exercise_by"] = str(said["exercise_by"]) if said["exercise_by"] else None
        return {
            "organisation": said["organisation"].code, "role": said["role"],
            "valid": valid or None, "option": option or None,
        }  # fmt: skip

    @staticmethod
    def shown(entry: Value) -> dict[str, Any]:
        """A naming as the form shows it."""
        valid, option = entry.get("valid") or {}, entry.get("option") or {}
        return {
            "organisation": entry["organisation"], "role": entry["role"],
            "valid_from": valid.get("from"), "valid_to": valid.get("to"),
            "exercise_by": option.get("exercise_by"),
        }  # fmt: skip


PartySet = forms.formset_factory(PartyForm, extra=4, max_num=200, absolute_max=200)


class PriceForm(base.Form):
    """One price of one algorithm, from a day on."""

    algorithm = base.row(_("Algorithm"))
    valid_from = base.day(
        _("From"), says=_("Left out: from the first day of the agreement. A price that was used "
                          "stays: add the new one with its first day."),
    )  # fmt: skip
    model = base.choice(_("Model"), ())
    price = base.text(
        _("Price"), needed=False, rows=3,
        says=_("One price, or tiers with their upper bounds: 10000: 24.00; 18.00. A flat fee of a "
               "tier after a plus: 10000: 24.00 + 500.00; 18.00."),
    )  # fmt: skip
    introduction = base.words(
        _("Introduction"), needed=False,
        says=_("Months and discount from the activation of a line: 3: 100%; 3: 50%."),
    )
    tier_scope = base.choice(
        _("Counted together"), [(one.value, SCOPES.get(one, one.value)) for one in Scope],
        needed=False, says=_("Left out: all under the agreement."),
    )
    tier_period = base.choice(
        _("Tiers begin anew each"), PERIODS, needed=False, says=_("Left out: contract year.")
    )
    included_units = base.whole(_("Included in each period"), most=10**12)
    better_of = base.flag(_("never more than a greater volume costs"))
    further = base.text(
        _("Further terms (YAML, as in a set-up file)"), needed=False, rows=5,
        says=_("package, percentage, fee, minimum, cap, indexation, sla, outcome, proration, "
               "customer_fault, price_class."),
    )
    revision = base.revision()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_rows(self, "algorithm", Algorithm.objects.order_by("name"))
        set_choices(self, "model", [(one.value, price_model(one.value)) for one in Model])

    def clean_further(self) -> dict[str, Any]:
        """The terms that they are."""
        try:
            found = price_text.terms_in(self.cleaned_data["further"])
        except TextNotRead as fault:
            raise forms.ValidationError(str(fault)) from None
        if twice := [name for name in OWN_FIELDS if name in found]:
            text = _("%(name)s has a field of its own.") % {"name": twice[0]}
            raise forms.ValidationError(text)
        return found

    def entry(self) -> dict[str, Any]:
        """What is said, as a set-up file has it."""
        said = self.cleaned_data
        return {
            "algorithm": said["algorithm"].code, "model": said["model"],
            "valid_from": str(said["valid_from"]) if said["valid_from"] else None,
            **price_text.price_in(said["price"], model=said["model"]),
            "introduction": price_text.phases_in(said["introduction"]) or None,
            "tier_scope": said["tier_scope"] or None, "tier_period": said["tier_period"] or None,
            "included_units": said["included_units"], "better_of": said["better_of"] or None,
            **said["further"],
        }  # fmt: skip

    @staticmethod
    def shown(entry: Value) -> dict[str, Any]:
        """An entry of a price book as the form shows it."""
        further = {name: held for name, held in entry.items() if name not in OWN_FIELDS}
        return {
            **{name: entry.get(name) for name in OWN_FIELDS},
            "price": price_text.text_of_price(entry).replace("; ", "\n"),
            "introduction": price_text.text_of_phases(entry),
            "further": price_text.text_of_terms(further),
        }  # fmt: skip


class TermOptionForm(base.Form):
    """An option of the agreement itself: further time, volume or modules."""

    code = base.words(_("Code"), most=40)
    kind = base.choice(_("Kind"), TermOption.Kind.choices)
    months = base.whole(_("Months"), most=240)
    exercise_by = base.day(_("To be exercised by"), says=_("After it the option has lapsed."))
    description = base.text(_("Description"), needed=False, rows=2, most=4000)
    revision = base.revision()

    def entry(self) -> dict[str, Any]:
        """What is said, as a set-up file has it."""
        said = self.cleaned_data
        return {
            "code": said["code"], "kind": said["kind"], "months": said["months"],
            "exercise_by": str(said["exercise_by"]) if said["exercise_by"] else None,
            "description": said["description"] or None,
        }  # fmt: skip


class OwnPriceForm(PriceForm):
    """A price that was offered for one call-off."""

    def __init__(self, *args: Any, framework: FrameworkAgreement, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        priced = framework.price_book.values("algorithm")
        set_rows(self, "algorithm", Algorithm.objects.filter(pk__in=priced).order_by("name"))
        self.fields["valid_from"].help_text = _("Left out: from the first day of the call-off.")
        set_choices(self, "tier_scope", [
            (Scope.FRAMEWORK.value, str(_("all that follow from the same competition"))),
            *((one.value, str(SCOPES[one])) for one in (Scope.AUTHORITY, Scope.CALL_OFF)),
        ])  # fmt: skip
        self.fields["tier_scope"].help_text = _(
            "Left out: all that follow from the same competition."
        )
        self.fields["further"].help_text = _(
            "package, percentage, fee, minimum, cap, indexation, proration."
        )


class AmountForm(base.Form):
    """An amount that was offered for one call-off beside its prices."""

    name = base.words(_("Name"))
    amount = base.money(_("Amount"), needed=True)
    per = base.choice(_("Due"), CallOffAmount.Per.choices)
    revision = base.revision()

    def entry(self) -> dict[str, Any]:
        """What is said, as a set-up file has it."""
        said = self.cleaned_data
        return {
            "name": said["name"], "amount": f"{said['amount']:.2f}", "per": said["per"],
        }  # fmt: skip
