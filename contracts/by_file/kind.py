"""The kind ``procedures`` of the set-up file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from contracts import choosing_setup  # noqa: F401  (a file may refer only to kinds before)
from contracts.by_file.entering import enter
from contracts.by_file.following import follow
from contracts.by_file.shapes import Moment, Told
from contracts.models import (
    DialogueNote,
    Participant,
    Procedure,
    Requirement,
    RequirementSpec,
    Score,
    Submission,
    SuggestedRequirement,
)
from hub.configuration import identifiers, registry
from hub.configuration.kept import Flag
from hub.configuration.problems import one_of
from hub.configuration.reader import Value
from hub.configuration.records import Field, Record, Reference
from hub.configuration.registry import Kind, Say, World
from hub.configuration.shapes import Amount, Boolean, Choice, Date, Integer, Kept, ListOf, Text

LONG = Text(20_000, identifiers.paragraphs)
COMPANY = Field("participant", Reference("vendor"), column="participant.vendor")


def _final(procedure: Procedure) -> Any:
    """The tenders that were opened."""
    return Submission.objects.filter(
        participant__procedure=procedure, kind=Submission.Kind.FINAL,
        state=Submission.State.OPENED,
    ).select_related("participant__vendor")  # fmt: skip


def _decided(procedure: Procedure) -> Any:
    return _final(procedure).exclude(decision=Submission.Decision.OPEN)


def _newest_scores(procedure: Procedure) -> Iterable[Score]:
    """Of each evaluator what counts of it: the newest."""
    rows = Score.objects.filter(submission__in=_final(procedure)).select_related(
        "submission__participant__vendor", "requirement", "evaluator"
    )
    newest = {
        (one.submission_id, one.criterion, one.requirement_id, one.evaluator_id, one.is_moderated):
        one for one in rows.order_by("pk")
    }  # fmt: skip
    return newest.values()


REQUIREMENT = Record((
    Field("code", Text(20)),
    Field("group", Choice(tuple(Requirement.Group.values))),
    Field("kind", Choice(tuple(Requirement.Kind.values))),
    Field("text", LONG),
    Field("text_no", LONG, None),
    Field("rationale", LONG, None),
    Field("answer_type", Choice(tuple(Requirement.Answer.values)), "yes_no"),
    Field("choices", ListOf(Text(200)), None, "Of the answer type choice."),
    Field("criterion", Text(20), None, "The award criterion that its points count for."),
    Field("max_points", Amount(), None),
    Field("min_points", Amount(), None),
    Field("needs_document", Boolean(), False),
    Field("parent", Text(20), None),
    Field("supersedes", Text(20), None),
    Field("source", Choice(("buyer", "supplier_suggestion")), "buyer"),
))  # fmt: skip
VERSION = Record((
    Field("stage", Choice(tuple(RequirementSpec.Stage.values))),
    Field("version", Integer(1, 32_767)),
    Field("frozen", Flag(), None, "Once frozen nothing in it changes.", column="frozen_at"),
    Field("requirements", Told(
        REQUIREMENT, ("code",), lambda spec: spec.requirements.order_by("code"), is_whole=True
    )),
))  # fmt: skip
NOTE = Record((
    Field("kind", Choice(tuple(DialogueNote.Kind.values))),
    Field("participant", Reference("vendor"), None, "Left out: for all of them.",
          column="participant.vendor"),
    Field("text", LONG),
    Field("confidential_because", Text(500), None),
))  # fmt: skip
ROUND = Record((
    Field("number", Integer(1, 32_767)),
    Field("agenda", LONG),
    Field("closed", Flag(), None, column="closed_at"),
    Field("decision", LONG, None, "Which solutions go on, and why."),
    Field("notes", Told(
        NOTE, ("kind", "participant", "text"),
        lambda one: one.notes.select_related("participant__vendor"),
    ), None),
))  # fmt: skip
QUESTION = Record((
    COMPANY,
    Field("text", LONG),
    Field("answer", LONG, None),
    Field("for_all", Flag(), None, column="is_for_all"),
    Field("anonymised_text", LONG, None, "for_all: in words that tell nobody who asked."),
))  # fmt: skip
SUGGESTION = Record((
    COMPANY,
    Field("text", LONG),
    Field("rationale", LONG, None),
    Field("disposition", Choice(tuple(SuggestedRequirement.Disposition.values)), "pending"),
    Field("accepted_as", Text(20), None,
          "accepted: the code of the requirement, which the newest version has."),
    Field("anonymised_text", LONG, None),
    Field("reply", LONG, None),
))  # fmt: skip
SCORE = Record((
    Field("participant", Reference("vendor"), column="submission.participant.vendor"),
    Field("criterion", Text(20)),
    Field("requirement", Text(20), None, column="requirement.code"),
    Field("evaluator", Reference("member")),
    Field("moderated", Flag(), None, column="is_moderated"),
    Field("points", Amount()),
    Field("justification", LONG),
))  # fmt: skip
DECISION = Record((
    COMPANY,
    Field("decision", Choice(("admitted", "rejected"))),
    Field("reason", LONG, None, column="decision_reason"),
))  # fmt: skip
PARTICIPANT = Record((
    Field("vendor", Reference("vendor")),
    Field("state", Choice(tuple(Participant.State.values))),
    Field("why", LONG, None, "As it is told."),
))  # fmt: skip
CONTACT = Record((
    Field("on", Date()),
    Field("with_whom", Text(300)),
    Field("summary", LONG),
))  # fmt: skip


def _kept(name: str, shape: Any, says: str = "", **more: Any) -> Field:
    return Field(name, Kept(shape, None), None, says, **more)


def _examine(value: Value, say: Say, world: World) -> None:
    """What belongs together."""
    if value["kind"] == Procedure.Kind.MINI_COMPETITION and not value["framework"]:
        text = _("expected the agreement that is competed under, found nothing")
        say.error("framework", text)
    framework = world.value("framework", value["framework"])
    lots = [one["code"] for one in framework.get("lots") or []]
    if value["lot"] and not value["framework"]:
        say.error("lot", _("expected nothing, because no framework is named"))
    elif value["lot"] and value["lot"] not in lots:
        what = _("a lot of %(framework)s") % {"framework": value["framework"]}
        say.error("lot", one_of(what, lots, found=value["lot"]))
    for index, code in enumerate(value["sites"] or []):
        if code and code not in world.of("site"):
            text = _("expected a known %(kind)s, found %(code)s")
            say.error(f"sites[{index}]", text % {"kind": "site", "code": code})
    if value["code"] == "new":
        say.error("code", _("expected another code: new is a word of the addresses"))


def _settle(
    row: Procedure, before: Value | None, after: Value, by: str
) -> Iterator[tuple[str, str]]:
    if before is None:
        yield from enter(row, after, by=by)
    else:
        yield from follow(row, before, after, by=by)


registry.register(Kind(
    "procedure", "procedures", Procedure,
    says="Competitive dialogues and mini-competitions: what is planned, required and decided. To "
         "hand in a tender, to open all of them, to tell the award and to write the protocol are "
         "acts of people at their moment, and no file does them.",
    examine=_examine,
    settle=_settle,
    instead=gettext_noop("set state: cancelled"),
    record=Record((
        Field("code", Text(40, identifiers.slug)),
        Field("organisation", Reference("organisation"), says="Who buys."),
        Field("kind", Choice(tuple(Procedure.Kind.values))),
        Field("title", Text(300)),
        Field("state", Kept(Choice(tuple(Procedure.State.values)), "planning", is_written=False),
              None, "Left out: as it is; a new one is planned. A new one beyond planning was led "
              "elsewhere, and who applies the file signs for it. One that is there moves one step "
              "at a time, where nothing is missing; never to evaluation or award_notified."),
        Field("framework", Reference("framework"), None),
        Field("lot", Text(40), None),
        Field("sites", Kept(ListOf(Text(50)), None), None, "mini-competition: codes of the sites "
              "it is for. Left out: as it is; a new one is for all of its organisation."),
        _kept("purpose", LONG),
        _kept("strategy", LONG, "No participant sees it."),
        _kept("estimated_value", Amount(), "BT-27."),
        _kept("maximum_value", Amount(), "BT-271."),
        Field("notice_type", Choice(("16", "20")), "16", "eForms; 20 in the light regime."),
        _kept("notice_reference", Text(200)),
        _kept("requests_due_at", Moment(), "BT-1311."),
        _kept("tenders_due_at", Moment()),
        Field("reduces_successively", Kept(Boolean(), None), None, "BT-52."),
        _kept("least_candidates", Integer(1, 1000), "BT-50."),
        _kept("most_candidates", Integer(1, 1000), "BT-51."),
        _kept("dialogue_plan", LONG),
        Field("evaluation_model", Reference("evaluation_model"), None),
        Field("winner", Kept(Reference("vendor"), None, is_written=False), None,
              "Of a new one that was concluded elsewhere: who won.", column="winner.vendor",
              is_written=False),
        Field("contract_reference", Kept(Text(200), ""), None, "concluded: which was signed."),
        Field("end_reason", Kept(Text(40), ""), None, "cancelled, no_award: BT-144."),
        Field("market_contacts", Told(
            CONTACT, ("on", "with_whom", "summary"), lambda row: row.market_contacts.all()
        ), None, "Before the notice. Lists below add to what is there, and take nothing away."),
        Field("requirements", Told(
            VERSION, ("stage", "version"), lambda row: row.specs.all()
        ), None, "Versions; the newest of a stage may be a draft."),
        Field("participants", Told(
            PARTICIPANT, ("vendor",), lambda row: row.participants.select_related("vendor")
        ), None),
        Field("rounds", Told(ROUND, ("number",), lambda row: row.rounds.all()), None),
        Field("questions", Told(
            QUESTION, ("participant", "text"),
            lambda row: row.questions.select_related("participant__vendor"),
        ), None),
        Field("suggestions", Told(
            SUGGESTION, ("participant", "text"),
            lambda row: row.suggestions.select_related("participant__vendor"),
        ), None),
        Field("evaluation_frozen", Kept(Flag(), None), None,
              "Fixes the evaluation model as it is now, for ever.", is_written=False),
        Field("decisions", Told(DECISION, ("participant",), _decided), None,
              "On tenders that were opened."),
        Field("scores", Told(
            SCORE, ("participant", "criterion", "requirement", "evaluator", "moderated"),
            _newest_scores,
        ), None, "Of tenders that were opened; another value is a further score."),
    )),
))  # fmt: skip
registry.share("procedure", lambda value, owner: None)  # goes along row by row: belongings
