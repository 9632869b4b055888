"""The REST API of procedures: what they are, their moves, and who takes part."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from contracts import (
    dialogue,
    participating,
    procedures,
    result_notices,
    tender_access,
    tenders,
)
from contracts.api.fields import LongText, TenderDoor, demand_buyer
from contracts.models import (
    EvaluationModel,
    FrameworkAgreement,
    MarketContact,
    Participant,
    Procedure,
)
from contracts.zone import CONTRACT_ZONE
from hub.api import PAGING, PROBLEMS, Pages
from hub.models import Organisation, User
from vendors.models import Vendor

REFUSALS = {400: OpenApiTypes.OBJECT, **PROBLEMS}


class MadeMoveSerializer(serializers.Serializer[Any]):
    """One move that was made."""

    at = serializers.DateTimeField()
    by = serializers.CharField()
    from_state = serializers.CharField()
    to_state = serializers.CharField()
    why = serializers.CharField()


class DutySerializer(serializers.Serializer[Any]):
    """Until when the result notice must be sent, and whether it is due, late or sent."""

    due = serializers.DateField()
    state = serializers.ChoiceField(choices=["due", "late", "sent"])


class FollowingSerializer(serializers.Serializer[Any]):
    """A state that may follow, and what is missing for it."""

    state = serializers.CharField()
    missing = serializers.ListField(child=serializers.CharField())


class PlanSerializer(serializers.Serializer[Any]):
    """What a buyer plans; the law's fields by their business terms (eForms)."""

    title = serializers.CharField(max_length=300)
    purpose = LongText(allow_blank=True, required=False)
    strategy = LongText(allow_blank=True, required=False)
    framework = serializers.SlugRelatedField(
        slug_field="code", queryset=FrameworkAgreement.objects.all(), required=False,
        allow_null=True,
    )  # fmt: skip
    lot = serializers.CharField(max_length=40, allow_blank=True, required=False)
    estimated_value = serializers.DecimalField(
        max_digits=14, decimal_places=2, min_value=0, required=False, allow_null=True
    )
    maximum_value = serializers.DecimalField(
        max_digits=14, decimal_places=2, min_value=0, required=False, allow_null=True
    )
    notice_type = serializers.ChoiceField(choices=["16", "20"], required=False)
    notice_reference = serializers.CharField(max_length=200, allow_blank=True, required=False)
    requests_due_at = serializers.DateTimeField(required=False, allow_null=True)
    reduces_successively = serializers.BooleanField(required=False, allow_null=True)
    least_candidates = serializers.IntegerField(
        min_value=1, max_value=1000, required=False, allow_null=True
    )
    most_candidates = serializers.IntegerField(
        min_value=1, max_value=1000, required=False, allow_null=True
    )
    dialogue_plan = LongText(allow_blank=True, required=False)
    tenders_due_at = serializers.DateTimeField(required=False, allow_null=True)
    evaluation_model = serializers.SlugRelatedField(
        slug_field="code", queryset=EvaluationModel.objects.none(), required=False, allow_null=True
    )

    def get_fields(self) -> dict[str, Any]:
        """The fields; only evaluation models of organisations that the user buys for are known."""
        fields: dict[str, Any] = super().get_fields()
        if request := self.context.get("request"):
            known = tender_access.evaluation_models(request.user)
            fields["evaluation_model"].queryset = known
        return fields


class NewProcedureSerializer(PlanSerializer):
    """A new procedure."""

    code = serializers.SlugField(max_length=40)
    organisation = serializers.SlugRelatedField(
        slug_field="code", queryset=Organisation.objects.all()
    )
    kind = serializers.ChoiceField(choices=Procedure.Kind.choices)


