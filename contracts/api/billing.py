"""The REST API of billing: runs, invoices in each of their forms, credit notes."""

from __future__ import annotations

import base64
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers, status
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contracts.billing import crediting, documents, kept, parts, reading, running
from contracts.models import BillingRun, Invoice, InvoiceFile, InvoiceLine
from hub.access import CONTRACT_ROLES, holds_role, holds_role_for
from hub.api import PAGING, PROBLEMS, Conflict, Door, Pages, ShapeSerializer

_REFUSALS = (running.NotBilledError, crediting.NotCreditedError, kept.DamagedFile)


class InvoiceLineSerializer(ShapeSerializer[InvoiceLine]):
    """One charge; ``snapshot`` is the digest of the terms and usage that it was rated on."""

    position = serializers.IntegerField()
    month = serializers.DateField(format="%Y-%m")
    algorithm = serializers.CharField(source="line.algorithm.code", default=None)
    site = serializers.CharField(source="line.site.code", default=None)
    kind = serializers.CharField()
    description = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = serializers.DecimalField(max_digits=14, decimal_places=4)
    amount = serializers.DecimalField(max_digits=14, decimal_places=2)
    vat_rate = serializers.DecimalField(max_digits=5, decimal_places=4)
    snapshot = serializers.SerializerMethodField()

    def get_snapshot(self, line: InvoiceLine) -> str | None:
        """Also of one that came from another hub with its buyer's part of it."""
        return parts.digest_of(line)


class InvoiceSerializer(ShapeSerializer[Invoice]):
    """An invoice (380) or credit note (381); amounts are signed, below 0 for a credit note."""

    id = serializers.UUIDField(source="uid")
    number = serializers.CharField()
    type = serializers.CharField(source="kind")
    organisation = serializers.CharField(source="organisation.code")
    supplier = serializers.CharField(source="supplier.code")
    framework = serializers.CharField(source="call_off.framework.code")
    call_off = serializers.CharField(source="call_off.code")
    month = serializers.DateField(source="period_from", format="%Y-%m")
    issued_on = serializers.DateField()
    due_on = serializers.DateField()
    currency = serializers.CharField()
    net = serializers.DecimalField(max_digits=14, decimal_places=2)
    vat = serializers.DecimalField(max_digits=14, decimal_places=2)
    gross = serializers.DecimalField(max_digits=14, decimal_places=2)
    credits = serializers.UUIDField(source="credits.uid", default=None)
    run = serializers.UUIDField(source="run.uid", default=None)


class InvoiceFileSerializer(ShapeSerializer[InvoiceFile]):
    """A file of an invoice, which never changes: ``form`` is how its address ends."""

    form = serializers.ChoiceField(InvoiceFile.Kind.choices, source="kind")
    name = serializers.CharField()
    media_type = serializers.CharField()
    size = serializers.IntegerField(help_text="In bytes.")
    sha256 = serializers.CharField()
    made_at = serializers.DateTimeField()
    version = serializers.CharField(help_text="That of the hub that wrote it.")


class InvoiceDetailSerializer(InvoiceSerializer):
    """An invoice with its lines; ``corrects`` are the numbers that a credit note refers to."""

    corrects = serializers.SerializerMethodField()
    lines = serializers.SerializerMethodField()
    files = serializers.SerializerMethodField()

    def get_corrects(self, one: Invoice) -> list[str]:
        """One for what a person credited, all that it takes back from for a month below nothing."""
        return [number for number, _day in documents.credited(one)]

    @extend_schema_field(InvoiceLineSerializer(many=True))
    def get_lines(self, one: Invoice) -> Any:
        """Its lines in their order."""
        lines: Any = reading.lines_of(one)
        return InvoiceLineSerializer(lines, many=True).data

    @extend_schema_field(InvoiceFileSerializer(many=True))
    def get_files(self, one: Invoice) -> Any:
        """As they are kept."""
        files: Any = kept.files_of(one)
        return InvoiceFileSerializer(files, many=True).data


