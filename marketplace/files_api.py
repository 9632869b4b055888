"""The REST API of files behind gates, and of papers of algorithms."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api import PROBLEMS, OneOf
from marketplace import papers
from marketplace.api import MarketDoor
from marketplace.deployments_api import DeploymentDoor
from marketplace.models import Gate, PaperFile
from vendors import filing
from vendors.file_doors import HandedInSerializer, NewFileSerializer, asked, attachment, brought
from vendors.files_api import BYTES, FileRefusals


class PaperFileSerializer(HandedInSerializer):
    """A paper of a version, or the text of a reference."""

    kind = serializers.CharField()
    version = serializers.CharField(
        source="version.version", default=None, allow_null=True
    )
    reference = serializers.CharField()


class NewPaperSerializer(NewFileSerializer):
    """A paper with what it is of: a version, or a reference of the evidence matrix."""

    kind = OneOf(choices=PaperFile.Kind.choices)
    version = serializers.CharField(required=False, default="", max_length=40)
    reference = serializers.CharField(required=False, default="", max_length=200)


class _Gate(FileRefusals, DeploymentDoor):
    parser_classes = (MultiPartParser,)

    def rows(self, gate: str) -> Any:
        """Those of the gate, of a deployment that the user sees."""
        if gate not in Gate.Kind.values:
            raise Http404
        return filing.whole(self.deployment().files.filter(gate=gate))


class GateFilesView(_Gate):
    """The files behind a gate, and a further one."""

    @extend_schema(operation_id="gate_files_list",
                   responses={200: HandedInSerializer(many=True), **PROBLEMS})  # fmt: skip
    def get(self, request: Request, pk: int, gate: str) -> Response:
        """Also those whose place a newer one took."""
        return Response(HandedInSerializer(self.rows(gate), many=True).data)

    @extend_schema(request=NewFileSerializer, responses={201: HandedInSerializer, **PROBLEMS})
    def post(self, request: Request, pk: int, gate: str) -> Response:
        """Keep one byte for byte; the gate is decided as before."""
        rows = self.rows(gate)
        made = papers.hand_in(
            self.deployment(), Gate.Kind(gate), asked(request), by=self.person
        )
        return Response(HandedInSerializer(rows.get(pk=made.pk)).data, status=201)


class GateFileView(_Gate):
    """The bytes of a file behind a gate."""

    @extend_schema(responses=BYTES)
    def get(self, request: Request, pk: int, gate: str, file: int) -> HttpResponse:
        """As they came."""
        return attachment(self.rows(gate).filter(pk=file).first())


class PapersView(FileRefusals, MarketDoor):
    """The papers of an algorithm, and a further one."""

    parser_classes = (MultiPartParser,)

    @extend_schema(operation_id="papers_list",
                   responses={200: PaperFileSerializer(many=True), **PROBLEMS})  # fmt: skip
    def get(self, request: Request, code: str) -> Response:
        """Of every version, and of the references of its evidence."""
        rows = filing.whole(self.algorithm().papers.select_related("version"))
        return Response(PaperFileSerializer(rows, many=True).data)

    @extend_schema(request=NewPaperSerializer, responses={201: PaperFileSerializer, **PROBLEMS})
    def post(self, request: Request, code: str) -> Response:
        """Keep one byte for byte."""
        algorithm = self.algorithm()
        self.demand_bringer(algorithm)
        said = self.asked(NewPaperSerializer)
        made = papers.add(algorithm, said, brought(said), by=self.person)
        return Response(PaperFileSerializer(made).data, status=201)


class PaperView(FileRefusals, MarketDoor):
    """The bytes of a paper."""

    @extend_schema(responses=BYTES)
    def get(self, request: Request, code: str, pk: int) -> HttpResponse:
        """As they came."""
        rows = self.algorithm().papers.select_related("file")
        return attachment(rows.filter(pk=pk).first())