class ProcedureSerializer(serializers.ModelSerializer[Procedure]):
    """A procedure; to a participant strategy, missing things and moves are empty."""

    organisation = serializers.CharField(source="organisation.code")
    framework = serializers.CharField(source="framework.code", default=None, allow_null=True)
    evaluation_model = serializers.SerializerMethodField()
    strategy = serializers.SerializerMethodField()
    winner = serializers.SerializerMethodField()
    result_notice_duty = serializers.SerializerMethodField()
    following = serializers.SerializerMethodField()
    moves = serializers.SerializerMethodField()

    class Meta:
        model = Procedure
        fields = (
            "code", "organisation", "title", "kind", "framework", "lot", "state", "purpose",
            "strategy", "estimated_value", "maximum_value", "notice_type", "notice_reference",
            "requests_due_at", "reduces_successively", "least_candidates", "most_candidates",
            "dialogue_plan", "tenders_due_at", "evaluation_model", "opened_at", "winner",
            "standstill_until", "contract_reference", "end_reason", "ended_at", "result_notice",
            "result_notice_on", "result_value", "result_notice_duty", "following", "moves",
        )  # fmt: skip

    @property
    def _is_buyer(self) -> bool:
        return self.context.get("participant") is None

    def get_evaluation_model(self, row: Procedure) -> str | None:
        model = row.evaluation_model
        return model.code if model and self._is_buyer else None

    def get_strategy(self, row: Procedure) -> str:
        return row.strategy if self._is_buyer else ""

    def get_winner(self, row: Procedure) -> int | None:
        told = (Procedure.State.AWARD_NOTIFIED, Procedure.State.CONCLUDED)
        is_told = self._is_buyer or row.state in told
        return row.winner.number if row.winner and is_told else None

    @extend_schema_field(DutySerializer(allow_null=True))
    def get_result_notice_duty(self, row: Procedure) -> Any:
        owed = result_notices.duty(row, on=_today()) if self._is_buyer else None
        return DutySerializer(owed).data if owed else None

    @extend_schema_field(FollowingSerializer(many=True))
    def get_following(self, row: Procedure) -> Any:
        if not self._is_buyer:
            return []
        return [
            {"state": state, "missing": [str(one) for one in missing]}
            for state, missing in tenders.next_states(row)
        ]

    @extend_schema_field(MadeMoveSerializer(many=True))
    def get_moves(self, row: Procedure) -> Any:
        return MadeMoveSerializer(row.moves.all(), many=True).data if self._is_buyer else []


class AskedMoveSerializer(serializers.Serializer[Any]):
    """A move; ``winner`` and ``award_reason`` for award_notified, ``end_reason`` for an end."""

    to = serializers.ChoiceField(choices=Procedure.State.choices)
    why = LongText()
    winner = serializers.IntegerField(required=False, min_value=1, max_value=32_767)
    award_reason = LongText(required=False)
    contract_reference = serializers.CharField(max_length=200, required=False)
    end_reason = serializers.CharField(max_length=40, required=False)


class ResultNoticeSerializer(serializers.Serializer[Any]):
    """The result notice as it was sent; ``result_value`` of a framework (BT-118, BT-709)."""

    result_notice = serializers.CharField(max_length=200)
    result_notice_on = serializers.DateField()
    result_value = serializers.DecimalField(
        max_digits=14, decimal_places=2, min_value=0, required=False, allow_null=True, default=None
    )


class ParticipantSerializer(serializers.ModelSerializer[Participant]):
    """Who takes part."""

    vendor = serializers.CharField(source="vendor.code")
    users = serializers.SerializerMethodField()

    class Meta:
        model = Participant
        fields = ("number", "vendor", "state", "why", "users")

    def get_users(self, row: Participant) -> list[str]:
        return participating.people_of(row)


