"""The addresses of choosing: needs, procedures, evaluation, value."""

from django.urls import URLPattern, path

from contracts.api import (
    dialogue,
    documents,
    evaluations,
    needs,
    procedures,
    specifications,
    submissions,
)
from contracts.api import values as value_models
from contracts.views import choosing as views
from contracts.views import documents as files
from contracts.views import planning, requirements, tables
from contracts.views import procedure_acts as acts
from contracts.views import procedures as course

_PROCEDURE = "procedures/<slug:code>"
_SPEC = f"{_PROCEDURE}/specifications/<slug:stage>/<int:version>"

pages: list[URLPattern] = [
    path("needs/", views.need_lists, name="need-lists"),
    path("needs/new/", tables.page_of(tables.NEEDS), name="need-list-new"),
    path("needs/<slug:code>/edit/", tables.page_of(tables.NEEDS), name="need-list-edit"),
    path("evaluation-models/", views.evaluation_models, name="evaluation-models"),
    path("evaluation-models/new/", tables.page_of(tables.EVALUATION), name="evaluation-model-new"),
    path("evaluation-models/<slug:code>/", tables.page_of(tables.EVALUATION),
         name="evaluation-model-edit"),
    path("value/new/", tables.page_of(tables.VALUE), name="value-model-new"),
    path("value/<slug:code>/edit/", tables.page_of(tables.VALUE), name="value-model-edit"),
    path("value/<slug:code>/outcomes/", views.measure, name="value-model-measure"),
    path("needs/<slug:code>/", views.need_list, name="need-list"),
    path("needs/<slug:code>/select/", views.select, name="need-list-select"),
    path("value/", views.value_models, name="value-models"),
    path("value/<slug:code>/", views.value_model, name="value-model"),
    path("value/<slug:code>/simulate/", views.simulate, name="value-model-simulate"),
    path("value/<slug:code>/runs/<int:pk>/tornado.svg", views.tornado_chart, name="tornado"),
    path("procedures/", course.procedures_page, name="procedures"),
    path("procedures/new/", planning.new, name="procedure-new"),
    path(f"{_PROCEDURE}/", course.procedure, name="procedure"),
    path(f"{_PROCEDURE}/plan/", planning.edit, name="procedure-plan"),
    path(f"{_PROCEDURE}/move/", acts.move, name="procedure-move"),
    path(f"{_PROCEDURE}/result/", acts.announce_result, name="procedure-result"),
    path(f"{_PROCEDURE}/contacts/", acts.note_contact, name="market-contact"),
    path(f"{_PROCEDURE}/participants/", acts.add_participant, name="participant-add"),
    path(f"{_PROCEDURE}/participants/<int:number>/", acts.judge, name="participant-judge"),
    path(f"{_PROCEDURE}/rounds/", acts.open_round, name="round-open"),
    path(f"{_PROCEDURE}/rounds/<int:number>/close/", acts.close_round, name="round-close"),
    path(f"{_PROCEDURE}/notes/", acts.add_note, name="note-add"),
    path(f"{_PROCEDURE}/ask/", acts.ask, name="question-ask"),
    path(f"{_PROCEDURE}/questions/<int:pk>/answer/", acts.answer, name="question-answer"),
    path(f"{_PROCEDURE}/suggest/", acts.suggest, name="suggestion-make"),
    path(f"{_PROCEDURE}/suggestions/<int:pk>/reject/", acts.reject_suggestion,
         name="suggestion-reject"),
    path(f"{_PROCEDURE}/suggestions/<int:pk>/accept/", requirements.accept,
         name="suggestion-accept"),
    path(f"{_PROCEDURE}/submissions/<int:pk>/withdraw/", acts.withdraw, name="submission-withdraw"),
    path(f"{_PROCEDURE}/submissions/<int:pk>/", course.submission, name="submission"),
    path(f"{_PROCEDURE}/documents/", files.bring, name="procedure-documents"),
    path(f"{_PROCEDURE}/documents/<int:pk>/", files.take, name="procedure-document"),
    path(f"{_PROCEDURE}/requirements/", acts.draft_requirements, name="requirements-draft"),
    path(f"{_SPEC}/requirements/", requirements.write, name="requirement-new"),
    path(f"{_SPEC}/requirements/<int:pk>/", requirements.write, name="requirement"),
    path(f"{_SPEC}/requirements/<int:pk>/remove/", requirements.remove,
         name="requirement-remove"),
    path(f"{_SPEC}/", course.specification, name="specification"),
    path(f"{_SPEC}/freeze/", course.freeze_specification, name="specification-freeze"),
    path(f"{_SPEC}/submit/", course.submit, name="specification-submit"),
    path(f"{_PROCEDURE}/evaluation/", course.evaluation, name="evaluation"),
    path(f"{_PROCEDURE}/evaluation/freeze/", course.freeze_evaluation, name="evaluation-freeze"),
    path(f"{_PROCEDURE}/evaluation/score/", course.score, name="score"),
    path(f"{_PROCEDURE}/tenders/<int:pk>/decide/", course.decide_tender, name="tender-decision"),
    path(f"{_PROCEDURE}/protocol/", course.protocol, name="protocol"),
    path(f"{_PROCEDURE}/protocol/write/", course.write_protocol, name="protocol-write"),
]
v1 = [
    path("need-lists/", needs.NeedListsView.as_view(), name="api-need-lists"),
    path("need-lists/<slug:code>/", needs.NeedListView.as_view(), name="api-need-list"),
    path(
        "need-lists/<slug:code>/selections/", needs.SelectionsView.as_view(), name="api-selections"
    ),
    path("value-models/", value_models.ValueModelsView.as_view(), name="api-value-models"),
    path(
        "value-models/<slug:code>/", value_models.ValueModelView.as_view(), name="api-value-model"
    ),
    path(
        "value-models/<slug:code>/simulations/",
        value_models.SimulationsView.as_view(),
        name="api-simulations",
    ),
    path(
        "value-models/<slug:code>/outcomes/",
        value_models.OutcomesView.as_view(),
        name="api-outcomes",
    ),
    path(
        "evaluation-models/",
        evaluations.EvaluationModelsView.as_view(),
        name="api-evaluation-models",
    ),
    path(
        "evaluation-models/<slug:code>/",
        evaluations.EvaluationModelView.as_view(),
        name="api-evaluation-model",
    ),
    path("procedures/", procedures.ProceduresView.as_view(), name="api-procedures"),
    path(f"{_PROCEDURE}/", procedures.ProcedureView.as_view(), name="api-procedure"),
    path(f"{_PROCEDURE}/moves/", procedures.MovesView.as_view(), name="api-procedure-moves"),
    path(
        f"{_PROCEDURE}/result-notice/",
        procedures.ResultNoticeView.as_view(),
        name="api-result-notice",
    ),
    path(
        f"{_PROCEDURE}/documents/",
        documents.ProcedureDocumentsView.as_view(),
        name="api-procedure-documents",
    ),
    path(
        f"{_PROCEDURE}/documents/<int:pk>/",
        documents.ProcedureDocumentView.as_view(),
        name="api-procedure-document",
    ),
    path(
        f"{_PROCEDURE}/market-contacts/",
        procedures.MarketContactsView.as_view(),
        name="api-market-contacts",
    ),
    path(
        f"{_PROCEDURE}/participants/",
        procedures.ParticipantsView.as_view(),
        name="api-participants",
    ),
    path(
        f"{_PROCEDURE}/participants/<int:number>/decision/",
        procedures.ParticipantDecisionView.as_view(),
        name="api-participant-decision",
    ),
    path(f"{_PROCEDURE}/rounds/", dialogue.RoundsView.as_view(), name="api-rounds"),
    path(
        f"{_PROCEDURE}/rounds/<int:number>/close/",
        dialogue.RoundClosingView.as_view(),
        name="api-round-closing",
    ),
    path(f"{_PROCEDURE}/notes/", dialogue.NotesView.as_view(), name="api-notes"),
    path(f"{_PROCEDURE}/questions/", dialogue.QuestionsView.as_view(), name="api-questions"),
    path(
        f"{_PROCEDURE}/questions/<int:pk>/answer/",
        dialogue.AnswerView.as_view(),
        name="api-answer",
    ),
    path(f"{_PROCEDURE}/suggestions/", dialogue.SuggestionsView.as_view(), name="api-suggestions"),
    path(
        f"{_PROCEDURE}/suggestions/<int:pk>/decision/",
        dialogue.SuggestionDecisionView.as_view(),
        name="api-suggestion-decision",
    ),
    path(
        f"{_PROCEDURE}/specifications/",
        specifications.SpecificationsView.as_view(),
        name="api-specifications",
    ),
    path(f"{_SPEC}/", specifications.SpecificationView.as_view(), name="api-specification"),
    path(
        f"{_SPEC}/freeze/",
        specifications.SpecificationFreezeView.as_view(),
        name="api-specification-freeze",
    ),
    path(
        f"{_SPEC}/difference/",
        specifications.SpecificationDifferenceView.as_view(),
        name="api-specification-difference",
    ),
    path(
        f"{_PROCEDURE}/submissions/", submissions.SubmissionsView.as_view(), name="api-submissions"
    ),
    path(
        f"{_PROCEDURE}/submissions/<int:pk>/withdraw/",
        submissions.WithdrawalView.as_view(),
        name="api-withdrawal",
    ),
    path(
        f"{_PROCEDURE}/submissions/<int:pk>/decision/",
        submissions.TenderDecisionView.as_view(),
        name="api-tender-decision",
    ),
    path(
        f"{_PROCEDURE}/evaluation/", evaluations.EvaluationView.as_view(), name="api-evaluation"
    ),
    path(f"{_PROCEDURE}/scores/", evaluations.ScoresView.as_view(), name="api-scores"),
    path(f"{_PROCEDURE}/protocols/", evaluations.ProtocolsView.as_view(), name="api-protocols"),
]
