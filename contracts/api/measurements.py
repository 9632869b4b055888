"""The REST API of readings: how available services were, and what they led to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from contracts import measuring
from contracts.api.billing import Bills
from contracts.api.price_simulations import AvailableSerializer, MeasuredSerializer
from contracts.models import AvailabilityReading, OutcomeReading
from contracts.usage_rows import UsageRefused
from hub.api import PAGING, PROBLEMS, Pages, ShapeSerializer

MOST = 1000


class AvailabilitySerializer(ShapeSerializer[AvailabilityReading]):
    """A reading that holds; ``share`` is a share of one."""

    call_off = serializers.CharField(source="line.call_off.code")
    algorithm = serializers.CharField(source="line.algorithm.code")
    site = serializers.CharField(source="line.site.code")
    month = serializers.DateField(format="%Y-%m")
    share = serializers.DecimalField(max_digits=7, decimal_places=6)
    recorded_at = serializers.DateTimeField()
    recorded_by = serializers.CharField()


class OutcomeSerializer(ShapeSerializer[OutcomeReading]):
    """A reading that holds, of the contract year that begins on ``contract_year``."""

    framework = serializers.CharField(source="framework.code")
    algorithm = serializers.CharField(source="algorithm.code")
    kpi = serializers.CharField()
    contract_year = serializers.DateField()
    successes = serializers.IntegerField()
    n = serializers.IntegerField()
    recorded_at = serializers.DateTimeField()
    recorded_by = serializers.CharField()


class AskedAvailabilitySerializer(ShapeSerializer[Any]):
    """1 to 1,000 readings; all are taken, or none."""

    availability = AvailableSerializer(many=True)


class AskedOutcomesSerializer(ShapeSerializer[Any]):
    """1 to 1,000 readings; all are taken, or none."""

    outcomes = MeasuredSerializer(many=True)


class AvailabilityView(Bills, generics.ListAPIView[AvailabilityReading]):
    """In how much of each month services were available; a later reading takes the place."""

    serializer_class = AvailabilitySerializer
    pagination_class = Pages
    filter_backends = ()
    parameters = PAGING
    queryset = AvailabilityReading.objects.none()

    def get_queryset(self) -> QuerySet[AvailabilityReading]:
        """The newest month first."""
        return measuring.availability(self.request.user)

    @extend_schema(
        request=AskedAvailabilitySerializer,
        responses={
            201: AvailabilitySerializer(many=True), 400: OpenApiTypes.OBJECT, **PROBLEMS,
        },
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Every refusal names the field, such as ``availability[3].share``, and the rule."""
        rows: Any = _taken(request, "availability", measuring.record_availability)
        told = AvailabilitySerializer(rows, many=True).data
        return Response(told, status=status.HTTP_201_CREATED)


class OutcomesView(Bills, generics.ListAPIView[OutcomeReading]):
    """What was measured in each contract year; a later reading takes the place."""

    serializer_class = OutcomeSerializer
    pagination_class = Pages
    filter_backends = ()
    parameters = PAGING
    queryset = OutcomeReading.objects.none()

    def get_queryset(self) -> QuerySet[OutcomeReading]:
        """The newest year first."""
        return measuring.outcomes(self.request.user)

    @extend_schema(
        request=AskedOutcomesSerializer,
        responses={201: OutcomeSerializer(many=True), 400: OpenApiTypes.OBJECT, **PROBLEMS},
    )
    def post(self, request: Request) -> Response:
        """Every refusal names the field, such as ``outcomes[3].kpi``, and the rule."""
        rows: Any = _taken(request, "outcomes", measuring.record_outcomes)
        told = OutcomeSerializer(rows, many=True).data
        return Response(told, status=status.HTTP_201_CREATED)


def _taken(request: Request, name: str, record: Callable[..., list[Any]]) -> list[Any]:
    said = request.data if isinstance(request.data, Mapping) else {}
    text = _("unknown field; expected one of %(known)s") % {"known": name}
    unknown = {one: [text] for one in map(str, said) if one != name}
    rows = said.get(name)
    if unknown or not isinstance(rows, list) or not 1 <= len(rows) <= MOST:
        what = _("expected a list of 1 to %(most)s readings") % {"most": MOST}
        raise ValidationError(unknown or {name: [what]})
    try:
        return record(rows, by=request.user)
    except UsageRefused as refused:
        faults: dict[str, list[str]] = {}
        for fault in refused.faults:
            faults.setdefault(fault.path, []).append(fault.text)
        raise ValidationError(faults) from refused
