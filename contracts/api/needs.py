"""The REST API of needs: the list with its rules of breadth, and the runs that chose."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from contracts import choosing, listing_needs, tender_access
from contracts.api.fields import TenderDoor, demand_buyer, demand_each_once
from contracts.api.procedures import REFUSALS
from contracts.models import BreadthRule, Need, NeedList, SelectionRun
from hub import conditional
from hub.api import PAGING, PROBLEMS, OneOf, Pages, RowSerializer
from hub.conditional import CONDITIONAL, IF_MATCH
from hub.models import Organisation
from marketplace.needs import BEST_COMPETENCE

MOST_NEEDS = 500
CLASSES = ("I", "Is", "Im", "Ir", "IIa", "IIb", "III")


class NeedSerializer(RowSerializer[Need]):
    """One need."""

    volume = serializers.IntegerField(min_value=0, max_value=1_000_000_000)
    gain = serializers.DecimalField(max_digits=10, decimal_places=2, min_value=0)
    competence = serializers.IntegerField(min_value=1, max_value=BEST_COMPETENCE)
    best_class = OneOf(
        choices=list(CLASSES), required=False, allow_blank=True, default=""
    )
    pathology = serializers.CharField(
        max_length=100, required=False, allow_blank=True, default=""
    )

    class Meta:
        model = Need
        fields = (
            "code", "title", "modality", "organ", "pathology", "volume", "gain", "competence",
            "risk", "best_class",
        )  # fmt: skip


class BreadthSerializer(RowSerializer[BreadthRule]):
    """One rule of breadth."""

    at_least = serializers.IntegerField(min_value=0, max_value=100, default=0)
    at_most_each = serializers.IntegerField(
        min_value=1, max_value=100, required=False, allow_null=True, default=None
    )
    every = serializers.ListField(
        child=serializers.CharField(max_length=100), required=False, default=list, max_length=50
    )

    class Meta:
        model = BreadthRule
        fields = ("dimension", "at_least", "at_most_each", "every")


class NeedListSerializer(RowSerializer[NeedList]):
    """A list of needs and how they are chosen among."""

    code = serializers.SlugField(max_length=40)
    organisation = serializers.SlugRelatedField(
        slug_field="code", queryset=Organisation.objects.all()
    )
    pick = serializers.IntegerField(min_value=1, max_value=100)
    weight_gain = serializers.DecimalField(
        max_digits=5, decimal_places=3, min_value=0, max_value=1
    )
    weight_competence = serializers.DecimalField(
        max_digits=5, decimal_places=3, min_value=0, max_value=1
    )
    needs = NeedSerializer(many=True)
    breadth = BreadthSerializer(many=True, required=False, default=list)

    class Meta:
        model = NeedList
        fields = (
            "code", "organisation", "title", "gain_unit", "pick", "weight_gain",
            "weight_competence", "needs", "breadth",
        )  # fmt: skip

    def validate_needs(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each code once, and not without end."""
        if len(value) > MOST_NEEDS:
            raise ValidationError(_("expected at most %(most)s") % {"most": MOST_NEEDS})
        return _each_once(value, "code")

    def validate_breadth(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each dimension once."""
        return _each_once(value, "dimension")


class SelectionSerializer(RowSerializer[SelectionRun]):
    """A choice that was made: its inputs, their digest, and what came of it."""

    class Meta:
        model = SelectionRun
        fields = ("id", "at", "by", "engine", "sha256", "inputs", "results")


class NeedListsView(TenderDoor):
    """The lists of the user's organisations; a new one."""

    pagination_class = Pages
    parameters = PAGING

    @extend_schema(operation_id="need_lists_list", responses=NeedListSerializer(many=True))
    def get(self, request: Request) -> Response:
        pages = Pages()
        rows = tender_access.need_lists(request.user).order_by("code")
        page = pages.paginate_queryset(rows, request, view=self)
        return pages.get_paginated_response(NeedListSerializer(page, many=True).data)

    @extend_schema(request=NeedListSerializer, responses={201: NeedListSerializer, **REFUSALS})
    def post(self, request: Request) -> Response:
        demand_buyer(request.user)
        asked = NeedListSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = dict(asked.validated_data)
        demand_buyer(request.user, said["organisation"])
        if NeedList.objects.filter(code=said["code"]).exists():
            raise ValidationError({"code": [_("expected a code that is not taken")]})
        made = listing_needs.write(None, by=request.user, **said)
        return Response(NeedListSerializer(made).data, status=201)


class NeedListView(TenderDoor):
    """One list; written as a whole."""

    @extend_schema(responses={200: NeedListSerializer, **PROBLEMS})
    def get(self, request: Request, code: str) -> Response:
        """With its revision as ``ETag``."""
        return conditional.tagged(lambda: _told(request, code))

    @extend_schema(
        request=NeedListSerializer, parameters=[IF_MATCH],
        responses={200: NeedListSerializer, **REFUSALS, **CONDITIONAL},
    )  # fmt: skip
    def put(self, request: Request, code: str) -> Response:
        """``If-Match`` has the ETag of what is changed: 412 where it is another by now."""
        row = _list(request, code)
        asked = NeedListSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = dict(asked.validated_data)
        for name, held in (("code", row.code), ("organisation", row.organisation)):
            if said.pop(name) != held:
                raise ValidationError({name: [_("cannot be changed")]})
        with conditional.unchanged(request, row, lambda: _told(request, code), called=code):
            listing_needs.write(row, by=request.user, **said)
        return conditional.tagged(lambda: _told(request, code))


class SelectionsView(TenderDoor):
    """The choices that were made; choose now."""

    @extend_schema(operation_id="selections_list",
                   responses={200: SelectionSerializer(many=True), **PROBLEMS})  # fmt: skip
    def get(self, request: Request, code: str) -> Response:
        return Response(SelectionSerializer(_list(request, code).runs.all(), many=True).data)

    @extend_schema(request=None, responses={201: SelectionSerializer, **PROBLEMS})
    def post(self, request: Request, code: str) -> Response:
        run = choosing.select(_list(request, code), by=request.user)
        return Response(SelectionSerializer(run).data, status=201)


def _each_once(value: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    demand_each_once(one[name] for one in value)
    return value


def _told(request: Request, code: str) -> Any:
    return NeedListSerializer(_list(request, code)).data


def _list(request: Request, code: str) -> NeedList:
    found = tender_access.need_lists(request.user).filter(code=code).first()
    if found is None:
        raise Http404
    return found
