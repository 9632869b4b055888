"""The forms on which sites and the people who sign in are put on record."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from hub import forms as base
from hub.configuration.participants import OF_NORWAY
from hub.environment import LANGUAGES_OF_PEOPLE
from hub.models import Membership

LANGUAGES = tuple(LANGUAGES_OF_PEOPLE.items())
KEPT = {
    "studies": _("Studies that were read"), "unread": _("Studies that nobody marked as read"),
    "unresolved": _("Studies with something unresolved"), "set_aside": _("Input set aside"),
    "orders": _("Orders without a study"), "messages": _("HL7 messages"),
    "audit": _("The audit trail"),
}
LONGEST_DAYS = 36_500


class SiteForm(base.Form):
    """A hospital; judged by the rules of the set-up file."""

    name = base.words(_("Site"), most=200)
    code = base.code(_("Code"), most=50, says=_("By which files and addresses name it."))
    organisation = base.row(_("Organisation"))
    timezone = base.words(_("Time zone"), most=64, says=_("Such as Europe/Oslo."))
    her_id = base.words(
        _("HER-id"), most=9, needed=False,
        says=_("Norway: the communication party in the address registry."),
    )  # fmt: skip
    resh_id = base.words(
        _("RESH-id"), most=9, needed=False, says=_("Norway: the unit in the register of units.")
    )
    npr_activity_unit = base.words(
        _("NPR reporting unit, activity"), most=10, needed=False,
        says=_("Organisation number and 1."),
    )  # fmt: skip
    npr_dose_unit = base.words(
        _("NPR reporting unit, dose"), most=10, needed=False, says=_("Organisation number and 2.")
    )
    revision = base.revision()

    def __init__(self, *args: Any, organisations: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        base.set_rows(self, "organisation", organisations)
        for name, label in KEPT.items():
            field = base.whole(label, most=LONGEST_DAYS)
            field.help_text = _("Days; left out: for ever.")
            self.fields[f"keep_{name}"] = field

    def entry(self) -> dict[str, Any]:
        """What is said, as a set-up file has it."""
        said = self.cleaned_data
        days = {name: said[f"keep_{name}"] for name in KEPT if said[f"keep_{name}"]}
        return {
            "code": said["code"], "name": said["name"], "timezone": said["timezone"],
            "organisation": said["organisation"].code, "retention": days or None,
            **{name: said[name] or None for name in OF_NORWAY},
        }  # fmt: skip

    @staticmethod
    def shown(entry: dict[str, Any]) -> dict[str, Any]:
        """An entry as the form shows it."""
        days = entry.get("retention") or {}
        return entry | {f"keep_{name}": held for name, held in days.items()}

    @staticmethod
    def name_of(field: str) -> str:
        """What a field of the entry is called on the form."""
        return field.replace("retention.", "keep_")


class MemberForm(base.Form):
    """A person; the roles have lines of their own."""

    username = base.words(_("User name"), most=150, says=_("Letters, digits and . @ + - _"))
    name = base.words(_("Name"), most=200, needed=False)
    language = base.choice(
        _("Language"), LANGUAGES, needed=False, says=_("Left out: what the browser asks for.")
    )
    active = base.flag(_("may sign in"))
    revision = base.revision()

    def entry(self) -> dict[str, Any]:
        """What is said, as a set-up file has it."""
        said = self.cleaned_data
        return {
            "username": said["username"], "name": said["name"] or None,
            "language": said["language"] or None, "active": said["active"],
        }  # fmt: skip


class RoleForm(base.Form):
    """A role of a person; a line that is left empty is none."""

    role = base.choice(_("Role"), Membership.Role.choices, needed=False)
    site = base.row(_("At the site"), needed=False)
    organisation = base.row(_("At all of the organisation"), needed=False)

    def __init__(self, *args: Any, sites: Any, organisations: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        base.set_rows(self, "site", sites)
        base.set_rows(self, "organisation", organisations)

    def entry(self) -> dict[str, Any] | None:
        """What is said; None for an empty line."""
        said = self.cleaned_data
        if not said.get("role"):
            return None
        places = {name: said[name].code for name in ("site", "organisation") if said.get(name)}
        return {"role": said["role"], **places}


RoleSet = forms.formset_factory(RoleForm, extra=2, max_num=100, absolute_max=100)

