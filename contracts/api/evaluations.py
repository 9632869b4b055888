"""The REST API of evaluation: models, the freeze, scores, who stands where, the protocol."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from contracts import evaluating, evaluation_editing, protocols, tender_access
from contracts.api.fields import LongText, TenderDoor, demand_buyer, demand_each_once
from contracts.api.procedures import REFUSALS
from contracts.evaluation import WEIGHT_KINDS, Reversal, Tender
from contracts.models import AwardCriterion, EvaluationModel, Procedure, Protocol, Score
from contracts.priced_scenario import LONGEST_MONTHS
from hub import conditional
from hub.api import PAGING, PROBLEMS, OneOf, Pages, RowSerializer, ShapeSerializer
from hub.conditional import CONDITIONAL, IF_MATCH
from hub.models import Organisation


class CriterionSerializer(RowSerializer[AwardCriterion]):
    """An award criterion."""

    weight = serializers.DecimalField(
        max_digits=6, decimal_places=3, min_value=0, max_value=100
    )
    weight_kind = OneOf(choices=list(WEIGHT_KINDS), default="per-exa")
    is_environment = serializers.BooleanField(default=False)
    value = serializers.DecimalField(
        max_digits=14, decimal_places=2, min_value=0, required=False, allow_null=True, default=None
    )

    class Meta:
        model = AwardCriterion
        fields = ("code", "name", "kind", "weight", "weight_kind", "is_environment", "value")


class DemandSerializer(ShapeSerializer[Any]):
    """Volumes of one item that tenders are priced on."""

    item = serializers.CharField(max_length=100)
    start = serializers.DateField()
    months = serializers.IntegerField(min_value=1, max_value=LONGEST_MONTHS)
    monthly = serializers.IntegerField(min_value=0, max_value=10_000_000)


class EvaluationModelSerializer(RowSerializer[EvaluationModel]):
    """A model with its criteria and scenario; ``problems`` is what the rules say against it."""

    code = serializers.SlugField(max_length=40)
    organisation = serializers.SlugRelatedField(
        slug_field="code", queryset=Organisation.objects.all()
    )
    max_points = serializers.DecimalField(
        max_digits=6, decimal_places=2, min_value=1, default=Decimal(10)
    )
    break_point = serializers.DecimalField(
        max_digits=6, decimal_places=3, required=False, allow_null=True, default=None
    )
    environment_exemption = LongText(required=False, allow_blank=True, default="")
    scenario = DemandSerializer(many=True, required=False, default=list)
    criteria = CriterionSerializer(many=True)
    problems = serializers.SerializerMethodField()

    class Meta:
        model = EvaluationModel
        fields = (
            "code", "organisation", "title", "formula", "max_points", "break_point",
            "environment_exemption", "scenario", "criteria", "problems",
        )  # fmt: skip

    def get_problems(self, row: EvaluationModel) -> list[str]:
        return [f"{field}: {rule}" for field, rule in evaluation_editing.problems_today(row)]

    def validate_criteria(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each code once."""
        demand_each_once(one["code"] for one in value)
        return value

    def validate_scenario(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each item once; days as text, as they are kept."""
        demand_each_once(one["item"] for one in value)
        return [dict(one) | {"start": one["start"].isoformat()} for one in value]


class TenderSerializer(ShapeSerializer[Tender]):
    """A tender by the number of its participant (or a letter, where it is made up)."""

    code = serializers.CharField()
    price = serializers.DecimalField(max_digits=None, decimal_places=2)
    points = serializers.DictField(child=serializers.DecimalField(max_digits=6, decimal_places=2))


class RankedSerializer(ShapeSerializer[Any]):
    """A tender with its place."""

    code = serializers.CharField()
    place = serializers.IntegerField()
    figure = serializers.FloatField()
    price_points = serializers.FloatField(allow_null=True)


class ReversalSerializer(ShapeSerializer[Reversal]):
    """Without one that lost, another would win."""

    without = serializers.CharField()
    winner = serializers.CharField()
    instead = serializers.CharField()


class ExampleSerializer(ShapeSerializer[Any]):
    """Made-up tenders by which the model turns."""

    tenders = TenderSerializer(many=True)
    reversal = ReversalSerializer()


class EvaluationSerializer(ShapeSerializer[Any]):
    """What is frozen, and how tenders stand by it."""

    sha256 = serializers.CharField(allow_null=True)
    frozen_at = serializers.DateTimeField(allow_null=True)
    frozen_by = serializers.CharField(allow_null=True)
    snapshot = serializers.JSONField(allow_null=True)
    example_of_reversal = ExampleSerializer(allow_null=True)
    missing = serializers.ListField(child=serializers.CharField())
    tenders = TenderSerializer(many=True)
    ranked = RankedSerializer(many=True)
    reversals = ReversalSerializer(many=True)


class ScoreSerializer(RowSerializer[Score]):
    """Points with their justification."""

    submission = serializers.IntegerField(source="submission_id", min_value=1, max_value=2**31)
    criterion = serializers.CharField(max_length=20)
    requirement = serializers.CharField(
        source="requirement.code", max_length=20, required=False, allow_null=True, default=None
    )
    evaluator = serializers.CharField(source="evaluator.username", read_only=True)
    points = serializers.DecimalField(max_digits=6, decimal_places=2, min_value=0)
    justification = LongText()
    is_moderated = serializers.BooleanField(default=False)

    class Meta:
        model = Score
        fields = (
            "submission", "criterion", "requirement", "evaluator", "points", "justification",
            "is_moderated", "at",
        )  # fmt: skip
        read_only_fields = ("at",)


class ProtocolSerializer(RowSerializer[Protocol]):
    """A protocol as it was written: an HTML page that stands alone."""

    class Meta:
        model = Protocol
        fields = ("id", "made_at", "made_by", "sha256", "document")


class EvaluationModelsView(TenderDoor):
    """The evaluation models of the user's organisations; a new one."""

    pagination_class = Pages
    parameters = PAGING

    @extend_schema(
        operation_id="evaluation_models_list", responses=EvaluationModelSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        pages = Pages()
        rows = tender_access.evaluation_models(request.user).order_by("code")
        page = pages.paginate_queryset(rows, request, view=self)
        return pages.get_paginated_response(EvaluationModelSerializer(page, many=True).data)

    @extend_schema(
        request=EvaluationModelSerializer, responses={201: EvaluationModelSerializer, **REFUSALS}
    )
    def post(self, request: Request) -> Response:
        demand_buyer(request.user)
        asked = EvaluationModelSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = dict(asked.validated_data)
        demand_buyer(request.user, said["organisation"])
        if EvaluationModel.objects.filter(code=said["code"]).exists():
            raise ValidationError({"code": [_("expected a code that is not taken")]})
        made = evaluation_editing.write(None, by=request.user, **said)
        return Response(EvaluationModelSerializer(made).data, status=201)


class EvaluationModelView(TenderDoor):
    """One evaluation model; written as a whole."""

    @extend_schema(responses={200: EvaluationModelSerializer, **PROBLEMS})
    def get(self, request: Request, code: str) -> Response:
        """With its revision as ``ETag``."""
        return conditional.tagged(lambda: _model_told(request, code))

    @extend_schema(
        request=EvaluationModelSerializer, parameters=[IF_MATCH],
        responses={200: EvaluationModelSerializer, **REFUSALS, **CONDITIONAL},
    )  # fmt: skip
    def put(self, request: Request, code: str) -> Response:
        """``If-Match`` has the ETag of what is changed: 412 where it is another by now."""
        row = _model(request, code)
        asked = EvaluationModelSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = dict(asked.validated_data)
        for name, held in (("code", row.code), ("organisation", row.organisation)):
            if said.pop(name) != held:
                raise ValidationError({name: [_("cannot be changed")]})
        with conditional.unchanged(request, row, lambda: _model_told(request, code), called=code):
            evaluation_editing.write(row, by=request.user, **said)
        return conditional.tagged(lambda: _model_told(request, code))


class EvaluationView(TenderDoor):
    """How tenders of a procedure are compared, and how they stand; freeze the model."""

    @extend_schema(responses={200: EvaluationSerializer, **PROBLEMS})
    def get(self, request: Request, code: str) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        return Response(EvaluationSerializer(told(row)).data)

    @extend_schema(request=None, responses={201: EvaluationSerializer, **PROBLEMS})
    def post(self, request: Request, code: str) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        evaluating.freeze(row, by=request.user)
        return Response(EvaluationSerializer(told(row)).data, status=201)


class ScoresView(TenderDoor):
    """All points that were given, the latest last; more of them."""

    @extend_schema(operation_id="scores_list",
                   responses={200: ScoreSerializer(many=True), **PROBLEMS})  # fmt: skip
    def get(self, request: Request, code: str) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        found = Score.objects.filter(submission__participant__procedure=row)
        rows = found.select_related("evaluator", "requirement")
        return Response(ScoreSerializer(rows, many=True).data)

    @extend_schema(request=ScoreSerializer, responses={201: ScoreSerializer, **REFUSALS})
    def post(self, request: Request, code: str) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        asked = ScoreSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        opened = tender_access.submissions(row, None).filter(opened_at__isnull=False)
        submission = opened.filter(pk=said["submission_id"]).first()
        if submission is None:
            raise ValidationError({"submission": [_("expected a tender that was opened")]})
        wanted = (said.get("requirement") or {}).get("code")
        requirement = submission.spec.requirements.filter(code=wanted).first() if wanted else None
        if wanted and requirement is None:
            raise ValidationError({"requirement": [_("expected one of the specification")]})
        assert not request.user.is_anonymous
        made = evaluating.score(
            submission, criterion=said["criterion"], requirement=requirement,
            points=said["points"], justification=said["justification"],
            is_moderated=said["is_moderated"], by=request.user,
        )  # fmt: skip
        return Response(ScoreSerializer(made).data, status=201)


class ProtocolsView(TenderDoor):
    """The protocols of a procedure; write it as it is now."""

    @extend_schema(operation_id="protocols_list",
                   responses={200: ProtocolSerializer(many=True), **PROBLEMS})  # fmt: skip
    def get(self, request: Request, code: str) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        return Response(ProtocolSerializer(row.protocols.all(), many=True).data)

    @extend_schema(request=None, responses={201: ProtocolSerializer, **PROBLEMS})
    def post(self, request: Request, code: str) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        return Response(ProtocolSerializer(protocols.write(row, by=request.user)).data, status=201)


def told(row: Procedure) -> dict[str, Any]:
    """What is frozen and how tenders stand, for answers and pages."""
    frozen, found = getattr(row, "frozen_evaluation", None), evaluating.outcome(row)
    example = evaluating.check(row)
    return {
        "sha256": frozen and frozen.sha256,
        "frozen_at": frozen and frozen.frozen_at,
        "frozen_by": frozen and frozen.frozen_by,
        "snapshot": frozen and frozen.snapshot,
        "example_of_reversal": example
        and {"tenders": [_tender(one) for one in example[0]], "reversal": example[1]},
        "missing": found.missing,
        "tenders": [_tender(one) for one in found.tenders],
        "ranked": [
            {
                "code": one.code, "place": one.place, "figure": float(one.figure),
                "price_points": None if one.price_points is None else float(one.price_points),
            }
            for one in found.ranked
        ],
        "reversals": found.reversals,
    }  # fmt: skip


def _tender(one: Tender) -> dict[str, Any]:
    points = {code: round(given, 2) for code, given in one.points.items()}
    return {"code": one.code, "price": one.price, "points": points}


def _model_told(request: Request, code: str) -> Any:
    return EvaluationModelSerializer(_model(request, code)).data


def _model(request: Request, code: str) -> EvaluationModel:
    found = tender_access.evaluation_models(request.user).filter(code=code).first()
    if found is None:
        raise Http404
    return found
