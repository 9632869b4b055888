"""The REST API of procedures: what they are, their moves, and who takes part."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from contracts import dialogue, participating, procedures, result_notices, tender_access
from contracts.api.fields import TenderDoor, demand_buyer
from contracts.api.procedure_shapes import (
    AskedMoveSerializer,
    MarketContactSerializer,
    NewParticipantSerializer,
    NewProcedureSerializer,
    ParticipantDecisionSerializer,
    ParticipantSerializer,
    PlanSerializer,
    ProcedureSerializer,
    ResultNoticeSerializer,
)
from contracts.models import Procedure
from hub import conditional
from hub.api import PAGING, PROBLEMS, Pages
from hub.conditional import CONDITIONAL, IF_MATCH

REFUSALS = {400: OpenApiTypes.OBJECT, **PROBLEMS}


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
        """With its revision as ``ETag``."""
        return conditional.tagged(lambda: _told(request, code))

    @extend_schema(
        request=PlanSerializer, parameters=[IF_MATCH],
        responses={200: ProcedureSerializer, **REFUSALS, **CONDITIONAL},
    )  # fmt: skip
    def patch(self, request: Request, code: str) -> Response:
        """``If-Match`` has the ETag of what is changed: 412 where it is another by now."""
        row = tender_access.procedure_for_buyer(request.user, code)
        asked = PlanSerializer(data=request.data, partial=True, context={"request": request})
        asked.is_valid(raise_exception=True)
        with conditional.unchanged(request, row, lambda: _told(request, code), called=code):
            procedures.replan(row, by=request.user, **asked.validated_data)
        return conditional.tagged(lambda: _told(request, code))


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
        row, participant = tender_access.either(request.user, code)
        told = MarketContactSerializer(
            row.market_contacts.all(), many=True, context={"participant": participant}
        )
        return Response(told.data)

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


def _told(request: Request, code: str) -> Any:
    row, participant = tender_access.either(request.user, code)
    told = {"participant": participant, "user": request.user}
    return ProcedureSerializer(row, context=told).data
