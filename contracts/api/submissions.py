"""The REST API of what participants hand in; a sealed tender gives back its receipt alone."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from contracts import submitting, tender_access
from contracts.api.fields import LongText, OfferLine, TenderDoor
from contracts.api.procedures import REFUSALS
from contracts.models import RequirementResponse, Submission
from hub.api import PROBLEMS, Digest, OneOf, RowSerializer, ShapeSerializer


class DocumentSerializer(ShapeSerializer[Any]):
    """A document by name, digest and where it is kept."""

    name = serializers.CharField(max_length=200)
    sha256 = Digest()
    reference = serializers.CharField(max_length=500, allow_blank=True)


class ResponseSerializer(ShapeSerializer[Any]):
    """The answer to one requirement, and the comment beside it."""

    requirement = serializers.CharField(max_length=20)
    compliance = OneOf(choices=RequirementResponse.Compliance.choices)
    answer = LongText(required=False, allow_blank=True, default="")
    comment = LongText(required=False, allow_blank=True, default="")
    comment_kind = OneOf(
        choices=RequirementResponse.Comment.choices, required=False, allow_blank=True, default=""
    )
    price_impact = serializers.DecimalField(
        max_digits=14, decimal_places=2, required=False, allow_null=True, default=None
    )
    documents = DocumentSerializer(many=True, required=False, default=list)


class FixedSerializer(ShapeSerializer[Any]):
    """An amount that does not hang on examinations."""

    name = serializers.CharField(max_length=200)
    amount = serializers.DecimalField(max_digits=14, decimal_places=2, min_value=0)
    per = OneOf(choices=["once", "year"])


class SubmittedOfferSerializer(ShapeSerializer[Any]):
    """A price book that is offered: terms as in a set-up file, and fixed amounts."""

    lines = serializers.ListField(child=OfferLine(), max_length=500, required=False, default=list)
    fixed = FixedSerializer(many=True, required=False, default=list)


class NewSubmissionSerializer(ShapeSerializer[Any]):
    """What is handed in, as a whole; it replaces an earlier one of its kind."""

    kind = OneOf(choices=Submission.Kind.choices)
    responses = ResponseSerializer(many=True)
    offer = SubmittedOfferSerializer(required=False, default=lambda: {"lines": [], "fixed": []})


class SubmissionSerializer(RowSerializer[Submission]):
    """A submission; of one that is sealed only the receipt is there."""

    participant = serializers.IntegerField(source="participant.number")
    stage = serializers.CharField(source="spec.stage")
    version = serializers.IntegerField(source="spec.version")
    round = serializers.IntegerField(source="round.number", default=None, allow_null=True)
    responses = serializers.SerializerMethodField()
    unmet = serializers.SerializerMethodField()

    class Meta:
        model = Submission
        fields = (
            "id", "participant", "kind", "state", "stage", "version", "round", "received_at",
            "received_by", "sha256", "opened_at", "offer", "evaluated_price", "decision",
            "decision_reason", "responses", "unmet",
        )  # fmt: skip

    def to_representation(self, instance: Submission) -> dict[str, Any]:
        """What was decided is the buyer's until letters are sent."""
        told: dict[str, Any] = super().to_representation(instance)
        if self.context.get("participant") is not None:
            told |= {"decision": "open", "decision_reason": "", "evaluated_price": None,
                     "unmet": []}  # fmt: skip
        return told

    def get_responses(self, row: Submission) -> list[dict[str, Any]]:
        return [
            {
                "requirement": one.requirement.code, "compliance": one.compliance,
                "answer": one.answer, "comment": one.comment, "comment_kind": one.comment_kind,
                "price_impact": None if one.price_impact is None else str(one.price_impact),
                "documents": one.documents,
            }
            for one in row.responses.select_related("requirement")
        ]  # fmt: skip

    def get_unmet(self, row: Submission) -> list[str]:
        return submitting.unmet(row) if row.state == Submission.State.OPENED else []


class TenderDecisionSerializer(ShapeSerializer[Any]):
    """Whether a tender is admitted, and why."""

    decision = OneOf(choices=["admitted", "rejected"])
    why = LongText(required=False, allow_blank=True, default="")


class SubmissionsView(TenderDoor):
    """What was handed in; to the buyer no final tender is there before all are opened."""

    @extend_schema(operation_id="submissions_list",
                   responses={200: SubmissionSerializer(many=True), **PROBLEMS})  # fmt: skip
    def get(self, request: Request, code: str) -> Response:
        row, participant = tender_access.either(request.user, code)
        found = tender_access.submissions(row, participant)
        context = {"participant": participant}
        return Response(SubmissionSerializer(found, many=True, context=context).data)

    @extend_schema(
        request=NewSubmissionSerializer, responses={201: SubmissionSerializer, **REFUSALS}
    )
    def post(self, request: Request, code: str) -> Response:
        participant = tender_access.participant_of(request.user, code)
        asked = NewSubmissionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = plain(asked.validated_data)
        made = submitting.submit(
            participant, kind=said.pop("kind"), content=said, by=request.user
        )
        context = {"participant": participant}
        return Response(SubmissionSerializer(made, context=context).data, status=201)


class WithdrawalView(TenderDoor):
    """Take back what was handed in."""

    @extend_schema(request=None, responses={200: SubmissionSerializer, **PROBLEMS})
    def post(self, request: Request, code: str, pk: int) -> Response:
        participant = tender_access.participant_of(request.user, code)
        found = participant.submissions.filter(pk=pk).first()
        if found is None:
            raise Http404
        taken = submitting.withdraw(found, by=request.user)
        return Response(SubmissionSerializer(taken, context={"participant": participant}).data)


class TenderDecisionView(TenderDoor):
    """Admit or reject an opened tender."""

    @extend_schema(
        request=TenderDecisionSerializer, responses={200: SubmissionSerializer, **REFUSALS}
    )
    def post(self, request: Request, code: str, pk: int) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        found = tender_access.submissions(row, None).filter(pk=pk).first()
        if found is None:
            raise Http404
        asked = TenderDecisionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        submitting.decide(found, to=said["decision"], why=said["why"], by=request.user)
        return Response(SubmissionSerializer(found).data)


def plain(value: Any) -> Any:
    """Validated data as JSON: amounts as text."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
