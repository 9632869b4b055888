"""The REST API of a dialogue: rounds, notes, questions, suggestions; a participant sees its own."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from contracts import dialogue, tender_access
from contracts.api.fields import LongText, TenderDoor
from contracts.api.procedures import REFUSALS
from contracts.api.specifications import RequirementSerializer
from contracts.models import (
    DialogueNote,
    DialogueRound,
    Participant,
    Procedure,
    Question,
    SuggestedRequirement,
)
from hub.api import PROBLEMS, RowSerializer, ShapeSerializer


class RoundSerializer(RowSerializer[DialogueRound]):
    """A round; what was decided in it is for the buyer."""

    agenda = LongText()
    decision = serializers.SerializerMethodField()

    class Meta:
        model = DialogueRound
        fields = ("number", "agenda", "opened_at", "closed_at", "decision")
        read_only_fields = ("number", "opened_at", "closed_at")

    def get_decision(self, row: DialogueRound) -> str:
        return row.decision if self.context.get("participant") is None else ""


class ClosingSerializer(ShapeSerializer[Any]):
    """What was decided at the end of a round."""

    decision = LongText()


class NoteSerializer(RowSerializer[DialogueNote]):
    """A note; ``participant`` by its number, null: for all."""

    round = serializers.IntegerField(source="round.number", read_only=True)
    participant = serializers.IntegerField(
        source="participant.number", allow_null=True, required=False, default=None,
        min_value=1, max_value=32_767,
    )  # fmt: skip
    text = LongText()
    by = serializers.SerializerMethodField()

    class Meta:
        model = DialogueNote
        fields = ("round", "participant", "kind", "text", "confidential_because", "at", "by")
        read_only_fields = ("at",)

    def get_by(self, row: DialogueNote) -> str:
        return row.by if self.context.get("participant") is None else ""


class QuestionSerializer(RowSerializer[Question]):
    """A question; of others a participant sees the words that tell nobody, and the answer."""

    text = serializers.SerializerMethodField()
    participant = serializers.SerializerMethodField()
    anonymised_text = serializers.CharField(read_only=True)

    class Meta:
        model = Question
        fields = (
            "id", "participant", "text", "anonymised_text", "asked_at", "answer", "answered_at",
            "is_for_all",
        )  # fmt: skip

    def _is_theirs(self, row: Question) -> bool:
        asking: Participant | None = self.context.get("participant")
        return asking is None or row.participant_id == asking.pk

    def get_text(self, row: Question) -> str:
        return row.text if self._is_theirs(row) else row.anonymised_text

    def get_participant(self, row: Question) -> int | None:
        return row.participant.number if self._is_theirs(row) else None


class AskedSerializer(ShapeSerializer[Any]):
    """A new question."""

    text = LongText()


class AnswerSerializer(ShapeSerializer[Any]):
    """An answer; for all only with the question in words that tell nobody."""

    answer = LongText()
    is_for_all = serializers.BooleanField()
    anonymised_text = LongText(required=False, allow_blank=True, default="")


class SuggestionSerializer(RowSerializer[SuggestedRequirement]):
    """A requirement that was suggested, and what became of it."""

    participant = serializers.IntegerField(source="participant.number", read_only=True)
    text = LongText()
    rationale = LongText(required=False, allow_blank=True, default="")

    class Meta:
        model = SuggestedRequirement
        fields = (
            "id", "participant", "text", "rationale", "suggested_at", "disposition", "accepted_as",
            "reply",
        )  # fmt: skip
        read_only_fields = ("suggested_at", "disposition", "accepted_as", "reply")


class SuggestionDecisionSerializer(ShapeSerializer[Any]):
    """Accepted as a requirement in the buyer's words, or rejected without one."""

    requirement = RequirementSerializer(required=False, allow_null=True, default=None)
    reply = LongText()


class RoundsView(TenderDoor):
    """The rounds of the dialogue; the next one."""

    @extend_schema(operation_id="rounds_list",
                   responses={200: RoundSerializer(many=True), **PROBLEMS})  # fmt: skip
    def get(self, request: Request, code: str) -> Response:
        row, participant = tender_access.either(request.user, code)
        context = {"participant": participant}
        return Response(RoundSerializer(row.rounds.all(), many=True, context=context).data)

    @extend_schema(request=RoundSerializer, responses={201: RoundSerializer, **REFUSALS})
    def post(self, request: Request, code: str) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        asked = RoundSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = dialogue.open_round(row, agenda=asked.validated_data["agenda"], by=request.user)
        return Response(RoundSerializer(made).data, status=201)


