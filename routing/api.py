"""The REST API: the worklist, one study with all its steps, and what a person may do with it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from hub.access import holds_role, site_clause
from hub.api import PAGING, PROBLEMS, Conflict, Door, Pages, demand_whole
from routing import acting, reading
from routing.filters import ALL, StudyFilter
from routing.models import Delivery, Study
from routing.paging import NotAPlace, Place, page_of
from routing.pathway import MoveRefused, Overtaken
from routing.serializers import (
    DeadLetterSerializer,
    DeliverySerializer,
    RejectionSerializer,
    StudyDetailSerializer,
    StudySerializer,
    WorkitemSerializer,
)

SITE = OpenApiParameter(
    "site",
    str,
    description="Code of the site; needed where two of the user's sites have this study.",
)


class WorklistPages(Pages):
    """Pages of the worklist: ``after`` or ``before`` a place, as in ``next`` and ``previous``."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        """One page; the places are those that an answer gave, and no others."""
        self.request = request
        self._page = page_of(
            queryset,
            size=self._size(request),
            is_counted=request.query_params.get("state") != ALL,
            after=_place(request, "after"),
            before=_place(request, "before"),
        )
        return self._page.studies

    def _size(self, request: Request) -> int:
        demand_whole(request, {"limit": 1})
        return self.get_limit(request) or self.max_limit

    def get_next_link(self) -> str | None:
        """The address of the page after this one, with the same question."""
        return self._link("after", self._page.after)

    def get_previous_link(self) -> str | None:
        """The address of the page before this one, with the same question."""
        return self._link("before", self._page.before)

    def get_paginated_response(self, data: Any) -> Response:
        """``count`` is null where studies that were read are asked for, and there are more."""
        return Response(
            {
                "count": self._page.count,
                "next": self.get_next_link(),
                "previous": self.get_previous_link(),
                "results": data,
            }
        )

    def get_paginated_response_schema(self, schema: Any) -> Any:
        """As it is answered."""
        told = super().get_paginated_response_schema(schema)
        told["properties"]["count"]["nullable"] = True
        return told

    def get_schema_operation_parameters(self, view: Any) -> Any:
        """What may be asked of it, for the schema."""
        text = {"type": "string"}
        places = [
            {"name": name, "in": "query", "required": False, "description": told, "schema": text}
            for name, told in (
                ("after", "The place at which the page before ended, as next gives it."),
                ("before", "The place at which the page after began, as previous gives it."),
            )
        ]
        asked = super().get_schema_operation_parameters(view)
        return [one for one in asked if one["name"] == "limit"] + places

    def _link(self, name: str, place: Place | None) -> str | None:
        if place is None or self.request is None:
            return None
        url = self.request.build_absolute_uri()
        for other in ("after", "before"):
            url = remove_query_param(url, other)
        return str(replace_query_param(url, name, str(place)))


def _place(request: Request, name: str) -> Place | None:
    try:
        return Place.read(request.query_params.get(name, ""))
    except NotAPlace as fault:
        raise ValidationError({name: [str(fault)]}) from fault


class Acts(Door):
    """Common to the views that change something: a refused move is a 409 with its sentence."""

    def handle_exception(self, exc: Exception) -> Response:
        """Turn what a verb raised into a problem that a person understands."""
        if isinstance(exc, MoveRefused):
            exc = Conflict(str(exc))
        elif isinstance(exc, Overtaken):
            exc = Conflict(_("Somebody else was faster: look at the study again."))
        return super().handle_exception(exc)


class WorklistView(Door, generics.ListAPIView[Study]):
    """The studies of the user's sites in the order in which people should read them."""

    serializer_class = StudySerializer
    filterset_class = StudyFilter
    pagination_class = WorklistPages
    parameters = (*StudyFilter.base_filters, "limit", "after", "before")

    def get_queryset(self) -> QuerySet[Study]:
        """The studies that the user may see."""
        return reading.worklist(self.request.user)

    def paginate_queryset(self, queryset: Any) -> Any:
        """One page; the audit trail keeps its sites, and which patient was looked for."""
        page = super().paginate_queryset(queryset)
        reading.note_worklist_seen(self.request.user, page or [], asked=self.request.query_params)
        return page


