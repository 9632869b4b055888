"""The REST API of files of evidence for the checklist of a vendor."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api import PROBLEMS
from vendors import filing
from vendors.api import VendorDoor
from vendors.file_doors import HandedInSerializer, NewFileSerializer, asked, attachment
from vendors.filing import FileRefused
from vendors.models import OnboardingItem

BYTES: dict[Any, Any] = {(200, "application/octet-stream"): OpenApiTypes.BINARY, **PROBLEMS}


class FileRefusals:
    """Tells a file that is refused beside its field."""

    def handle_exception(self, exc: Exception) -> Response:
        """A refusal as 400."""
        if isinstance(exc, FileRefused):
            exc = ValidationError({exc.field: [str(exc)]})
        answer: Response = super().handle_exception(exc)  # type: ignore[misc]
        return answer


class _Item(FileRefusals, VendorDoor):
    parser_classes = (MultiPartParser,)

    def rows(self, item: str) -> Any:
        """Those of the item, of a vendor that the user sees."""
        if item not in OnboardingItem.Kind.values:
            raise Http404
        return filing.whole(self.vendor().files.filter(item=item))


class OnboardingFilesView(_Item):
    """The files of an item, and a further one."""

    @extend_schema(operation_id="onboarding_files_list",
                   responses={200: HandedInSerializer(many=True), **PROBLEMS})  # fmt: skip
    def get(self, request: Request, code: str, item: str) -> Response:
        """Also those whose place a newer one took."""
        return Response(HandedInSerializer(self.rows(item), many=True).data)

    @extend_schema(
        request=NewFileSerializer, responses={201: HandedInSerializer, **PROBLEMS}
    )
    def post(self, request: Request, code: str, item: str) -> Response:
        """Keep one byte for byte; what was decided on the item stays as it is."""
        rows = self.rows(item)
        made = filing.hand_in(self.served_vendor(), item, asked(request), by=self.person)
        return Response(HandedInSerializer(rows.get(pk=made.pk)).data, status=201)


class OnboardingFileView(_Item):
    """The bytes of a file."""

    @extend_schema(responses=BYTES)
    def get(self, request: Request, code: str, item: str, pk: int) -> HttpResponse:
        """As they came."""
        return attachment(self.rows(item).filter(pk=pk).first())
