"""The REST API of dated reference data: index series, and rates of value added tax."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from contracts import reference
from contracts.models import IndexSeries, VatRate
from hub import conditional
from hub.access import CONTRACT_ROLES, holds_role
from hub.conditional import CONDITIONAL, IF_MATCH
from hub.configuration import entries
from hub.participants_api import ENTRY, LISTED, REFUSED, EntryDoor, entry_in, told
from vendors.belonging import demand_keeper


class _Reference(EntryDoor):
    """Common to both kinds: who buys reads, who buys for all writes."""

    kind = ""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Nobody else has to do with them."""
        super().initial(request, *args, **kwargs)
        if not holds_role(request.user, roles=CONTRACT_ROLES):
            raise PermissionDenied(_("This page is for those who buy."))

    def listed(self, rows: Any) -> Response:
        """Each row as an entry."""
        return Response([entries.said(entries.value_of(self.kind, row)) for row in rows])

    def begun(self, request: Request) -> Response:
        """What came of a new entry."""
        demand_keeper(request.user)
        row = reference.begin(self.kind, entry_in(request), by=request.user)
        return told(entries.entry_of(self.kind, row), status=201)

    def changed(self, request: Request, row: Any) -> Response:
        """What came of a change of a row, which If-Match names as it was seen."""
        demand_keeper(request.user)
        of = conditional.demanded(request)
        row = reference.change(self.kind, _there(row), entry_in(request), by=request.user, of=of)
        return told(entries.entry_of(self.kind, row))


class SeriesListView(_Reference):
    """Index series that prices follow, and a new one."""

    kind = reference.SERIES

    @extend_schema(operation_id="index_series_list", responses=LISTED)
    def get(self, request: Request) -> Response:
        """Each as an entry of ``index_series``."""
        return self.listed(IndexSeries.objects.order_by("code"))

    @extend_schema(
        request=OpenApiTypes.OBJECT, responses={201: OpenApiTypes.OBJECT, **REFUSED}
    )
    def post(self, request: Request) -> Response:
        """Put one on record: an entry as a set-up file has it."""
        return self.begun(request)


class SeriesView(_Reference):
    """One index series."""

    kind = reference.SERIES

    @extend_schema(responses=ENTRY)
    def get(self, request: Request, code: str) -> Response:
        """With its revision as ``ETag``."""
        return told(entries.entry_of(self.kind, _there(reference.series_of(code))))

    @extend_schema(
        request=OpenApiTypes.OBJECT, parameters=[IF_MATCH],
        responses={**ENTRY, **REFUSED, **CONDITIONAL},
    )  # fmt: skip
    def patch(self, request: Request, code: str) -> Response:
        """Let the fields that are given say something else; ``values`` are all of its months.

        ``If-Match`` has the ETag of what is changed: 412 where it is another by now.
        """
        return self.changed(request, reference.series_of(code))


class RatesView(_Reference):
    """Rates of value added tax that were put on record beside those of the hub, and a new one."""

    kind = reference.RATE

    @extend_schema(operation_id="vat_rates_list", responses=LISTED)
    def get(self, request: Request) -> Response:
        """Each as an entry of ``vat_rates``."""
        return self.listed(VatRate.objects.order_by("country", "valid_from"))

    @extend_schema(
        request=OpenApiTypes.OBJECT, responses={201: OpenApiTypes.OBJECT, **REFUSED}
    )
    def post(self, request: Request) -> Response:
        """Put one on record: an entry as a set-up file has it."""
        return self.begun(request)


class RateView(_Reference):
    """One rate, by country and first day."""

    kind = reference.RATE

    @extend_schema(responses=ENTRY)
    def get(self, request: Request, country: str, day: str) -> Response:
        """With its revision as ``ETag``."""
        return told(entries.entry_of(self.kind, _there(reference.rate_of(country, day))))

    @extend_schema(
        request=OpenApiTypes.OBJECT, parameters=[IF_MATCH],
        responses={**ENTRY, **REFUSED, **CONDITIONAL},
    )  # fmt: skip
    def patch(self, request: Request, country: str, day: str) -> Response:
        """Let it be another rate; country and day stay.

        ``If-Match`` has the ETag of what is changed: 412 where it is another by now.
        """
        return self.changed(request, reference.rate_of(country, day))


def _there(row: Any) -> Any:
    if row is None:
        raise Http404
    return row
