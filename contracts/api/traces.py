"""The REST API of where an amount comes from: the events of a line, and what it was rated on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from contracts.api.billing import Bills, found
from contracts.billing import parts, reading
from contracts.models import UsageAdjustment, UsageEvent
from hub.api import PAGING, PROBLEMS, Pages, ShapeSerializer


class AdjustedSerializer(ShapeSerializer[UsageAdjustment]):
    """A correction of an event, and the run that took it; none yet where the next one will."""

    id = serializers.CharField(source="event_id")
    source = serializers.CharField()  # type: ignore[assignment]
    delta_units = serializers.IntegerField()
    reason = serializers.CharField()
    run = serializers.UUIDField(source="booking.run.uid", default=None)


class BilledEventSerializer(ShapeSerializer[UsageEvent]):
    """A usage event that a line was rated on; it names no patient. ``run`` is the one that took it.
    """

    id = serializers.CharField(source="event_id")
    source = serializers.CharField()  # type: ignore[assignment]
    completed_at = serializers.DateTimeField(source="at")
    algorithm = serializers.CharField(source="version.algorithm.code")
    version = serializers.CharField(source="version.version")
    units = serializers.IntegerField()
    fault = serializers.CharField()
    run = serializers.UUIDField(source="booking.run.uid")
    adjustments = AdjustedSerializer(source="adjustments.all", many=True)


class LineEventsView(Bills, generics.ListAPIView[UsageEvent]):
    """The usage events that a line of an invoice was rated on, of its run and of those before."""

    serializer_class = BilledEventSerializer
    pagination_class = Pages
    filter_backends = ()
    parameters = PAGING
    queryset = UsageEvent.objects.none()

    def get_queryset(self) -> QuerySet[UsageEvent]:
        """In their order; 404 for a line that is not there or not theirs."""
        one = found(self.request, self.kwargs["uid"])
        line = one.lines.filter(position=self.kwargs["position"]).first()
        if line is None:
            raise Http404
        return reading.events_of(line).prefetch_related("adjustments__booking__run")


class RatingView(Bills):
    """What an invoice was rated on, as far as it is its buyer's: terms, readings and charges.

    ``sha256`` is the digest of all that was rated together; that of another buyer is not told.
    """

    @extend_schema(responses={200: OpenApiTypes.OBJECT, **PROBLEMS})
    def get(self, request: Request, uid: UUID) -> Response:
        """404 for a credit note that a person made: it was not rated."""
        rated: dict[str, Any] | None = parts.rated_for(found(request, uid))
        if rated is None:
            raise Http404
        return Response(rated)
