"""The REST API of usage: events are taken by the envelope, and told added up."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import unquote

from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response

from contracts import taking_usage, usage
from hub.access import CONTRACT_ROLES, holds_role
from hub.api import Door, OneOf, ProblemSerializer, ShapeSerializer

_HEADER = "ce-"


class CloudEventsParser(JSONParser):
    """One event (CloudEvents JSON format 3.1)."""

    media_type = "application/cloudevents+json"


class CloudEventsBatchParser(JSONParser):
    """A list of events (CloudEvents JSON batch format 4)."""

    media_type = "application/cloudevents-batch+json"


class UsageDataSerializer(ShapeSerializer[Any]):
    """What was done, without a word of whom it was done for; or what is corrected."""

    algorithm = serializers.CharField(required=False)
    version = serializers.CharField(required=False)
    site = serializers.CharField(required=False)
    study_ref = serializers.CharField(
        required=False, help_text="hmac-sha256: and 64 hexadecimal digits: a keyed hash."
    )
    purpose = OneOf(
        choices=["clinical", "validation", "shadow", "research"], required=False
    )
    outcome = OneOf(choices=["final", "failed", "rejected"], required=False)
    fault = OneOf(choices=["none", "supplier", "customer"], required=False)
    rerun_of = serializers.CharField(required=False, allow_null=True)
    units = serializers.IntegerField(required=False, min_value=0, max_value=10_000)
    udi_di = serializers.CharField(required=False)
    modality = serializers.CharField(required=False)
    requested_at = serializers.DateTimeField(required=False)
    completed_at = serializers.DateTimeField(required=False)
    latency_s = serializers.FloatField(required=False)
    ref_source = serializers.CharField(required=False, help_text="Left out: the same source.")
    ref_id = serializers.CharField(required=False, help_text="The event that is corrected.")
    delta_units = serializers.IntegerField(required=False)
    reason = serializers.CharField(required=False)


class UsageEventSerializer(ShapeSerializer[Any]):
    """A CloudEvent 1.0."""

    specversion = OneOf(choices=["1.0"])
    type = OneOf(choices=["hub.inference.completed.v1", "hub.usage.adjusted.v1"])
    source = serializers.CharField(max_length=200)  # type: ignore[assignment]
    id = serializers.CharField(max_length=100)
    time = serializers.DateTimeField()
    subject = serializers.CharField(help_text="call_off: and the code of the call-off.")
    data = UsageDataSerializer()  # type: ignore[assignment]


class UsageAnswerSerializer(ShapeSerializer[Any]):
    """What became of one event."""

    source = serializers.CharField()  # type: ignore[assignment]
    id = serializers.CharField()
    status = OneOf(choices=["accepted", "duplicate", "conflict", "rejected"])
    reason = serializers.CharField(allow_blank=True)


class UsageAnswersSerializer(ShapeSerializer[Any]):
    """One answer for each event, in their order."""

    results = UsageAnswerSerializer(many=True)


class UsageRowSerializer(ShapeSerializer[Any]):
    """The usage of one group; the names of groups not asked for are left out."""

    organisation = serializers.CharField(required=False)
    framework = serializers.CharField(required=False)
    call_off = serializers.CharField(required=False)
    algorithm = serializers.CharField(required=False)
    version = serializers.CharField(required=False)
    site = serializers.CharField(required=False)
    purpose = serializers.CharField(required=False)
    month = serializers.CharField(required=False, help_text="2026-06")
    day = serializers.DateField(required=False)
    units = serializers.IntegerField()
    events = serializers.IntegerField()
    failures = serializers.IntegerField()


class UsageSerializer(ShapeSerializer[Any]):
    """Usage added up."""

    results = UsageRowSerializer(many=True)


class UsageEventsView(Door):
    """Report usage: 1 to 1,000 events, each accepted once for ever on (tenant, source, id)."""

    parser_classes = (JSONParser, CloudEventsBatchParser, CloudEventsParser)

    @extend_schema(
        request=UsageEventSerializer(many=True),
        responses={
            200: UsageAnswersSerializer, 400: OpenApiTypes.OBJECT, 403: ProblemSerializer,
            409: UsageAnswersSerializer,
        },
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """An envelope is answered 200 and event by event; one event alone that conflicts, 409."""
        _demand_officer(request)
        said = _bound(request)
        is_alone = isinstance(said, dict)
        events = [said] if is_alone else said
        if not isinstance(events, list) or not 1 <= len(events) <= taking_usage.MOST_EVENTS:
            found = len(events) if isinstance(events, list) else type(events).__name__
            raise ValidationError(
                {"events": [_("expected a list of 1 to %(most)s events; got %(found)s")
                            % {"most": taking_usage.MOST_EVENTS, "found": found}]}
            )  # fmt: skip
        answers = taking_usage.take(events, by=request.user)
        is_conflict = is_alone and answers[0].status == taking_usage.CONFLICT
        return Response(
            UsageAnswersSerializer({"results": answers}).data,
            status=status.HTTP_409_CONFLICT if is_conflict else status.HTTP_200_OK,
        )


class UsageView(Door):
    """Usage at the user's sites, added up."""

    parameters = ("group_by", "from", "to", *usage.NARROWED)

    @extend_schema(
        parameters=[
            OpenApiParameter("group_by", str, description="Names with commas between them: "
                             + ", ".join(usage.GROUPS)),
            OpenApiParameter("from", OpenApiTypes.DATE, description="The first day, in Oslo."),
            OpenApiParameter("to", OpenApiTypes.DATE, description="The last day, in Oslo."),
            *(OpenApiParameter(name, str, description="Only this code.")
              for name in usage.NARROWED),
        ],
        responses={200: UsageSerializer, 400: OpenApiTypes.OBJECT, 403: ProblemSerializer},
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """One row for each group; without group_by a single one of all that is theirs."""
        _demand_officer(request)
        rows = usage.usage(request.user, _question(request))
        return Response(UsageSerializer({"results": rows}).data)


def _bound(request: Request) -> Any:
    """What was sent; in binary mode (CloudEvents HTTP binding 3.1) the event that headers and body
    are together. A content type of CloudEvents says that all of it is in the body.
    """
    context = {
        name.lower().removeprefix(_HEADER): unquote(value)
        for name, value in request.headers.items()
        if name.lower().startswith(_HEADER)
    }
    is_whole = str(request.content_type).startswith("application/cloudevents")
    return request.data if is_whole or not context else context | {"data": request.data}


def _question(request: Request) -> usage.Question:
    asked = request.query_params
    groups = [name for name in asked.get("group_by", "").split(",") if name]
    if unknown := [name for name in groups if name not in usage.GROUPS]:
        known = ", ".join(usage.GROUPS)
        raise ValidationError(
            {"group_by": [_("expected names of %(known)s; got %(found)s")
                          % {"known": known, "found": unknown[0][:40]}]}
        )  # fmt: skip
    return usage.Question(
        group_by=tuple(dict.fromkeys(groups)),
        only={name: asked[name] for name in usage.NARROWED if asked.get(name)},
        first=_day(request, "from"),
        last=_day(request, "to"),
    )


def _day(request: Request, name: str) -> date | None:
    text = request.query_params.get(name, "")
    try:
        found = parse_date(text)
    except ValueError:
        found = None
    if text and (found is None or not 1900 < found.year < 9000):
        raise ValidationError(
            {name: [_("expected a day such as 2026-06-01; got %(found)s") % {"found": text[:40]}]}
        )
    return found


def _demand_officer(request: Request) -> None:
    if not holds_role(request.user, roles=CONTRACT_ROLES):
        raise PermissionDenied(_("Only procurement officers and administrators may do this."))
