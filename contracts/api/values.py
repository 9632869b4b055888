"""The REST API of value simulations: models, runs, and quarters beside the plan."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from contracts import listing_needs, tender_access, valuing
from contracts.api.fields import (
    Distribution,
    FiniteFloat,
    PlainDict,
    TenderDoor,
    demand_buyer,
    demand_each_once,
)
from contracts.api.procedures import REFUSALS
from contracts.models import OutcomeMeasurement, SimulationRun, ValueModel, ValueParameter
from hub import conditional
from hub.api import PAGING, PROBLEMS, OneOf, Pages, RowSerializer, ShapeSerializer
from hub.conditional import CONDITIONAL, IF_MATCH
from hub.models import Organisation
from marketplace.value import STAKEHOLDERS

MOST_DRAWS = 100_000
LONGEST_YEARS = 30


class ParameterSerializer(RowSerializer[ValueParameter]):
    """One number of a model, its range and distribution, and where it comes from."""

    name = OneOf(choices=list(valuing.NAMES))
    value = FiniteFloat()
    low = FiniteFloat(required=False, allow_null=True, default=None)
    high = FiniteFloat(required=False, allow_null=True, default=None)
    distribution = Distribution(required=False, default=dict)
    source = serializers.CharField(  # type: ignore[assignment]
        max_length=500, required=False, allow_blank=True, default=""
    )
    quality = OneOf(
        choices=ValueParameter.Quality.choices, default=ValueParameter.Quality.ASSUMED
    )
    stakeholder = OneOf(
        choices=list(STAKEHOLDERS), required=False, allow_blank=True, default=""
    )

    class Meta:
        model = ValueParameter
        fields = (
            "name", "value", "low", "high", "distribution", "source", "quality", "stakeholder",
        )  # fmt: skip

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The rules of a set-up file."""
        numbers = {name: attrs[name] for name in ("value", "low", "high")}
        if problems := dict(valuing.parameter_problems(attrs["name"], **numbers)):
            raise ValidationError({name: [text] for name, text in problems.items()})
        return attrs


