"""The REST API of what changes in an agreement: amendments, lots, further suppliers."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from contracts import acting, changing
from contracts.api.agreement_shapes import ASKED, FrameworkDetailSerializer
from contracts.api.agreements import REFUSED, Acts, agreed
from contracts.api.fields import LongText
from contracts.changing import Agreed, ChangeRefused
from contracts.models import Amendment
from hub import conditional
from hub.api import OneOf, ShapeSerializer
from hub.conditional import CONDITIONAL, IF_MATCH
from vendors.models import Vendor

TOLD, CHANGED = FrameworkDetailSerializer, {**REFUSED, **CONDITIONAL}


class NewAmendmentSerializer(ShapeSerializer[Any]):
    """An amendment; its number and the value before it follow from those before."""

    agreed = serializers.DateField()
    reason = OneOf(choices=Amendment.Reason.choices)
    value_after = serializers.DecimalField(**ASKED)
    description = LongText(allow_blank=True, default="")
    notice = serializers.CharField(max_length=80, allow_blank=True, default="")


class NewLotSerializer(ShapeSerializer[Any]):
    """A lot as it is to be."""

    code = serializers.SlugField(max_length=40)
    title = serializers.CharField(max_length=300)
    estimated_value = serializers.DecimalField(**ASKED, allow_null=True, default=None)
    maximum_value = serializers.DecimalField(**ASKED, allow_null=True, default=None)


class NewSupplierSerializer(ShapeSerializer[Any]):
    """A further supplier; without a lot it is one of all lots."""

    vendor = serializers.SlugRelatedField(slug_field="code", queryset=Vendor.objects.all())
    lot = serializers.CharField(max_length=40, allow_blank=True, default="")
    rank = serializers.IntegerField(min_value=1, max_value=999, allow_null=True, default=None)


class _Changes(Acts):
    """A change that is refused is a 400 beside its field.

    ``If-Match`` has the ETag of the agreement that is changed: 412 where it is another by now.
    """

    def handle_exception(self, exc: Exception) -> Response:
        """Turn what a verb raised into a problem that a person understands."""
        if isinstance(exc, ChangeRefused):
            exc = ValidationError({exc.field: [str(exc)]})
        return super().handle_exception(exc)


class AmendmentsView(_Changes):
    """Note an amendment, on behalf of the holder."""

    @extend_schema(
        request=NewAmendmentSerializer, parameters=[IF_MATCH], responses={201: TOLD, **CHANGED}
    )
    def post(self, request: Request, pk: int) -> Response:
        framework = acting.framework_to_change(request.user, pk)
        of, said = conditional.demanded(request), _asked(NewAmendmentSerializer, request)
        changing.amend(framework, Agreed(**said), by=request.user, of=of)
        return agreed(request, pk, status=201)


class LotsView(_Changes):
    """Add a lot, or change the one of the code, on behalf of the holder."""

    @extend_schema(
        request=NewLotSerializer, parameters=[IF_MATCH], responses={201: TOLD, **CHANGED}
    )
    def post(self, request: Request, pk: int) -> Response:
        framework = acting.framework_to_change(request.user, pk)
        of, said = conditional.demanded(request), _asked(NewLotSerializer, request)
        changing.set_lot(framework, by=request.user, of=of, **said)
        return agreed(request, pk, status=201)


class LotView(_Changes):
    """Take a lot away that nothing hangs on."""

    @extend_schema(parameters=[IF_MATCH], responses={200: TOLD, **CHANGED})
    def delete(self, request: Request, pk: int, code: str) -> Response:
        framework = acting.framework_to_change(request.user, pk)
        of = conditional.demanded(request)
        changing.remove_lot(framework, code=code, by=request.user, of=of)
        return agreed(request, pk)


class SuppliersView(_Changes):
    """Name a further supplier, on behalf of the holder."""

    @extend_schema(
        request=NewSupplierSerializer, parameters=[IF_MATCH], responses={201: TOLD, **CHANGED}
    )
    def post(self, request: Request, pk: int) -> Response:
        framework = acting.framework_to_change(request.user, pk)
        of, said = conditional.demanded(request), _asked(NewSupplierSerializer, request)
        changing.add_supplier(framework, by=request.user, of=of, **said)
        return agreed(request, pk, status=201)


class SupplierView(_Changes):
    """Name a supplier no longer; ``lot`` where it is named with one."""

    parameters = ("lot",)

    @extend_schema(
        parameters=[
            OpenApiParameter("lot", str, description="The lot it is named with."), IF_MATCH,
        ],
        responses={200: TOLD, **CHANGED},
    )  # fmt: skip
    def delete(self, request: Request, pk: int, vendor: str) -> Response:
        framework = acting.framework_to_change(request.user, pk)
        found = Vendor.objects.filter(code=vendor).first()
        if found is None:
            raise Http404
        lot = request.query_params.get("lot", "").replace("\x00", "")[:40]
        of = conditional.demanded(request)
        changing.remove_supplier(framework, vendor=found, lot=lot, by=request.user, of=of)
        return agreed(request, pk)


def _asked(shape: Any, request: Request) -> dict[str, Any]:
    asked = shape(data=request.data)
    asked.is_valid(raise_exception=True)
    said: dict[str, Any] = asked.validated_data
    return said