class DraftInvoiceSerializer(ShapeSerializer[Any]):
    """What a dry run would issue; it has no number."""

    type = serializers.CharField(source="kind")
    organisation = serializers.CharField(source="organisation.code")
    call_off = serializers.CharField(source="call_off.code")
    net = serializers.DecimalField(max_digits=14, decimal_places=2)
    vat = serializers.DecimalField(max_digits=14, decimal_places=2)
    gross = serializers.DecimalField(max_digits=14, decimal_places=2)
    id = serializers.UUIDField(allow_null=True)
    number = serializers.CharField(allow_null=True)
    lines = InvoiceLineSerializer(many=True)


class AskedBillingRunSerializer(ShapeSerializer[Any]):
    """Which month to bill; a dry run unless said otherwise."""

    period = serializers.RegexField(
        r"^\d{4}-(0[1-9]|1[0-2])$", help_text="2026-06",
        error_messages={"invalid": gettext_lazy("expected a month such as 2026-06")},
    )  # fmt: skip
    dry_run = serializers.BooleanField(default=True)
    fingerprint = serializers.CharField(
        required=False, default="", max_length=64, allow_blank=True,
        help_text="That of a dry run: what is issued is then what it showed, or nothing.",
    )  # fmt: skip
    frameworks = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, default=None, allow_null=True,
        max_length=100, help_text="Left out: all that you bill.",
    )  # fmt: skip


class BillingRunSerializer(ShapeSerializer[Any]):
    """What a run made, or would make."""

    id = serializers.UUIDField(allow_null=True)
    period = serializers.CharField()
    dry_run = serializers.BooleanField()
    events = serializers.IntegerField()
    fingerprint = serializers.CharField()
    problems = serializers.ListField(child=serializers.CharField())
    invoices = DraftInvoiceSerializer(many=True)


class PastBillingRunSerializer(ShapeSerializer[BillingRun]):
    """A run that was made."""

    id = serializers.UUIDField(source="uid")
    period = serializers.DateField(format="%Y-%m")
    made_at = serializers.DateTimeField()
    made_by = serializers.CharField()


class CreditedLineSerializer(ShapeSerializer[Any]):
    """How much of a line is credited, without VAT."""

    position = serializers.IntegerField(min_value=1, max_value=10**6)
    amount = serializers.DecimalField(max_digits=14, decimal_places=2)


class AskedCreditSerializer(ShapeSerializer[Any]):
    """Why an invoice is credited, and what of it; left out, all of it."""

    reason = serializers.CharField(max_length=300)
    bill_again = serializers.BooleanField(default=False)
    lines = CreditedLineSerializer(many=True, required=False, allow_null=True, default=None)


class Bills(Door):
    """Common to the views of billing: officers and administrators alone."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse whoever buys for nobody."""
        super().initial(request, *args, **kwargs)
        if not holds_role(request.user, roles=CONTRACT_ROLES):
            raise PermissionDenied(_("Only procurement officers and administrators may do this."))

    def handle_exception(self, exc: Exception) -> Response:
        """Turn what a verb refused into a 409 with its sentence."""
        if isinstance(exc, _REFUSALS):
            exc = Conflict(str(exc))
        return super().handle_exception(exc)


class BillingRunsView(Bills, generics.ListAPIView[BillingRun]):
    """Runs that were made; a POST makes one, or shows what it would make."""

    serializer_class = PastBillingRunSerializer
    pagination_class = Pages
    filter_backends = ()
    parameters = PAGING
    queryset = BillingRun.objects.none()

    def get_queryset(self) -> QuerySet[BillingRun]:
        """Those whose invoices the user may see."""
        return reading.runs(self.request.user)

    @extend_schema(
        request=AskedBillingRunSerializer,
        responses={
            200: BillingRunSerializer, 201: BillingRunSerializer, 400: OpenApiTypes.OBJECT,
            **PROBLEMS,
        },
    )
    def post(self, request: Request) -> Response:
        """200 for a dry run, 201 for a run that was made."""
        asked = AskedBillingRunSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        outcome = running.run(
            month_of(said["period"]), by=request.user, is_dry=said["dry_run"],
            fingerprint=said["fingerprint"], frameworks=said["frameworks"],
        )  # fmt: skip
        code = status.HTTP_200_OK if outcome.is_dry else status.HTTP_201_CREATED
        return Response(BillingRunSerializer(told(outcome)).data, status=code)