class StudyView(Door):
    """One study with its findings, transitions, verdicts, Workitems and Deliveries."""

    parameters = ("site",)

    @extend_schema(parameters=[SITE], responses={200: StudyDetailSerializer, **PROBLEMS})
    def get(self, request: Request, study_instance_uid: str) -> Response:
        study = _study(request, study_instance_uid)
        reading.note_study_seen(request.user, study)
        return Response(StudyDetailSerializer(study, context={"request": request}).data)


class ReadView(Acts):
    """Mark a study as read."""

    parameters = ("site",)

    @extend_schema(
        parameters=[SITE], request=None, responses={200: StudySerializer, **PROBLEMS}
    )
    def post(self, request: Request, study_instance_uid: str) -> Response:
        acting.mark_read(_user(request), _study(request, study_instance_uid))
        study = _study(request, study_instance_uid)
        return Response(StudySerializer(study, context={"request": request}).data)


class UnreadView(Acts):
    """Put a study back on the list of those to read."""

    parameters = ("site",)

    @extend_schema(
        parameters=[SITE], request=None, responses={200: StudySerializer, **PROBLEMS}
    )
    def post(self, request: Request, study_instance_uid: str) -> Response:
        acting.mark_unread(_user(request), _study(request, study_instance_uid))
        study = _study(request, study_instance_uid)
        return Response(StudySerializer(study, context={"request": request}).data)


class AcceptView(Acts):
    """Accept the results of a Workitem, so that they are written back."""

    @extend_schema(request=None, responses={200: WorkitemSerializer, **PROBLEMS})
    def post(self, request: Request, uid: UUID) -> Response:
        return Response(WorkitemSerializer(acting.accept(_user(request), uid)).data)


class RejectView(Acts):
    """Reject the results of a Workitem, with the reason."""

    @extend_schema(
        request=RejectionSerializer,
        responses={200: WorkitemSerializer, 400: OpenApiTypes.OBJECT, **PROBLEMS},
    )
    def post(self, request: Request, uid: UUID) -> Response:
        asked = RejectionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        workitem = acting.reject(_user(request), uid, reason=asked.validated_data["reason"])
        return Response(WorkitemSerializer(workitem).data)


class ReplayWorkitemView(Acts):
    """Run a Workitem again."""

    @extend_schema(request=None, responses={200: WorkitemSerializer, **PROBLEMS})
    def post(self, request: Request, uid: UUID) -> Response:
        return Response(WorkitemSerializer(acting.replay_workitem(_user(request), uid)).data)


class ReplayDeliveryView(Acts):
    """Try a Delivery again."""

    @extend_schema(request=None, responses={200: DeliverySerializer, **PROBLEMS})
    def post(self, request: Request, pk: int) -> Response:
        return Response(DeliverySerializer(acting.replay_delivery(_user(request), pk)).data)


class DeadLettersView(Door, generics.ListAPIView[Delivery]):
    """Deliveries that were given up, at the sites that the user administers; the newest first."""

    serializer_class = DeadLetterSerializer
    pagination_class = Pages
    parameters = PAGING
    filter_backends = ()
    queryset = Delivery.objects.filter(state=Delivery.State.DEAD)

    def get_queryset(self) -> QuerySet[Delivery]:
        """The dead letters of the user's sites; refused to all but administrators."""
        if not holds_role(self.request.user, roles=acting.ADMINISTRATOR):
            raise PermissionDenied(_("Only an administrator may see dead letters."))
        clause = site_clause(
            self.request.user, path="workitem__study__site", roles=acting.ADMINISTRATOR
        )
        return (
            super().get_queryset().filter(clause).select_related("node", "workitem__study__site")
            .order_by("-pk")
        )


def _user(request: Request) -> Any:
    return request.user


def _study(request: Request, study_instance_uid: str) -> Study:
    """The study asked for; the same 404 for one that is not there and one that is not theirs."""
    site = request.query_params.get("site", "")
    try:
        study = reading.study_by_instance_uid(request.user, study_instance_uid, site=site)
    except reading.SeveralSites as several:
        raise Conflict(
            _("Several of your sites have this study: ask with ?site= and one of %(codes)s.")
            % {"codes": several}
        ) from None
    if study is None:
        raise Http404
    return study
