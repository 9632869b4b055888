"""The REST API of the catalogue: algorithms, their papers and their evidence."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from hub import conditional
from hub.api import PAGING, PROBLEMS, Conflict, Door, Pages
from hub.conditional import CONDITIONAL, IF_MATCH
from marketplace import catalogue, clearing, comparing, model_cards, publishing, sboms
from marketplace.catalogue import MOST_COMPARED, CatalogueFilter
from marketplace.clearing import Cleared
from marketplace.deciding import DecisionRefused
from marketplace.deploying import MoveNotAllowed
from marketplace.models import Algorithm, AlgorithmVersion, Clearance, Evidence
from marketplace.publishing import NotPublished, Reference
from marketplace.safety_notices import NoticeRefused
from marketplace.serializers import (
    AlgorithmDetailSerializer,
    AlgorithmSerializer,
    ClearanceSerializer,
    ComparisonSerializer,
    EvidenceSerializer,
    ManifestDraftSerializer,
    OfferSerializer,
    PackageSerializer,
    ReleaseSerializer,
    SbomSerializer,
    VersionSerializer,
)
from vendors import packages
from vendors.belonging import demand_bringer, demand_keeper, visible_vendors
from vendors.manifest import Manifest, ManifestInvalid
from vendors.packages import PackageInvalid

SLUG = re.compile("[A-Za-z0-9_-]{1,50}")


class MarketDoor(Door):
    """Common to the views of the marketplace: whose rows, and how a refusal is told."""

    @property
    def person(self) -> Any:
        """Who asks."""
        return self.request.user

    def algorithm(self) -> Algorithm:
        """That of the address; a stranger's and none are the same 404."""
        rows = catalogue.offered_to(self.person).filter(code=self.kwargs["code"])
        if found := rows.first():
            return found
        raise Http404

    def version(self) -> AlgorithmVersion:
        """That of the address."""
        rows = AlgorithmVersion.objects.filter(
            algorithm=self.algorithm(), version=self.kwargs["version"]
        )
        if found := rows.select_related("algorithm__vendor").first():
            return found
        raise Http404

    def demand_keeper(self) -> None:
        """Raise PermissionDenied unless the user decides what all trusts share."""
        demand_keeper(self.person)

    def demand_bringer(self, algorithm: Algorithm) -> None:
        """Raise PermissionDenied unless the user may hand in papers of the algorithm."""
        demand_bringer(self.person, algorithm.vendor)

    def asked(self, shape: type[Any]) -> Any:
        """What the request holds, in its shape."""
        serializer = shape(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return serializer.validated_data

    def handle_exception(self, exc: Exception) -> Response:
        """Tell what a verb refused: a rule of a field as 400, a state as 409."""
        if isinstance(exc, (NotPublished, DecisionRefused)):
            told: dict[str, list[str]] = {}
            for path, text in exc.problems:
                told.setdefault(path, []).append(text)
            exc = ValidationError(told)
        elif isinstance(exc, (MoveNotAllowed, NoticeRefused)):
            exc = Conflict(str(exc))
        return super().handle_exception(exc)


class AlgorithmsView(MarketDoor, generics.ListAPIView[Algorithm]):
    """The catalogue."""

    serializer_class = AlgorithmSerializer  # type: ignore[assignment]  # of entries, not rows
    filterset_class = CatalogueFilter
    pagination_class = Pages
    parameters = (*CatalogueFilter.base_filters, *PAGING)

    def get_queryset(self) -> QuerySet[Algorithm]:
        """What is offered to the user, by name."""
        rows = catalogue.offered_to(self.request.user)
        return rows.prefetch_related("versions__clearance", "evidence")

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """Of entries, which hold what stands behind the rows."""
        if args and not isinstance(args[0], dict):
            args = (catalogue.entries(args[0]), *args[1:])
        return super().get_serializer(*args, **kwargs)

    @extend_schema(request=OfferSerializer, responses={201: AlgorithmSerializer, **PROBLEMS})
    def post(self, request: Request) -> Response:
        """Put an algorithm into the catalogue."""
        self.demand_keeper()
        said = self.asked(OfferSerializer)
        vendor = visible_vendors(self.person).filter(code=said.pop("vendor")).first()
        if vendor is None:
            raise ValidationError({"vendor": [_("expected the code of a vendor")]})
        row = publishing.offer(vendor, by=self.person, **said)
        told = AlgorithmSerializer(catalogue.entries([row])[0]).data
        return Response(told, status=status.HTTP_201_CREATED)


class AlgorithmView(MarketDoor):
    """One algorithm."""

    @extend_schema(responses={200: AlgorithmDetailSerializer, **PROBLEMS})
    def get(self, request: Request, code: str) -> Response:
        """With its evidence matrix and all versions."""
        entry = catalogue.entries([self.algorithm()])[0]
        return Response(AlgorithmDetailSerializer(entry).data)


class ComparisonView(MarketDoor):
    """Up to four algorithms side by side."""

    parameters = ("codes",)

    @extend_schema(
        parameters=[OpenApiParameter("codes", str, required=True,
                                     description="Codes of two to four algorithms, by commas.")],
        responses={200: ComparisonSerializer, **PROBLEMS},
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """The same rows for each."""
        found = compared(self.person, request.query_params.get("codes", ""))
        if len(found) < 2:
            text = _("expected the codes of two to %(most)s algorithms, separated by commas")
            raise ValidationError({"codes": [text % {"most": MOST_COMPARED}]})
        rows = [
            {"group": row.group, "what": row.what, "values": row.values, "differs": row.differs}
            for row in comparing.comparison(found, user=self.person)
        ]
        codes = [one.algorithm.code for one in found]
        return Response({"algorithms": codes, "rows": rows})


def compared(user: Any, codes: str) -> list[catalogue.Entry]:
    """The entries of the codes, in their order; none where there are too many."""
    names = list(dict.fromkeys(filter(SLUG.fullmatch, codes.split(","))))
    if len(names) > MOST_COMPARED:
        return []
    rows = {one.code: one for one in catalogue.offered_to(user).filter(code__in=names)}
    return catalogue.entries(rows[name] for name in names if name in rows)


class VersionsView(MarketDoor):
    """The versions of an algorithm."""

    @extend_schema(request=ReleaseSerializer, responses={201: VersionSerializer, **PROBLEMS})
    def post(self, request: Request, code: str) -> Response:
        """Put a version on record, as its manifest declares it."""
        algorithm = self.algorithm()
        self.demand_keeper()
        row = publishing.release(algorithm, by=self.person, **self.asked(ReleaseSerializer))
        return Response(VersionSerializer(row).data, status=status.HTTP_201_CREATED)


class ClearanceView(MarketDoor):
    """The CE mark of a version."""

    @extend_schema(responses={200: ClearanceSerializer, **PROBLEMS})
    def get(self, request: Request, code: str, version: str) -> Response:
        """With its revision as ``ETag``."""
        row = self.version()
        if clearance_told(row) is None:
            raise Http404
        return conditional.tagged(lambda: clearance_told(row))

    @extend_schema(
        request=ClearanceSerializer, parameters=[IF_MATCH],
        responses={200: ClearanceSerializer, **PROBLEMS, **CONDITIONAL},
    )  # fmt: skip
    def put(self, request: Request, code: str, version: str) -> Response:
        """Put it on record; another UDI-DI opens the validation at every site again.

        Where one is on record ``If-Match`` has its ETag: 412 where it is another by now.
        """
        row = self.version()
        self.demand_keeper()
        said = Cleared(**self.asked(ClearanceSerializer))

        def told() -> Any:
            return clearance_told(row)

        with conditional.replacing(request, row, told, called=str(row)):
            clearing.record(row, said, by=self.person)
        return conditional.tagged(told)


def clearance_told(version: AlgorithmVersion) -> Any:
    """The CE mark that is on record now; None where there is none."""
    held = Clearance.objects.filter(version=version).first()
    return None if held is None else ClearanceSerializer(held).data


class SbomView(MarketDoor):
    """The bill of materials of a version."""

    @extend_schema(responses={200: OpenApiTypes.OBJECT, **PROBLEMS})
    def get(self, request: Request, code: str, version: str) -> Response:
        """The document as it came, with its revision as ``ETag``."""
        row = self.version()
        if publishing.sbom_of(row) is None:
            raise Http404
        return conditional.tagged(lambda: publishing.sbom_of(row))

    @extend_schema(
        request=OpenApiTypes.OBJECT, parameters=[IF_MATCH],
        responses={200: SbomSerializer, **PROBLEMS, **CONDITIONAL},
    )  # fmt: skip
    def put(self, request: Request, code: str, version: str) -> Response:
        """CycloneDX or SPDX 2, in JSON; where one is on record ``If-Match`` has its ETag."""
        row = self.version()
        self.demand_bringer(row.algorithm)

        def told() -> Any:
            return publishing.sbom_of(row)

        with conditional.replacing(request, row, told, called=str(row)):
            held = publishing.keep_sbom(row, request.data, by=self.person)
        return Response(
            SbomSerializer(sboms.summary(held.document)).data, headers=conditional.tag(told)
        )


class XmlParser(MultiPartParser):
    """Leaves XML as it is, to be read by who knows what it is."""

    media_type = "application/xml"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """The bytes, at most so many."""
        return stream.read(model_cards.LARGEST + 1)


class ModelCardView(MarketDoor):
    """The applied model card (CHAI) of a version."""

    parameters = ("as",)
    parser_classes = (JSONParser, XmlParser, FormParser)

    @extend_schema(
        parameters=[OpenApiParameter("as", str, enum=["json", "xml"], description="Its form.")],
        responses={
            (200, "application/json"): OpenApiTypes.OBJECT,
            (200, "application/xml"): OpenApiTypes.STR,
            **PROBLEMS,
        },
    )
    def get(self, request: Request, code: str, version: str) -> Response | HttpResponse:
        """As JSON, or as XML of the published schema; with the revision of it as ``ETag``."""
        form = request.query_params.get("as", "json")
        if form not in ("json", "xml"):
            raise ValidationError({"as": [_("expected json or xml")]})
        row = self.version()
        document = publishing.card_of(row)
        if document is None:
            raise Http404
        tag = conditional.tag(lambda: document)
        if form == "json":
            return Response(document, headers=tag)
        xml = model_cards.to_xml(document)
        return HttpResponse(xml, content_type="application/xml", headers=tag)

    @extend_schema(
        request={
            "application/json": OpenApiTypes.OBJECT, "application/xml": OpenApiTypes.STR,
        },
        parameters=[IF_MATCH],
        responses={200: OpenApiTypes.OBJECT, **PROBLEMS, **CONDITIONAL},
    )  # fmt: skip
    def put(self, request: Request, code: str, version: str) -> Response:
        """As JSON, or as XML of the published schema.

        Where one is on record ``If-Match`` has its ETag: 412 where it is another by now.
        """
        row = self.version()
        self.demand_bringer(row.algorithm)
        card = request.data
        try:
            card = model_cards.from_xml(card) if isinstance(card, bytes) else card
        except model_cards.CardInvalid as error:
            raise NotPublished(
                [(path, text) for path, _, text in (x.partition(": ") for x in error.problems)]
            ) from error

        def told() -> Any:
            return publishing.card_of(row)

        with conditional.replacing(request, row, told, called=str(row)):
            publishing.keep_model_card(row, card, by=self.person)
        return conditional.tagged(told)


class EvidenceView(MarketDoor):
    """The references of an algorithm."""

    @extend_schema(responses={200: EvidenceSerializer(many=True), **PROBLEMS})
    def get(self, request: Request, code: str) -> Response:
        """Newest first."""
        rows = self.algorithm().evidence.order_by("-year", "title", "pk")
        return Response(EvidenceSerializer(rows, many=True).data)

    @extend_schema(request=EvidenceSerializer, responses={201: EvidenceSerializer, **PROBLEMS})
    def post(self, request: Request, code: str) -> Response:
        """Add one, or put it in place of the one of the same name and use."""
        algorithm = self.algorithm()
        self.demand_bringer(algorithm)
        row = publishing.cite(
            algorithm, Reference(**self.asked(EvidenceSerializer)), by=self.person
        )
        return Response(EvidenceSerializer(row).data, status=status.HTTP_201_CREATED)


class ReferenceView(MarketDoor):
    """One reference."""

    @extend_schema(responses={204: None, **PROBLEMS})
    def delete(self, request: Request, code: str, pk: int) -> Response:
        """Take it off the record."""
        algorithm = self.algorithm()
        self.demand_bringer(algorithm)
        row = Evidence.objects.filter(algorithm=algorithm, pk=pk).first()
        if row is None:
            raise Http404
        publishing.withdraw(row, by=self.person)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ManifestDraftView(MarketDoor):
    """Drafts of manifests from packages of other conventions."""

    @extend_schema(request=PackageSerializer, responses={200: ManifestDraftSerializer, **PROBLEMS})
    def post(self, request: Request) -> Response:
        """The draft, and what the vendor has to fill in; nothing is kept."""
        if not visible_vendors(self.person).exists():
            raise PermissionDenied(_("This is for those who hold a role here, and for vendors."))
        said = self.asked(PackageSerializer)
        try:
            if said["packaging"] == "map":
                performer = packages.performer_of_map(
                    said["app"], said["package"], image=said["image"]
                )
            else:
                performer = packages.performer_of_mercure(said["module"], image=said["image"])
        except PackageInvalid as error:
            raise ValidationError({error.field: [error.text]}) from error
        made = packages.draft(
            algorithm=said["algorithm"], version=said["version"], performer=performer
        )
        try:
            Manifest.from_json(made)
            missing: list[str] = []
        except ManifestInvalid as error:
            missing = list(error.problems)
        return Response({"manifest": made, "missing": missing})
