"""The REST API of requirements: versions, what is in them, and what changed between two."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from contracts import specifying, tender_access
from contracts.api.fields import LongText, TenderDoor, demand_each_once
from contracts.api.procedures import REFUSALS
from contracts.models import Participant, Procedure, Requirement, RequirementSpec
from hub import conditional
from hub.api import PROBLEMS, OneOf, RowSerializer, ShapeSerializer, demand_whole
from hub.conditional import CONDITIONAL, IF_MATCH

MOST_REQUIREMENTS = 2_000


class RequirementSerializer(RowSerializer[Requirement]):
    """One requirement."""

    text = LongText()
    text_no = LongText(required=False, allow_blank=True, default="")
    rationale = LongText(required=False, allow_blank=True, default="")
    parent = serializers.CharField(  # type: ignore[assignment]
        max_length=20, required=False, allow_blank=True, default=""
    )
    criterion = serializers.CharField(max_length=20, required=False, allow_blank=True, default="")
    supersedes = serializers.CharField(max_length=20, required=False, allow_blank=True, default="")
    choices = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, default=list, max_length=100
    )
    answer_type = OneOf(
        choices=Requirement.Answer.choices, default=Requirement.Answer.YES_NO
    )
    max_points = serializers.DecimalField(
        max_digits=6, decimal_places=2, min_value=0, required=False, allow_null=True, default=None
    )
    min_points = serializers.DecimalField(
        max_digits=6, decimal_places=2, min_value=0, required=False, allow_null=True, default=None
    )
    needs_document = serializers.BooleanField(default=False)
    source = OneOf(  # type: ignore[assignment]
        choices=["buyer", "supplier_suggestion"], default="buyer"
    )

    class Meta:
        model = Requirement
        fields = (
            "code", "parent", "group", "kind", "text", "text_no", "rationale", "answer_type",
            "choices", "criterion", "max_points", "min_points", "needs_document", "source",
            "supersedes",
        )  # fmt: skip

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """What belongs together: choices, points and their criterion."""
        if (attrs["answer_type"] == Requirement.Answer.CHOICE) != bool(attrs["choices"]):
            text = _("expected for an answer of the type choice alone")
            raise ValidationError({"choices": [text]})
        if attrs["max_points"] and not attrs["criterion"]:
            text = _("expected the criterion that points count for")
            raise ValidationError({"criterion": [text]})
        return attrs


class SpecificationSerializer(RowSerializer[RequirementSpec]):
    """A version with its requirements."""

    requirements = RequirementSerializer(many=True, read_only=True)

    class Meta:
        model = RequirementSpec
        fields = ("stage", "version", "frozen_at", "frozen_by", "sha256", "requirements")


class StageSerializer(ShapeSerializer[Any]):
    """Which stage to make a draft of."""

    stage = OneOf(choices=RequirementSpec.Stage.choices)


class RequirementsSerializer(ShapeSerializer[Any]):
    """All requirements of a draft."""

    requirements = RequirementSerializer(many=True)

    def validate_requirements(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each code once."""
        demand_each_once(one["code"] for one in value)
        if len(value) > MOST_REQUIREMENTS:
            raise ValidationError(_("expected at most %(most)s") % {"most": MOST_REQUIREMENTS})
        return value


class ChangeSerializer(ShapeSerializer[Any]):
    """One field that differs."""

    field = serializers.CharField()
    before = serializers.JSONField()
    after = serializers.JSONField()
    words = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))


class DifferenceSerializer(ShapeSerializer[Any]):
    """What became of one requirement."""

    code = serializers.CharField()
    what = OneOf(choices=["added", "removed", "changed"])
    text = serializers.CharField()
    changes = ChangeSerializer(many=True)


class SpecificationsView(TenderDoor):
    """All versions; a participant sees those that are frozen."""

    @extend_schema(operation_id="specifications_list",
                   responses={200: SpecificationSerializer(many=True), **PROBLEMS})  # fmt: skip
    def get(self, request: Request, code: str) -> Response:
        row, participant = tender_access.either(request.user, code)
        found = _visible(row, participant).prefetch_related("requirements")
        return Response(SpecificationSerializer(found, many=True).data)

    @extend_schema(request=StageSerializer, responses={201: SpecificationSerializer, **REFUSALS})
    def post(self, request: Request, code: str) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        asked = StageSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = specifying.draft(row, stage=asked.validated_data["stage"], by=request.user)
        return Response(SpecificationSerializer(made).data, status=201)


class SpecificationView(TenderDoor):
    """One version; a draft is written as a whole."""

    @extend_schema(responses={200: SpecificationSerializer, **PROBLEMS})
    def get(self, request: Request, code: str, stage: str, version: int) -> Response:
        """With its revision as ``ETag``."""
        row, participant = tender_access.either(request.user, code)
        found = _spec(row, participant, stage, version)
        return conditional.tagged(lambda: SpecificationSerializer(found).data)

    @extend_schema(
        request=RequirementsSerializer, parameters=[IF_MATCH],
        responses={200: SpecificationSerializer, **REFUSALS, **CONDITIONAL},
    )  # fmt: skip
    def put(self, request: Request, code: str, stage: str, version: int) -> Response:
        """``If-Match`` has the ETag of what is changed: 412 where it is another by now."""
        row = tender_access.procedure_for_buyer(request.user, code)
        found = _spec(row, None, stage, version)
        asked = RequirementsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        requirements = [dict(one) for one in asked.validated_data["requirements"]]

        def told() -> Any:
            return SpecificationSerializer(_spec(row, None, stage, version)).data

        with conditional.unchanged(request, found, told, called=row.code):
            specifying.replace(found, requirements, by=request.user)
        return conditional.tagged(told)


class SpecificationFreezeView(TenderDoor):
    """Fix a version for ever."""

    @extend_schema(request=None, responses={200: SpecificationSerializer, **PROBLEMS})
    def post(self, request: Request, code: str, stage: str, version: int) -> Response:
        row = tender_access.procedure_for_buyer(request.user, code)
        found = specifying.freeze(_spec(row, None, stage, version), by=request.user)
        return Response(SpecificationSerializer(found).data)


class SpecificationDifferenceView(TenderDoor):
    """What changed since an earlier version."""

    parameters = ("since",)

    @extend_schema(
        operation_id="specification_difference",
        parameters=[OpenApiParameter("since", int, description="The earlier version; left out: "
                                     "the one before.")],
        responses={200: DifferenceSerializer(many=True), **REFUSALS},
    )  # fmt: skip
    def get(self, request: Request, code: str, stage: str, version: int) -> Response:
        row, participant = tender_access.either(request.user, code)
        demand_whole(request, {"since": 1})
        since = int(request.query_params.get("since") or version - 1)
        found = _spec(row, participant, stage, version)
        earlier = _spec(row, participant, stage, since)
        told = specifying.differences(found, since=earlier)
        return Response(DifferenceSerializer(told, many=True).data)


def _visible(row: Procedure, participant: Participant | None) -> Any:
    return row.specs.all() if participant is None else row.specs.filter(frozen_at__isnull=False)


def _spec(
    row: Procedure, participant: Participant | None, stage: str, version: int
) -> RequirementSpec:
    if version > 32_767:
        raise Http404
    found: RequirementSpec | None = (
        _visible(row, participant).filter(stage=stage, version=version).first()
    )
    if found is None:
        raise Http404
    return found