class InvoicesView(Bills, generics.ListAPIView[Invoice]):
    """The invoices and credit notes of the organisations that the user buys for."""

    serializer_class = InvoiceSerializer
    pagination_class = Pages
    filter_backends = ()
    parameters = PAGING
    queryset = Invoice.objects.none()

    def get_queryset(self) -> QuerySet[Invoice]:
        """The newest first."""
        return reading.invoices(self.request.user)


class InvoiceView(Bills):
    """One invoice with its lines."""

    @extend_schema(responses={200: InvoiceDetailSerializer, **PROBLEMS})
    def get(self, request: Request, uid: UUID) -> Response:
        return Response(InvoiceDetailSerializer(found(request, uid)).data)


class InvoiceFormView(Bills):
    """One invoice as a file: EHF (ubl.xml), its specification (csv), or for people (pdf).

    The same bytes for ever, whoever asks; Repr-Digest (RFC 9530) has their SHA-256.
    """

    form = ""

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY, **PROBLEMS})
    def get(self, request: Request, uid: UUID) -> HttpResponse:
        file = kept.file_of(found(request, uid), self.form)
        digest = base64.b64encode(bytes.fromhex(file.sha256)).decode()
        answer = HttpResponse(bytes(file.content), content_type=file.media_type)
        answer["Content-Disposition"] = f'attachment; filename="{file.name}"'
        answer["Repr-Digest"] = f"sha-256=:{digest}:"
        answer["Cache-Control"] = "no-store"
        return answer


class CreditNotesView(Bills):
    """Credit an invoice, wholly or in part."""

    @extend_schema(
        request=AskedCreditSerializer,
        responses={201: InvoiceDetailSerializer, 400: OpenApiTypes.OBJECT, **PROBLEMS},
    )
    def post(self, request: Request, uid: UUID) -> Response:
        asked = AskedCreditSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said, one = asked.validated_data, found(request, uid)
        if not may_credit(request.user, one):
            raise PermissionDenied(_("Only the buyer's or the holder's officers may credit it."))
        amounts = None
        if said["lines"] is not None:
            amounts = {line["position"]: line["amount"] for line in said["lines"]}
            if len(amounts) != len(said["lines"]):
                raise ValidationError({"lines": [_("expected each position once")]})
        note = crediting.credit(
            one, by=request.user, reason=said["reason"], amounts=amounts,
            is_billed_again=said["bill_again"],
        )  # fmt: skip
        return Response(InvoiceDetailSerializer(note).data, status=status.HTTP_201_CREATED)


def may_credit(user: Any, one: Invoice) -> bool:
    """Whether a user stands for the buyer or for the holder of the agreement."""
    return any(
        holds_role_for(user, party, roles=CONTRACT_ROLES)
        for party in (one.organisation, one.call_off.framework.holder)
    )


def month_of(text: str) -> date:
    """The first day of a month told as 2026-06. Raises ValidationError."""
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise ValidationError({"period": [_("expected a month such as 2026-06")]}) from None


def told(outcome: running.Outcome) -> dict[str, Any]:
    """What a run came to, for the answer."""
    return {
        "id": outcome.run.uid if outcome.run else None,
        "period": f"{outcome.period:%Y-%m}",
        "dry_run": outcome.is_dry,
        "events": outcome.events,
        "fingerprint": outcome.fingerprint,
        "problems": outcome.problems,
        "invoices": [
            {
                "kind": one.kind, "organisation": one.organisation, "call_off": one.call_off,
                "net": one.net, "vat": one.vat, "gross": one.gross, "lines": lines,
                "id": None if outcome.is_dry else one.uid,
                "number": None if outcome.is_dry else one.number,
            }
            for one, lines in outcome.invoices
        ],
    }  # fmt: skip


def found(request: Request, uid: UUID) -> Invoice:
    """The invoice asked for; the same 404 for one that is not there and one that is not theirs."""
    one = reading.invoice(request.user, uid)
    if one is None:
        raise Http404
    return one


def form_view(form: str) -> type[APIView]:
    """The view of one form, named for the schema."""
    name = f"Invoice{form.split('.')[0].title()}View"
    return type(name, (InvoiceFormView,), {"form": form, "__doc__": InvoiceFormView.__doc__})
