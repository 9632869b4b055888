"""What the doors of choosing need in their addresses, and the rows behind them."""

from __future__ import annotations

from typing import Any

from contracts import dialogue, documents, protocols, specifying, submitting, valuing
from contracts.models import NeedList, Submission, ValueModel, ValueParameter
from hub.models import Organisation
from tests.builders import tenders

HIDDEN = "Northern AS"
GIVEN: dict[str, dict[str, Any]] = {
    **dict.fromkeys(["need-list", "need-list-select", "need-list-edit",
                     "api-need-list", "api-selections"],
                    {"code": "wanted"}),
    **dict.fromkeys(["value-model", "value-model-simulate", "value-model-edit",
                     "value-model-measure",
                     "tornado", "api-value-model",
                     "api-simulations", "api-outcomes"], {"code": "worth", "pk": "run"}),
    **dict.fromkeys(["api-evaluation-model", "evaluation-model-edit"], {"code": "best-value"}),
    **dict.fromkeys([
        "procedure", "procedure-plan", "procedure-result", "market-contact", "participant-add",
        "round-open", "note-add", "suggestion-make", "requirements-draft", "procedure-move",
        "question-ask", "evaluation", "evaluation-freeze", "score",
        "protocol", "protocol-write", "api-procedure", "api-procedure-moves",
        "api-result-notice", "api-market-contacts", "api-participants", "api-rounds", "api-notes",
        "api-questions",
        "api-suggestions", "api-specifications", "api-submissions", "api-evaluation", "api-scores",
        "api-protocols",
    ], {"code": "2026-100"}),
    **dict.fromkeys(["procedure-documents", "api-procedure-documents"], {"code": "2026-100"}),
    **dict.fromkeys(["procedure-document", "api-procedure-document"],
                    {"code": "2026-100", "pk": "document"}),
    **dict.fromkeys(["participant-judge", "round-close"], {"code": "2026-100", "number": 1}),
    **dict.fromkeys(["suggestion-reject", "suggestion-accept"],
                    {"code": "2026-100", "pk": "suggestion"}),
    "submission-withdraw": {"code": "2026-100", "pk": "tender"},
    "submission": {"code": "2026-100", "pk": "tender"},
    "requirement-new": {"code": "2026-100", "stage": "specification", "version": 2},
    **dict.fromkeys(["requirement", "requirement-remove"],
                    {"code": "2026-100", "stage": "specification", "version": 2,
                     "pk": "requirement"}),
    **dict.fromkeys(["specification", "specification-freeze", "specification-submit",
                     "api-specification", "api-specification-freeze",
                     "api-specification-difference"],
                    {"code": "2026-100", "stage": "specification", "version": 1}),
    **dict.fromkeys(["question-answer", "api-answer"], {"code": "2026-100", "pk": "question"}),
    "api-suggestion-decision": {"code": "2026-100", "pk": "suggestion"},
    **dict.fromkeys(["tender-decision", "api-withdrawal", "api-tender-decision"],
                    {"code": "2026-100", "pk": "tender"}),
    **dict.fromkeys(["api-participant-decision", "api-round-closing"],
                    {"code": "2026-100", "number": 1}),
    **dict.fromkeys(["need-lists", "value-models", "procedures", "procedure-new",
                     "need-list-new", "value-model-new", "evaluation-model-new",
                     "evaluation-models", "api-need-lists",
                     "api-value-models", "api-evaluation-models", "api-procedures"], {}),
}  # fmt: skip
NAMES = frozenset(GIVEN)
COLLECTIONS = frozenset({"procedure-new", "need-list-new", "evaluation-model-new",
                         "value-model-new", "api-need-lists", "api-value-models",
                         "api-evaluation-models",
                         "api-procedures"})  # fmt: skip


def made(organisation: Organisation) -> tenders.Dialogue:
    """One of everything that the doors lead to, at the organisation."""
    scene = tenders.in_dialogue(organisation)
    dialogue.ask(scene.first, text=f"Asked by {HIDDEN}", by=scene.first_user)
    dialogue.suggest(scene.first, text=f"Suggested by {HIDDEN}", rationale="", by=scene.first_user)
    submitting.submit(
        scene.first, kind=Submission.Kind.DIALOGUE, by=scene.first_user,
        content={"responses": [tenders.answer("F-1", comment=HIDDEN, comment_kind="other")]},
    )  # fmt: skip
    specifying.draft(scene.procedure, stage="specification", by=scene.buyer)
    documents.keep(
        documents.Brought("evidence", "certificate.pdf", HIDDEN.encode()), of=scene.procedure,
        participant=scene.first, by=scene.first_user,
    )  # fmt: skip
    NeedList.objects.create(
        code="wanted", organisation=organisation, title="Wanted", pick=1, weight_gain=1,
        weight_competence=0,
    )  # fmt: skip
    model = ValueModel.objects.create(code="worth", organisation=organisation, title="Worth")
    ValueParameter.objects.create(model=model, name="volume", value=1, low=0, high=2)
    valuing.run(model, seed=1, draws=100, by=scene.buyer)
    return scene


def given(name: str, scene: tenders.Dialogue) -> dict[str, Any]:
    """What the address of a door takes; keys of rows are looked up."""
    rows: dict[str, Any] = {
        "question": scene.procedure.questions.first(),
        "suggestion": scene.procedure.suggestions.first(),
        "tender": scene.first.submissions.first(),
        "requirement": scene.procedure.specs.get(stage="specification", version=2)
        .requirements.first(),
        "document": scene.procedure.documents.first(),
        "run": ValueModel.objects.get(code="worth").runs.first(),
    }
    return {
        key: rows[value].pk if value in rows else value for key, value in GIVEN[name].items()
    }


def with_protocol(scene: tenders.Dialogue) -> None:
    """The protocol of a procedure that ended, so that its page is there."""
    type(scene.procedure).objects.filter(pk=scene.procedure.pk).update(state="cancelled")
    scene.procedure.refresh_from_db()
    protocols.write(scene.procedure, by=scene.buyer)
