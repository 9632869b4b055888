"""The REST API of the parties of contracts: who there is, and a new one."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response

from contracts import parties, reading
from contracts.api.agreement_shapes import OrganisationDetailSerializer, OrganisationSerializer
from contracts.api.agreements import REFUSED, Acts, entry_in
from hub import conditional
from hub.api import PAGING, PROBLEMS, Pages
from hub.conditional import CONDITIONAL, IF_MATCH
from hub.configuration import entries
from hub.models import Organisation
from vendors.belonging import demand_keeper, may_keep_vendors


class OrganisationsView(Acts, generics.ListAPIView[Organisation]):
    """The user's organisations, and those that are named in the same agreements; a new one."""

    serializer_class = OrganisationSerializer
    pagination_class = Pages
    parameters = PAGING
    filter_backends = ()

    def get_queryset(self) -> QuerySet[Organisation]:
        """The organisations that the user may see."""
        rows: QuerySet[Organisation] = reading.organisations(self.request.user)
        return rows

    @extend_schema(
        request=OpenApiTypes.OBJECT, responses={201: OrganisationDetailSerializer, **REFUSED}
    )
    def post(self, request: Request) -> Response:
        """Put one on record: an entry of ``organisations`` as a set-up file has it."""
        demand_keeper(request.user)
        row = parties.register(entry_in(request), by=request.user)
        return _told(row, status=201)


class OrganisationView(Acts):
    """One organisation."""

    @extend_schema(responses={200: OrganisationDetailSerializer, **PROBLEMS})
    def get(self, request: Request, code: str) -> Response:
        """With its identifiers and its dated roles, and its revision as ``ETag``."""
        return _told(_organisation(request, code))

    @extend_schema(
        request=OpenApiTypes.OBJECT, parameters=[IF_MATCH],
        responses={200: OrganisationDetailSerializer, **REFUSED, **CONDITIONAL},
    )  # fmt: skip
    def patch(self, request: Request, code: str) -> Response:
        """Let the fields that are given say something else, each as a whole; the others stay.

        ``If-Match`` has the ETag of what is changed: 412 where it is another by now.
        """
        row = _organisation(request, code)
        demand_keeper(request.user)
        of = conditional.demanded(request)
        return _told(parties.change(row, entry_in(request), by=request.user, of=of))


def _told(row: Organisation, *, status: int = 200) -> Response:
    etag = f'"{entries.revision(parties.entry_of(row))}"'
    return Response(OrganisationDetailSerializer(row).data, status=status, headers={"ETag": etag})


def _organisation(request: Request, code: str) -> Organisation:
    """Who keeps what all share finds every one."""
    rows = Organisation.objects.all() if may_keep_vendors(request.user) else (
        reading.organisations(request.user)
    )
    found: Organisation | None = rows.filter(code=code).first()
    if found is None:
        raise Http404
    return found