class RoundClosingView(TenderDoor):
    """End a round."""

    @extend_schema(request=ClosingSerializer, responses={200: RoundSerializer, **REFUSALS})
    def post(self, request: Request, code: str, number: int) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        if not row.rounds.filter(number=number).exists():
            raise Http404
        asked = ClosingSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        closed = dialogue.close_round(
            row, number=number, decision=asked.validated_data["decision"], by=request.user
        )
        return Response(RoundSerializer(closed).data)


class NotesView(TenderDoor):
    """Minutes and documents; a participant sees its own and those for all."""

    @extend_schema(operation_id="notes_list",
                   responses={200: NoteSerializer(many=True), **PROBLEMS})  # fmt: skip
    def get(self, request: Request, code: str) -> Response:
        row, participant = tender_access.either(request.user, code)
        found = tender_access.notes(row, participant)
        return Response(
            NoteSerializer(found, many=True, context={"participant": participant}).data
        )

    @extend_schema(request=NoteSerializer, responses={201: NoteSerializer, **REFUSALS})
    def post(self, request: Request, code: str) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        asked = NoteSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        number = (said.get("participant") or {}).get("number")
        made = dialogue.add_note(
            row,
            participant=_participant(row, number) if number is not None else None,
            kind=said["kind"],
            text=said["text"],
            confidential_because=said.get("confidential_because", ""),
            by=request.user,
        )
        return Response(NoteSerializer(made).data, status=201)


class QuestionsView(TenderDoor):
    """Questions: all for the buyer; its own and those answered to all for a participant."""

    @extend_schema(operation_id="questions_list",
                   responses={200: QuestionSerializer(many=True), **PROBLEMS})  # fmt: skip
    def get(self, request: Request, code: str) -> Response:
        row, participant = tender_access.either(request.user, code)
        found = tender_access.questions(row, participant)
        context = {"participant": participant}
        return Response(QuestionSerializer(found, many=True, context=context).data)

    @extend_schema(request=AskedSerializer, responses={201: QuestionSerializer, **REFUSALS})
    def post(self, request: Request, code: str) -> Response:
        participant = tender_access.participant_of(request.user, code)
        asked = AskedSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = dialogue.ask(participant, text=asked.validated_data["text"], by=request.user)
        context = {"participant": participant}
        return Response(QuestionSerializer(made, context=context).data, status=201)


class AnswerView(TenderDoor):
    """Answer a question, to who asked or to all."""

    @extend_schema(request=AnswerSerializer, responses={200: QuestionSerializer, **REFUSALS})
    def post(self, request: Request, code: str, pk: int) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        question = row.questions.filter(pk=pk).first()
        if question is None:
            raise Http404
        asked = AnswerSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        answered = dialogue.answer(
            question, text=said["answer"], is_for_all=said["is_for_all"],
            anonymised_text=said["anonymised_text"], by=request.user,
        )  # fmt: skip
        return Response(QuestionSerializer(answered).data)


class SuggestionsView(TenderDoor):
    """Suggested requirements: all for the buyer, its own for a participant."""

    @extend_schema(operation_id="suggestions_list",
                   responses={200: SuggestionSerializer(many=True), **PROBLEMS})  # fmt: skip
    def get(self, request: Request, code: str) -> Response:
        row, participant = tender_access.either(request.user, code)
        found = tender_access.suggestions(row, participant)
        return Response(SuggestionSerializer(found, many=True).data)

    @extend_schema(request=SuggestionSerializer, responses={201: SuggestionSerializer, **REFUSALS})
    def post(self, request: Request, code: str) -> Response:
        participant = tender_access.participant_of(request.user, code)
        asked = SuggestionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = dialogue.suggest(participant, by=request.user, **asked.validated_data)
        return Response(SuggestionSerializer(made).data, status=201)


class SuggestionDecisionView(TenderDoor):
    """Accept a suggestion as a requirement for all, or reject it."""

    @extend_schema(
        request=SuggestionDecisionSerializer, responses={200: SuggestionSerializer, **REFUSALS}
    )
    def post(self, request: Request, code: str, pk: int) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        suggestion = row.suggestions.filter(pk=pk).first()
        if suggestion is None:
            raise Http404
        asked = SuggestionDecisionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        if said["requirement"] is None:
            dialogue.reject_suggestion(suggestion, reply=said["reply"], by=request.user)
        else:
            dialogue.accept_suggestion(
                suggestion, requirement=dict(said["requirement"]), reply=said["reply"],
                by=request.user,
            )  # fmt: skip
        return Response(SuggestionSerializer(suggestion).data)


def _participant(row: Procedure, number: int) -> Participant:
    found = row.participants.filter(number=number).first()
    if found is None:
        raise ValidationError({"participant": [_("expected the number of a participant")]})
    return found
