"""The forms of procedures: the plan, who takes part, the dialogue, requirements, the end."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from contracts.forms import base
from contracts.forms.base import set_choices, set_rows
from contracts.models import (
    Authority,
    DialogueNote,
    FrameworkAgreement,
    Participant,
    Procedure,
    Requirement,
    RequirementSpec,
)
from contracts.naming import MAY_CALL_OFF
from contracts.templatetags.value_words import end_reason
from hub.models import Site
from vendors.models import Vendor

NOTICES = (("16", "16"), ("20", _("20 (light regime)")))


class PlanForm(base.Form):
    """What is planned; the law's fields by their business terms (eForms)."""

    title = base.words(_("Title"))
    framework = base.row(_("Framework agreement"), needed=False)
    lot = base.words(_("Lot"), most=40, needed=False)
    sites = base.rows(
        _("Sites"), needed=False,
        says=_("Of a mini-competition: those it is for. None chosen: all of the organisation."),
    )
    evaluation_model = base.row(_("Evaluation model"), needed=False)
    estimated_value = base.money(_("Estimated value (BT-27)"))
    maximum_value = base.money(_("Maximum value (BT-271)"))
    notice_type = base.choice(_("Type of notice"), NOTICES)
    notice_reference = base.words(_("Notice"), most=200, needed=False)
    requests_due_at = base.moment(_("Requests due (BT-1311)"))
    tenders_due_at = base.moment(_("Tenders due"))
    reduces_successively = base.choice(
        _("Solutions are left out in stages (BT-52)"),
        (("True", _("Yes")), ("False", _("No"))), needed=False,
    )  # fmt: skip
    least_candidates = base.whole(_("Candidates at least (BT-50)"))
    most_candidates = base.whole(_("Candidates at most (BT-51)"))
    purpose = base.text(_("What is bought, and what for"), needed=False)
    strategy = base.text(
        _("Strategy"), needed=False, says=_("For the buyer alone; no participant sees it.")
    )
    dialogue_plan = base.text(_("Plan of the dialogue"), needed=False)

    def __init__(
        self, *args: Any, frameworks: Any, models: Any, sites: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        set_rows(self, "framework", frameworks)
        set_rows(self, "evaluation_model", models)
        set_rows(self, "sites", sites)

    def clean_sites(self) -> list[str] | None:
        """Their codes, as they are kept; None where none is chosen."""
        return sorted(one.code for one in self.cleaned_data["sites"]) or None

    def clean_reduces_successively(self) -> bool | None:
        """Yes, no, or not said yet."""
        return {"True": True, "False": False}.get(self.cleaned_data["reduces_successively"])


class NewProcedureForm(PlanForm):
    """A new procedure."""

    code = base.code(pgettext_lazy("of a document", "Number"))
    organisation = base.row(_("Organisation"))
    kind = base.choice(_("Kind"), Procedure.Kind.choices)
    field_order = ("code", "organisation", "kind", "title")

    def __init__(self, *args: Any, buyers: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_rows(self, "organisation", buyers)

    def clean_code(self) -> str:
        """A number that no other has, and that is no word of an address."""
        code: str = self.cleaned_data["code"]
        if code == "new" or Procedure.objects.filter(code=code).exists():
            self.add_error("code", _("expected a code that is not taken"))
        return code


class MoveForm(base.Form):
    """A move to another state, with what that state is told."""

    to = base.words("", most=20)
    why = base.words(base.WHY, most=500)
    winner = base.choice(_("Winner"), (), needed=False)
    award_reason = base.text(_("Reason of the award"), needed=False)
    contract_reference = base.words(_("Contract"), most=200, needed=False)
    end_reason = base.choice(_("Reason code (BT-144)"), (), needed=False)
    extra: ClassVar[dict[str, tuple[str, ...]]] = {
        Procedure.State.AWARD_NOTIFIED: ("winner", "award_reason"),
        Procedure.State.CONCLUDED: ("contract_reference",),
        Procedure.State.CANCELLED: ("end_reason",),
        Procedure.State.NO_AWARD: ("end_reason",),
    }

    def __init__(
        self, *args: Any, to: str, reasons: tuple[str, ...], participants: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, initial={"to": to}, **kwargs)
        shown = {"to", "why", *self.extra.get(to, ())}
        for name in set(self.fields) - shown:
            del self.fields[name]
        self.fields["to"].widget = self.fields["to"].hidden_widget()
        if "end_reason" in self.fields:
            set_choices(self, "end_reason", [(one, end_reason(one)) for one in reasons])
        if "winner" in self.fields:
            named = [(str(one.number), f"{one.number} {one.vendor.name}") for one in participants]
            set_choices(self, "winner", named)

    def said(self) -> dict[str, Any]:
        """What the verb is told: nothing of what was left out."""
        given = {name: value for name, value in self.cleaned_data.items() if value}
        if "winner" in given:
            given["winner"] = int(given["winner"])
        return given


class MarketContactForm(base.Form):
    """Something said with the market before the notice."""

    on = base.day(_("Day"), needed=True)
    with_whom = base.words(_("With whom"))
    summary = base.text(
        _("What was said"), says=_("All who take part read it; with whom, they do not.")
    )


class ParticipantForm(base.Form):
    """A company that takes part."""

    vendor = base.row(_("Company"), says=_("Its people, who were invited as such, act for it."))

    def __init__(self, *args: Any, procedure: Procedure, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        there = procedure.participants.values("vendor")
        set_rows(self, "vendor", Vendor.objects.exclude(pk__in=there).order_by("name"))


class JudgeForm(base.Form):
    """How far a participant is taken."""

    to = base.choice(_("To"), ())
    why = base.words(_("Why, as it will be told"), most=500)

    def __init__(self, *args: Any, states: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["to"]
        field.choices = [(one, Participant.State(one).label) for one in states]


class RoundForm(base.Form):
    """A round that begins."""

    agenda = base.text(_("Agenda"))


class CloseRoundForm(base.Form):
    """A round that ends."""

    decision = base.text(_("Which solutions go on, and why"))


class NoteForm(base.Form):
    """Minutes or a document of the open round."""

    kind = base.choice(_("Kind"), DialogueNote.Kind.choices)
    participant = base.choice(_("With"), (), needed=False, says=_("Left out: for all of them."))
    confidential_because = base.words(
        _("Why it is kept from the public"), most=500, needed=False
    )
    text = base.text(_("Text"), rows=4)

    def __init__(self, *args: Any, procedure: Procedure, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = procedure.participants.select_related("vendor")
        named = [(str(one.number), f"{one.number} {one.vendor.name}") for one in rows]
        set_choices(self, "participant", named)


class QuestionForm(base.Form):
    """A question of a participant."""

    text = base.text(_("Question"))


class AnswerForm(base.Form):
    """An answer, to one or to all."""

    answer = base.text(_("Answer"))
    is_for_all = base.flag(_("to all participants"))
    anonymised_text = base.text(
        _("The question in words that tell nobody"), needed=False, rows=2
    )


class SuggestionForm(base.Form):
    """A requirement that a participant suggests."""

    text = base.text(_("Requirement"))
    rationale = base.text(_("Rationale"), needed=False, rows=2)


class RejectForm(base.Form):
    """A suggestion that is not taken up."""

    reply = base.text(_("Reply to the participant"), rows=2)


class RequirementForm(base.Form):
    """One requirement of a draft."""

    code = base.words(_("Code"), most=20)
    group = base.choice(_("Group"), Requirement.Group.choices)
    kind = base.choice(_("Kind"), Requirement.Kind.choices)
    answer_type = base.choice(_("Answer"), Requirement.Answer.choices)
    text = base.text(_("Requirement"))
    text_no = base.text(_("In Norwegian"), needed=False)
    rationale = base.text(_("Rationale"), needed=False, rows=2)
    choices = base.text(_("Choices, one a line"), needed=False, rows=2)
    criterion = base.choice(_("Award criterion"), (), needed=False)
    max_points = base.money(_("Points at most"))
    min_points = base.money(_("Points at least"))
    parent = base.words(_("Below the requirement"), most=20, needed=False)
    supersedes = base.words(_("Instead of the requirement"), most=20, needed=False)
    needs_document = base.flag(_("A document is to be handed in"))

    def __init__(self, *args: Any, procedure: Procedure, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        model = procedure.evaluation_model
        found = model.criteria.exclude(kind="price") if model else ()
        set_choices(self, "criterion", [(one.code, one.name) for one in found])

    def clean_choices(self) -> list[str]:
        """Each line is one."""
        given: str = self.cleaned_data["choices"]
        return [line.strip() for line in given.splitlines() if line.strip()]


class AcceptForm(RequirementForm):
    """A suggestion that becomes a requirement for all, in words that tell nobody whose it was."""

    reply = base.text(_("Reply to the participant"), rows=2)


class StageForm(base.Form):
    """Which requirements to draft."""

    stage = base.choice(_("Requirements"), RequirementSpec.Stage.choices)


class ResultNoticeForm(base.Form):
    """The result notice as it was sent."""

    result_notice = base.words(_("Result notice (type 29)"), most=200)
    result_notice_on = base.day(_("Sent on"), needed=True)
    result_value = base.money(
        _("Maximum value (BT-118, BT-709)"), says=_("Of a framework agreement.")
    )


def sites_for(user: Any) -> Any:
    """The sites of all who buy under an agreement of the user's."""
    seen = FrameworkAgreement.objects.visible_to(user)
    buyers = Authority.objects.filter(framework__in=seen, role__in=MAY_CALL_OFF)
    rows = Site.objects.filter(organisation__in=buyers.values("organisation"))
    return rows.select_related("organisation").order_by("organisation__name", "name")


def frameworks_for(user: Any) -> Any:
    """The agreements that the user may compete under."""
    return FrameworkAgreement.objects.visible_to(user).order_by("code")