class ValueModelSerializer(RowSerializer[ValueModel]):
    """A value model; ``price`` as in a price book, ``allocation``: item, stakeholder, share."""

    code = serializers.SlugField(max_length=40)
    organisation = serializers.SlugRelatedField(
        slug_field="code", queryset=Organisation.objects.all()
    )
    years = serializers.IntegerField(min_value=1, max_value=LONGEST_YEARS, default=4)
    price = PlainDict(required=False, default=dict)
    discounts = serializers.ListField(
        child=FiniteFloat(min_value=0, max_value=1), required=False, default=list,
        max_length=LONGEST_YEARS,
    )  # fmt: skip
    index = serializers.ListField(
        child=FiniteFloat(min_value=0, max_value=100), required=False, default=list,
        max_length=LONGEST_YEARS,
    )  # fmt: skip
    allocation = serializers.DictField(
        child=serializers.DictField(child=FiniteFloat(min_value=0, max_value=1)),
        required=False, default=dict,
    )  # fmt: skip
    parameters = ParameterSerializer(many=True)

    class Meta:
        model = ValueModel
        fields = (
            "code", "organisation", "title", "years", "price", "discounts", "index", "allocation",
            "parameters",
        )  # fmt: skip

    def validate_price(self, value: dict[str, Any]) -> dict[str, Any]:
        """A price that the engine can read."""
        if fault := valuing.price_problem(value):
            raise ValidationError(fault)
        return value

    def validate_allocation(self, value: dict[str, Any]) -> dict[str, Any]:
        """Known items and stakeholders, whose shares sum to one."""
        if fault := valuing.allocation_problem(value):
            raise ValidationError(fault)
        return value

    def validate_parameters(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each name once."""
        demand_each_once(one["name"] for one in value)
        return value


class AskedRunSerializer(ShapeSerializer[Any]):
    """What a simulation is to be made with; a seed gives the same run again."""

    seed = serializers.IntegerField(min_value=0, max_value=valuing.LARGEST_SEED)
    draws = serializers.IntegerField(min_value=100, max_value=MOST_DRAWS, default=20_000)


class RunSerializer(RowSerializer[SimulationRun]):
    """A simulation that was made."""

    class Meta:
        model = SimulationRun
        fields = (
            "id", "at", "by", "seed", "draws", "engine", "sha256", "roi_definition", "inputs",
            "results",
        )  # fmt: skip


class MeasurementSerializer(RowSerializer[OutcomeMeasurement]):
    """What a driver was in a quarter."""

    name = OneOf(choices=list(valuing.NAMES))
    value = FiniteFloat()
    source = serializers.CharField(max_length=500)  # type: ignore[assignment]

    class Meta:
        model = OutcomeMeasurement
        fields = ("quarter", "name", "value", "source", "at", "by")
        read_only_fields = ("at", "by")


class DriverSerializer(ShapeSerializer[Any]):
    """A driver of a quarter: planned, measured, how far off, and what it does to the NPV."""

    name = serializers.CharField()
    planned = serializers.FloatField()
    measured = serializers.FloatField()
    deviation = serializers.FloatField(allow_null=True)
    effect = serializers.FloatField()


class QuarterSerializer(ShapeSerializer[Any]):
    """A quarter beside the plan."""

    quarter = serializers.DateField()
    npv = serializers.FloatField()
    planned_npv = serializers.FloatField()
    drivers = DriverSerializer(many=True)


class ValueModelsView(TenderDoor):
    """The value models of the user's organisations; a new one."""

    pagination_class = Pages
    parameters = PAGING

    @extend_schema(operation_id="value_models_list", responses=ValueModelSerializer(many=True))
    def get(self, request: Request) -> Response:
        pages = Pages()
        rows = tender_access.value_models(request.user).order_by("code")
        page = pages.paginate_queryset(rows, request, view=self)
        return pages.get_paginated_response(ValueModelSerializer(page, many=True).data)

    @extend_schema(request=ValueModelSerializer, responses={201: ValueModelSerializer, **REFUSALS})
    def post(self, request: Request) -> Response:
        demand_buyer(request.user)
        asked = ValueModelSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = dict(asked.validated_data)
        demand_buyer(request.user, said["organisation"])
        if ValueModel.objects.filter(code=said["code"]).exists():
            raise ValidationError({"code": [_("expected a code that is not taken")]})
        made = listing_needs.write_value_model(None, by=request.user, **said)
        return Response(ValueModelSerializer(made).data, status=201)


class ValueModelView(TenderDoor):
    """One value model; written as a whole."""

    @extend_schema(responses={200: ValueModelSerializer, **PROBLEMS})
    def get(self, request: Request, code: str) -> Response:
        """With its revision as ``ETag``."""
        return conditional.tagged(lambda: _model_told(request, code))

    @extend_schema(
        request=ValueModelSerializer, parameters=[IF_MATCH],
        responses={200: ValueModelSerializer, **REFUSALS, **CONDITIONAL},
    )  # fmt: skip
    def put(self, request: Request, code: str) -> Response:
        """``If-Match`` has the ETag of what is changed: 412 where it is another by now."""
        row = _model(request, code)
        asked = ValueModelSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = dict(asked.validated_data)
        for name, held in (("code", row.code), ("organisation", row.organisation)):
            if said.pop(name) != held:
                raise ValidationError({name: [_("cannot be changed")]})
        with conditional.unchanged(request, row, lambda: _model_told(request, code), called=code):
            listing_needs.write_value_model(row, by=request.user, **said)
        return conditional.tagged(lambda: _model_told(request, code))


class SimulationsView(TenderDoor):
    """The simulations that were made; make one."""

    @extend_schema(operation_id="simulations_list",
                   responses={200: RunSerializer(many=True), **PROBLEMS})  # fmt: skip
    def get(self, request: Request, code: str) -> Response:
        return Response(RunSerializer(_model(request, code).runs.all(), many=True).data)

    @extend_schema(request=AskedRunSerializer, responses={201: RunSerializer, **REFUSALS})
    def post(self, request: Request, code: str) -> Response:
        row = _model(request, code)
        asked = AskedRunSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = valuing.run(row, by=request.user, **asked.validated_data)
        return Response(RunSerializer(made).data, status=201)


class OutcomesView(TenderDoor):
    """Each measured quarter beside the plan; a measurement."""

    @extend_schema(operation_id="outcomes_list",
                   responses={200: QuarterSerializer(many=True), **PROBLEMS})  # fmt: skip
    def get(self, request: Request, code: str) -> Response:
        return Response(
            QuarterSerializer(valuing.against_plan(_model(request, code)), many=True).data
        )

    @extend_schema(
        request=MeasurementSerializer, responses={201: MeasurementSerializer, **REFUSALS}
    )
    def post(self, request: Request, code: str) -> Response:
        row = _model(request, code)
        asked = MeasurementSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        made = valuing.measure(
            row, quarter=said["quarter"], name=said["name"], measured=said["value"],
            source=said["source"], by=request.user,
        )  # fmt: skip
        return Response(MeasurementSerializer(made).data, status=201)


def _model_told(request: Request, code: str) -> Any:
    return ValueModelSerializer(_model(request, code)).data


def _model(request: Request, code: str) -> ValueModel:
    found = tender_access.value_models(request.user).filter(code=code).first()
    if found is None:
        raise Http404
    return found
