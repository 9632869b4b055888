"""The REST API of reconciliation: a vendor's own invoice, held against what was metered."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from contracts.api.billing import Bills
from contracts.billing import reading, reconciling
from contracts.billing.claims import MOST_BYTES, ClaimNotReadError
from contracts.models import VendorInvoice
from hub.api import PAGING, PROBLEMS, Conflict, OneOf, Pages, ShapeSerializer


class ClaimFindingSerializer(ShapeSerializer[Any]):
    """How one algorithm, site and month compares; amounts are signed and without VAT."""

    status = OneOf(choices=["matched", "missing", "extra", "differing"])
    call_off = serializers.CharField()
    algorithm = serializers.CharField()
    site = serializers.CharField()
    month = serializers.CharField()
    due_quantity = serializers.IntegerField()
    due_amount = serializers.CharField()
    given_up_amount = serializers.CharField(
        default="0.00", help_text="What credit notes took back for good; due is without it."
    )
    claimed_quantity = serializers.IntegerField()
    claimed_amount = serializers.CharField()


class VendorInvoiceSerializer(ShapeSerializer[VendorInvoice]):
    """A vendor's own invoice, and what came of comparing it."""

    id = serializers.UUIDField(source="uid")
    supplier = serializers.CharField(source="supplier.code")
    organisation = serializers.CharField(source="organisation.code")
    number = serializers.CharField()
    type = serializers.CharField(source="kind")
    month = serializers.DateField(format="%Y-%m")
    net = serializers.DecimalField(max_digits=14, decimal_places=2)
    received_at = serializers.DateTimeField()
    received_by = serializers.CharField()
    findings = ClaimFindingSerializer(many=True)
    faults = serializers.ListField(
        child=serializers.CharField(), allow_null=True, default=None,
        help_text="What is wrong with the form of its file (UBL), by the name of the rule; null "
        "where it was taken before that was kept.",
    )  # fmt: skip


class VendorFileSerializer(ShapeSerializer[Any]):
    """The file: CSV in the form of our specification, or UBL."""

    file = serializers.FileField()


class VendorInvoiceView(Bills):
    """One invoice that a vendor sent, with what was found."""

    @extend_schema(responses={200: VendorInvoiceSerializer, **PROBLEMS})
    def get(self, request: Request, uid: UUID) -> Response:
        """404 for one that is not there, and for one that is not theirs."""
        found = reading.vendor_invoices(request.user).filter(uid=uid).first()
        if found is None:
            raise Http404
        return Response(VendorInvoiceSerializer(found).data)


class VendorInvoicesView(Bills, generics.ListAPIView[VendorInvoice]):
    """Invoices that vendors sent; a POST reconciles one, matched, missing, extra or differing."""

    serializer_class = VendorInvoiceSerializer
    pagination_class = Pages
    filter_backends = ()
    parameters = PAGING
    parser_classes = (MultiPartParser,)
    queryset = VendorInvoice.objects.none()

    def get_queryset(self) -> QuerySet[VendorInvoice]:
        """Those to the user's organisations, the newest first."""
        return reading.vendor_invoices(self.request.user)

    @extend_schema(
        request={"multipart/form-data": VendorFileSerializer},
        responses={201: VendorInvoiceSerializer, 400: OpenApiTypes.OBJECT, **PROBLEMS},
    )
    def post(self, request: Request) -> Response:
        """201 with the findings; 409 where its number was taken before."""
        asked = VendorFileSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        file = asked.validated_data["file"]
        if file.size > MOST_BYTES:
            raise ValidationError(
                {"file": [_("expected up to %(most)s bytes") % {"most": MOST_BYTES}]}
            )
        try:
            invoice, _found = reconciling.reconcile(file.read(), by=request.user)
        except ClaimNotReadError as fault:
            raise ValidationError({"file": [str(fault)]}) from fault
        except reconciling.NotReconciledError as fault:
            raise Conflict(str(fault)) from fault
        return Response(VendorInvoiceSerializer(invoice).data, status=status.HTTP_201_CREATED)
