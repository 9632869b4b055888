"""The REST API of documents that are kept byte for byte."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from contracts import acting, documents, reading, tender_access
from contracts.api.fields import TenderDoor
from contracts.api.procedures import REFUSALS
from contracts.documents import Brought, DocumentRefused
from contracts.models import Document, FrameworkAgreement
from contracts.views.documents import attachment
from hub.api import PROBLEMS, Conflict, Digest, OneOf, RowSerializer, ShapeSerializer


class KeptDocumentSerializer(RowSerializer[Document]):
    """A document without its bytes."""

    participant = serializers.IntegerField(
        source="participant.number", default=None, allow_null=True
    )

    class Meta:
        model = Document
        fields = (
            "id", "kind", "name", "size", "sha256", "participant", "is_sealed", "is_for_all", "at",
            "by",
        )  # fmt: skip


class NewKeptDocumentSerializer(ShapeSerializer[Any]):
    """A file; with ``sha256`` it is refused where its digest is another."""

    kind = OneOf(choices=Document.Kind.choices)
    file = serializers.FileField(max_length=200)
    sha256 = Digest(required=False, default="")
    is_for_all = serializers.BooleanField(default=False)


class _Documents(TenderDoor):
    """Common to the doors of documents."""

    parser_classes = (MultiPartParser,)

    def handle_exception(self, exc: Exception) -> Response:
        """A refusal stands beside its field."""
        if isinstance(exc, DocumentRefused):
            exc = ValidationError({exc.field: [str(exc)]})
        return super().handle_exception(exc)


class ProcedureDocumentsView(_Documents):
    """The documents of a procedure that one may see, and a further one."""

    @extend_schema(operation_id="procedure_documents_list",
                   responses={200: KeptDocumentSerializer(many=True), **PROBLEMS})  # fmt: skip
    def get(self, request: Request, code: str) -> Response:
        row, participant = tender_access.either(request.user, code)
        found = documents.of_procedure(row, participant)
        return Response(KeptDocumentSerializer(found, many=True).data)

    @extend_schema(
        request=NewKeptDocumentSerializer, responses={201: KeptDocumentSerializer, **REFUSALS}
    )
    def post(self, request: Request, code: str) -> Response:
        row, participant = tender_access.either(request.user, code)
        made = documents.keep(_brought(request), of=row, participant=participant, by=request.user)
        return Response(KeptDocumentSerializer(made).data, status=201)


class ProcedureDocumentView(_Documents):
    """The bytes of a document of a procedure."""

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY, **PROBLEMS})
    def get(self, request: Request, code: str, pk: int) -> HttpResponse:
        row, participant = tender_access.either(request.user, code)
        return _given(documents.of_procedure(row, participant).filter(pk=pk).first())


class FrameworkDocumentsView(_Documents):
    """The documents of an agreement, and a further one on behalf of its holder."""

    @extend_schema(operation_id="framework_documents_list",
                   responses={200: KeptDocumentSerializer(many=True), **PROBLEMS})  # fmt: skip
    def get(self, request: Request, pk: int) -> Response:
        rows = _framework(request, pk).documents.defer("content")
        return Response(KeptDocumentSerializer(rows, many=True).data)

    @extend_schema(
        request=NewKeptDocumentSerializer, responses={201: KeptDocumentSerializer, **REFUSALS}
    )
    def post(self, request: Request, pk: int) -> Response:
        framework = acting.framework_to_change(request.user, pk)
        made = documents.keep(_brought(request), of=framework, participant=None, by=request.user)
        return Response(KeptDocumentSerializer(made).data, status=201)


class FrameworkDocumentView(_Documents):
    """The bytes of a document of an agreement."""

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY, **PROBLEMS})
    def get(self, request: Request, pk: int, document: int) -> HttpResponse:
        return _given(_framework(request, pk).documents.filter(pk=document).first())


def _framework(request: Request, pk: int) -> FrameworkAgreement:
    found = reading.frameworks(request.user).filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def _brought(request: Request) -> Brought:
    asked = NewKeptDocumentSerializer(data=request.data)
    asked.is_valid(raise_exception=True)
    said = asked.validated_data
    return Brought(
        said["kind"], said["file"].name, said["file"].read(), said["sha256"], said["is_for_all"]
    )


def _given(found: Document | None) -> HttpResponse:
    if found is None:
        raise Http404
    answer = attachment(found)
    if answer is None:
        raise Conflict(_("it is sealed until all tenders are opened"))
    return answer
