"""The forms on which an organisation is put on record: who it is, and what it is to the others."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from contracts.forms import base
from hub.configuration.participants import ORGANISATION_KINDS
from hub.configuration.reader import Value
from hub.models import OrganisationRole

KINDS = {
    "hospital_trust": _("Hospital trust"), "purchasing_agent": _("Purchasing agent"),
    "service_provider": _("Service provider"), "regional_authority": _("Regional authority"),
    "region": _("Region"), "private_hospital": _("Private hospital"), "supplier": _("Supplier"),
}
NAMES = ("code", "name", "kind", "country", "organisation_number", "vat_number", "gln")


class OrganisationForm(base.Form):
    """A legal party; judged by the rules of the set-up file."""

    name = base.words(_("Organisation"), most=200)
    code = base.code(_("Code"), most=50, says=_("By which files and addresses name it."))
    kind = base.choice(_("Kind"), [(one, KINDS.get(one, one)) for one in ORGANISATION_KINDS])
    country = base.words(_("Country"), most=2, says=_("Two letters: NO, DK."))
    organisation_number = base.words(
        _("Organisation number"), most=20, needed=False,
        says=_("Its check digit is held against the rule of the country."),
    )  # fmt: skip
    vat_number = base.words(_("VAT number"), most=20, needed=False, says=_("NO123456785MVA"))
    gln = base.words(_("GLN"), most=13, needed=False, says=_("13 digits (GS1)."))
    revision = base.revision()

    def entry(self) -> dict[str, Any]:
        """What is said, as a set-up file has it."""
        said = {name: self.cleaned_data[name] or None for name in NAMES}
        return said | {"country": str(said["country"]).upper()}


class RoleForm(base.Form):
    """What it is to the others; a line that is left empty is none."""

    role = base.choice(_("Role"), OrganisationRole.Role.choices, needed=False)
    valid_from = base.day(_("from"))
    valid_to = base.day(_("to"))

    def entry(self) -> dict[str, Any] | None:
        """What is said; None for an empty line."""
        said = self.cleaned_data
        if not said.get("role"):
            return None
        days = {"from": said["valid_from"], "to": said["valid_to"]}
        valid = {name: str(day) for name, day in days.items() if day}
        return {"role": said["role"], "valid": valid or None}

    @staticmethod
    def shown(entry: Value) -> dict[str, Any]:
        """A role as the form shows it."""
        valid = entry.get("valid") or {}
        return {
            "role": entry["role"], "valid_from": valid.get("from"), "valid_to": valid.get("to"),
        }  # fmt: skip


RoleSet = forms.formset_factory(RoleForm, extra=2, max_num=50, absolute_max=50)