class NewParticipantSerializer(serializers.Serializer[Any]):
    """A company; its people act for it, and ``users``, where given, are checked to be of it."""

    vendor = serializers.SlugRelatedField(slug_field="code", queryset=Vendor.objects.all())
    users = serializers.SlugRelatedField(
        slug_field="username", queryset=User.objects.all(), many=True, required=False
    )


    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Who is named belongs to the company; others would not be let in."""
        people = set(attrs["vendor"].people.values_list("user", flat=True))
        for user in attrs.get("users", []):
            if user.pk not in people:
                name = {"user": user.username, "vendor": attrs["vendor"].name}
                raise ValidationError(
                    {"users": [_("%(user)s is no person of %(vendor)s: invite it there") % name]}
                )
        return attrs


class ParticipantDecisionSerializer(serializers.Serializer[Any]):
    """How far a participant is taken, and why."""

    state = serializers.ChoiceField(choices=Participant.State.choices)
    why = LongText()


class MarketContactSerializer(serializers.ModelSerializer[MarketContact]):
    """Something said with the market before the notice."""

    with_whom = serializers.CharField(max_length=300)
    summary = LongText()
    by = serializers.CharField(read_only=True)

    class Meta:
        model = MarketContact
        fields = ("on", "with_whom", "summary", "by")


class ProceduresView(TenderDoor):
    """The procedures that the user buys in or takes part in; a new one."""

    pagination_class = Pages
    parameters = PAGING

    @extend_schema(operation_id="procedures_list", responses=ProcedureSerializer(many=True))
    def get(self, request: Request) -> Response:
        pages = Pages()
        rows = tender_access.procedures(request.user).order_by("code")
        page = pages.paginate_queryset(rows, request, view=self)
        told = [_told(request, row.code) for row in page]
        return pages.get_paginated_response(told)

    @extend_schema(
        request=NewProcedureSerializer, responses={201: ProcedureSerializer, **REFUSALS}
    )
    def post(self, request: Request) -> Response:
        demand_buyer(request.user)
        asked = NewProcedureSerializer(data=request.data, context={"request": request})
        asked.is_valid(raise_exception=True)
        said = dict(asked.validated_data)
        demand_buyer(request.user, said["organisation"])
        if Procedure.objects.filter(code=said["code"]).exists():
            raise ValidationError({"code": [_("expected a code that is not taken")]})
        row = procedures.plan(by=request.user, **said)
        return Response(_told(request, row.code), status=201)


class ProcedureView(TenderDoor):
    """One procedure; what is planned may be changed until it is announced."""

    @extend_schema(responses={200: ProcedureSerializer, **PROBLEMS})
    def get(self, request: Request, code: str) -> Response:
        return Response(_told(request, code))

    @extend_schema(request=PlanSerializer, responses={200: ProcedureSerializer, **REFUSALS})
    def patch(self, request: Request, code: str) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        asked = PlanSerializer(data=request.data, partial=True, context={"request": request})
        asked.is_valid(raise_exception=True)
        procedures.replan(row, by=request.user, **asked.validated_data)
        return Response(_told(request, code))


class MovesView(TenderDoor):
    """Move a procedure on, or end it; to evaluation means that all tenders are opened."""

    @extend_schema(request=AskedMoveSerializer, responses={200: ProcedureSerializer, **REFUSALS})
    def post(self, request: Request, code: str) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        asked = AskedMoveSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        procedures.move(row, by=request.user, **asked.validated_data)
        return Response(_told(request, code))


class ResultNoticeView(TenderDoor):
    """Keep that the result was announced."""

    @extend_schema(
        request=ResultNoticeSerializer, responses={200: ProcedureSerializer, **REFUSALS}
    )
    def post(self, request: Request, code: str) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        asked = ResultNoticeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        result_notices.announce(
            row, reference=said["result_notice"], on=said["result_notice_on"],
            value=said["result_value"], by=request.user,
        )  # fmt: skip
        return Response(_told(request, code))


class MarketContactsView(TenderDoor):
    """What was said with the market, in which all participants may read."""

    @extend_schema(operation_id="market_contacts_list",
                   responses={200: MarketContactSerializer(many=True), **PROBLEMS})  # fmt: skip
    def get(self, request: Request, code: str) -> Response:
        row, _participant = tender_access.either(request.user, code)
        return Response(MarketContactSerializer(row.market_contacts.all(), many=True).data)

    @extend_schema(
        request=MarketContactSerializer, responses={201: MarketContactSerializer, **REFUSALS}
    )
    def post(self, request: Request, code: str) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        asked = MarketContactSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = dialogue.note_market_contact(row, by=request.user, **asked.validated_data)
        return Response(MarketContactSerializer(made).data, status=201)


class ParticipantsView(TenderDoor):
    """Who takes part; for the buyer alone."""

    @extend_schema(operation_id="participants_list",
                   responses={200: ParticipantSerializer(many=True), **PROBLEMS})  # fmt: skip
    def get(self, request: Request, code: str) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        return Response(ParticipantSerializer(row.participants.all(), many=True).data)

    @extend_schema(
        request=NewParticipantSerializer, responses={201: ParticipantSerializer, **REFUSALS}
    )
    def post(self, request: Request, code: str) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        asked = NewParticipantSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        made = participating.add(row, vendor=said["vendor"], by=request.user)
        return Response(ParticipantSerializer(made).data, status=201)


class ParticipantDecisionView(TenderDoor):
    """Qualify, invite, exclude, or take a participant no further."""

    @extend_schema(
        request=ParticipantDecisionSerializer,
        responses={200: ParticipantSerializer, **REFUSALS},
    )
    def post(self, request: Request, code: str, number: int) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        participant = row.participants.filter(number=number).first()
        if participant is None:
            raise Http404
        asked = ParticipantDecisionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        participating.decide(participant, to=said["state"], why=said["why"], by=request.user)
        return Response(ParticipantSerializer(participant).data)


def _today() -> date:
    return timezone.localdate(timezone=CONTRACT_ZONE)


def _told(request: Request, code: str) -> Any:
    row, participant = tender_access.either(request.user, code)
    return ProcedureSerializer(row, context={"participant": participant}).data
