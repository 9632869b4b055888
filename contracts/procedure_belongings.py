"""What of procurement procedures belongs to one organisation when it leaves; sealed stays sealed.

The whole course goes along as it was, moment by moment. A tender that is not opened is in it as
the encrypted text alone; only a hub with the secret it was sealed with opens it, in its time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Q

from contracts.models import (
    CallOffCompetition,
    DialogueNote,
    DialogueRound,
    Document,
    EvaluationFreeze,
    EvaluationModel,
    MarketContact,
    NeedList,
    OutcomeMeasurement,
    Participant,
    Procedure,
    ProcedureMove,
    Protocol,
    Question,
    Requirement,
    RequirementResponse,
    RequirementSpec,
    Score,
    SelectionRun,
    SimulationRun,
    Submission,
    SuggestedRequirement,
    ValueModel,
    VendorInvoice,
    VendorInvoiceLine,
)
from hub.configuration import belongings, naturals, registry
from hub.configuration.belongings import Table
from hub.configuration.reader import Value
from hub.models import Organisation
from vendors.models import Vendor

# what is told of a company that only took part; the rest is its own
TOLD_OF_VENDOR = ("code", "name", "country", "organisation_number")


def _of(path: str, model: Any, *related: str) -> Any:
    """Rows of the model whose organisation lies at the path."""
    return lambda organisation: model.objects.filter(**{path: organisation}).select_related(
        *related
    )


def _in(path: str, model: Any, *related: str) -> Any:
    """Rows of the model that belong to a procedure of the organisation, found at the path."""
    return _of(f"{path}__organisation", model, *related)


def _documents(organisation: Organisation) -> Any:
    """Those of its procedures, and of the agreements that it holds."""
    mine = Q(procedure__organisation=organisation) | Q(framework__holder=organisation)
    return Document.objects.filter(mine).select_related(
        "procedure", "framework", "participant__procedure", "participant__vendor"
    )


def _led_to(organisation: Organisation) -> Any:
    """Links between what is its own: a competition that another held stays with that one."""
    rows = CallOffCompetition.objects.filter(
        call_off__organisation=organisation, competition__organisation=organisation
    )
    return rows.select_related("call_off", "competition")


def _companies(code: str) -> Iterator[tuple[str, str, Value]]:
    """The companies in its procedures, and those that sent it invoices, by name alone."""
    kind = registry.kind("vendor")
    parts = Participant.objects.filter(procedure__organisation__code=code).values("vendor")
    claims = VendorInvoice.objects.filter(organisation__code=code).values("supplier")
    rows = Vendor.objects.filter(pk__in=parts) | Vendor.objects.filter(pk__in=claims)
    for row in rows.distinct().order_by("code"):
        value = kind.record.load(row, "") or {}
        slim = {name: value[name] if name in TOLD_OF_VENDOR else None for name in value}
        yield kind.name, row.code, slim


def _subjects(organisation: Organisation) -> Iterator[str]:
    """Its procedures, lists of needs and models, as the audit trail speaks of them."""
    for model in (Procedure, NeedList, EvaluationModel, ValueModel):
        rows: Any = model._default_manager.filter(organisation=organisation)
        yield from rows.values_list("code", flat=True)


belongings.entries(_companies)
belongings.subjects(_subjects)
for _model, *_fields in (
    (Procedure, "code"), (Participant, "procedure", "vendor"),
    (DialogueRound, "procedure", "number"), (RequirementSpec, "procedure", "stage", "version"),
    (Requirement, "spec", "code"), (EvaluationModel, "code"), (NeedList, "code"),
    (ValueModel, "code"), (VendorInvoice, "supplier", "number"),
    (Submission, "participant", "kind", "received_at", "sha256"),
):  # fmt: skip
    naturals.call(_model, *_fields)
for _table in (
    Table("procedures", Procedure, "its procurement procedures",
          _of("organisation", Procedure), ("code",), later=("winner",)),
    Table("procedure-moves", ProcedureMove, "their moves: who moved them when, and why",
          _in("procedure", ProcedureMove, "procedure"), ("procedure", "at", "to_state")),
    Table("market-contacts", MarketContact, "what was said with the market before",
          _in("procedure", MarketContact, "procedure"),
          ("procedure", "on", "with_whom", "summary")),
    Table("participants", Participant, "the companies in them",
          _in("procedure", Participant, "procedure", "vendor"), ("procedure", "vendor")),
    Table("dialogue-rounds", DialogueRound, "rounds of dialogue, with what was decided",
          _in("procedure", DialogueRound, "procedure"), ("procedure", "number")),
    Table("dialogue-notes", DialogueNote, "minutes and documents of the rounds",
          _in("round__procedure", DialogueNote, "round__procedure", "participant__vendor"),
          ("round", "at", "text")),
    Table("questions", Question, "questions and their answers",
          _in("procedure", Question, "procedure", "participant__vendor"),
          ("participant", "asked_at", "text")),
    Table("requirement-versions", RequirementSpec, "versions of requirements, with their digest",
          _in("procedure", RequirementSpec, "procedure"), ("procedure", "stage", "version")),
    Table("requirements", Requirement, "the requirements in them",
          _in("spec__procedure", Requirement, "spec__procedure"), ("spec", "code")),
    Table("suggested-requirements", SuggestedRequirement, "what participants suggested",
          _in("procedure", SuggestedRequirement, "procedure", "participant__vendor"),
          ("participant", "suggested_at", "text")),
    Table("submissions", Submission,
          "what was handed in; a tender that is not opened is an encrypted text",
          _in("participant__procedure", Submission, "participant__procedure",
              "participant__vendor", "spec__procedure", "round__procedure"),
          ("participant", "kind", "received_at", "sha256")),
    Table("requirement-responses", RequirementResponse, "the answers in what may be read",
          _in("submission__participant__procedure", RequirementResponse,
              "submission__participant__procedure", "submission__participant__vendor",
              "requirement__spec__procedure"), ("submission", "requirement")),
    Table("evaluation-freezes", EvaluationFreeze, "evaluation models as they were frozen",
          _in("procedure", EvaluationFreeze, "procedure"), ("procedure",)),
    Table("scores", Score, "every score with its justification",
          _in("submission__participant__procedure", Score, "submission__participant__procedure",
              "submission__participant__vendor", "requirement__spec__procedure", "evaluator"),
          ("submission", "criterion", "evaluator", "at")),
    Table("protocols", Protocol, "protocols as they were written",
          _in("procedure", Protocol, "procedure"), ("procedure", "made_at")),
    Table("documents", Document, "documents of procedures and agreements; content in base64",
          _documents, ("procedure", "framework", "participant", "sha256")),
    Table("selection-runs", SelectionRun, "which needs were chosen, from what",
          _in("need_list", SelectionRun, "need_list"), ("need_list", "at")),
    Table("simulation-runs", SimulationRun, "simulations of value, with their seed",
          _in("model", SimulationRun, "model"), ("model", "at")),
    Table("outcome-measurements", OutcomeMeasurement, "what was measured, quarter by quarter",
          _in("model", OutcomeMeasurement, "model"), ("model", "quarter", "name", "at")),
    Table("call-off-competitions", CallOffCompetition,
          "which of its competitions led to which of its call-offs", _led_to, ("call_off",)),
    Table("vendor-invoices", VendorInvoice, "invoices that vendors sent it, with what was found",
          _of("organisation", VendorInvoice, "supplier", "organisation"),
          ("supplier", "number")),
    Table("vendor-invoice-lines", VendorInvoiceLine, "their lines",
          _in("invoice", VendorInvoiceLine, "invoice__supplier"),
          ("invoice", "call_off", "algorithm", "site", "month")),
):  # fmt: skip
    belongings.register(_table)
