"""The REST API of organisations, framework agreements and call-offs."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from contracts import acting, drafting, reading, seen, seen_agreements, written
from contracts.api.agreement_shapes import (
    ApprovalRequestSerializer,
    CallOffDetailSerializer,
    CallOffMoveSerializer,
    CallOffSerializer,
    DraftSerializer,
    FrameworkDetailSerializer,
    FrameworkSerializer,
    OptionMoveSerializer,
    RedraftSerializer,
)
from contracts.call_offs import CallOffMoveError
from contracts.drafting import CodeIsTaken, DraftRefused, NoDraftAnyMore
from contracts.filters import CallOffFilter, FrameworkFilter
from contracts.models import CallOff, FrameworkAgreement
from contracts.options import OptionMoveError
from contracts.seen import ANY, ChangedMeanwhile
from hub import conditional
from hub.api import PAGING, PROBLEMS, Conflict, Door, Pages, ProblemSerializer
from hub.conditional import CONDITIONAL, IF_MATCH, NotAsSeen
from hub.configuration import entries
from hub.configuration.entries import EntryChanged, EntryRefused

REFUSED = {400: OpenApiTypes.OBJECT, **PROBLEMS}


class Acts(Door):
    """Common to the views that change something: a refused move is a 409 with its sentence."""

    def handle_exception(self, exc: Exception) -> Response:
        """Turn what a verb raised into a problem that a person understands."""
        if isinstance(exc, CallOffMoveError | OptionMoveError | CodeIsTaken | NoDraftAnyMore):
            exc = Conflict(str(exc))
        if isinstance(exc, ChangedMeanwhile):
            is_conditional = self.request.headers.get("If-Match") is not None
            exc = NotAsSeen(str(exc)) if is_conditional else Conflict(str(exc))
        if isinstance(exc, EntryChanged):
            exc = NotAsSeen(str(exc))
        if isinstance(exc, EntryRefused):
            exc = ValidationError(exc.by_field)
        if isinstance(exc, DraftRefused):
            exc = ValidationError({exc.field or "non_field_errors": [str(exc)]})
        return super().handle_exception(exc)


class FrameworksView(Acts, generics.ListAPIView[FrameworkAgreement]):
    """The framework agreements that name an organisation of the user, and a new one."""

    serializer_class = FrameworkSerializer
    filterset_class = FrameworkFilter
    pagination_class = Pages
    parameters = (*FrameworkFilter.base_filters, *PAGING)

    def get_queryset(self) -> QuerySet[FrameworkAgreement]:
        """The agreements that the user may see."""
        return reading.frameworks(self.request.user)

    @extend_schema(
        request=OpenApiTypes.OBJECT, responses={201: FrameworkDetailSerializer, **REFUSED}
    )
    def post(self, request: Request) -> Response:
        """Put an agreement on record: an entry of ``frameworks`` as a set-up file has it."""
        acting.demand_officer(request.user)
        row = written.begin(entry_in(request), by=request.user)
        return agreed(request, row.pk, status=201)


class EntryView(Acts):
    """One agreement as a set-up file has it, for its holder: prices, parties, lots, options."""

    @extend_schema(responses={200: OpenApiTypes.OBJECT, **PROBLEMS})
    def get(self, request: Request, pk: int) -> Response:
        """With its revision as ``ETag``."""
        return _entry_told(acting.framework_to_change(request.user, pk))

    @extend_schema(
        request=OpenApiTypes.OBJECT, parameters=[IF_MATCH],
        responses={200: OpenApiTypes.OBJECT, **REFUSED, **CONDITIONAL},
    )  # fmt: skip
    def patch(self, request: Request, pk: int) -> Response:
        """Let the fields that are given say something else, each as a whole; the others stay.

        ``If-Match`` has the ETag of what is changed: 412 where it is another by now.
        """
        found = acting.framework_to_change(request.user, pk)
        of = conditional.demanded(request)
        return _entry_told(written.change(found, entry_in(request), by=request.user, of=of))


class FrameworkView(Door):
    """One agreement: parties, options, lots, prices, changes, and the call-offs to be seen."""

    @extend_schema(responses={200: FrameworkDetailSerializer, **PROBLEMS})
    def get(self, request: Request, pk: int) -> Response:
        """With the revision of what is agreed as ``ETag``."""
        return agreed(request, pk)


class OptionView(Acts):
    """Exercise or decline the option of an organisation."""

    @extend_schema(
        request=OptionMoveSerializer, parameters=[IF_MATCH],
        responses={200: FrameworkDetailSerializer, **REFUSED, **CONDITIONAL},
    )  # fmt: skip
    def post(self, request: Request, pk: int, organisation: str) -> Response:
        """``If-Match`` has the ETag of the agreement: 412 where it is another by now."""
        acting.demand_officer(request.user)
        to, of = _asked(OptionMoveSerializer, request)["state"], conditional.demanded(request)
        acting.move_option(_user(request), pk, organisation=organisation, to=to, of=of)
        return agreed(request, pk)


class TermOptionView(Acts):
    """Exercise or decline an option of the agreement itself."""

    @extend_schema(
        request=OptionMoveSerializer, parameters=[IF_MATCH],
        responses={200: FrameworkDetailSerializer, **REFUSED, **CONDITIONAL},
    )  # fmt: skip
    def post(self, request: Request, pk: int, code: str) -> Response:
        """``If-Match`` has the ETag of the agreement: 412 where it is another by now."""
        acting.demand_officer(request.user)
        to, of = _asked(OptionMoveSerializer, request)["state"], conditional.demanded(request)
        acting.move_term_option(_user(request), pk, code=code, to=to, of=of)
        return agreed(request, pk)


class CallOffsView(Acts, generics.ListAPIView[CallOff]):
    """The call-offs of the user's organisations, and a new draft."""

    serializer_class = CallOffSerializer
    filterset_class = CallOffFilter
    pagination_class = Pages
    parameters = (*CallOffFilter.base_filters, *PAGING)

    def get_queryset(self) -> QuerySet[CallOff]:
        """The call-offs that the user may see."""
        return reading.call_offs(self.request.user)

    @extend_schema(request=DraftSerializer, responses={201: CallOffDetailSerializer, **REFUSED})
    def post(self, request: Request) -> Response:
        """Draft a call-off, which two people then approve."""
        acting.demand_officer(request.user)
        fields = _asked(DraftSerializer, request)
        row = drafting.draft(by=request.user, **fields)
        return _told(_call_off(request, row.pk), status=201)


class CallOffView(Acts):
    """One call-off with its lines and its approvals; a draft can be changed."""

    @extend_schema(responses={200: CallOffDetailSerializer, **PROBLEMS})
    def get(self, request: Request, pk: int) -> Response:
        """With its revision as ``ETag``."""
        return _told(_call_off(request, pk))

    @extend_schema(
        request=RedraftSerializer, parameters=[IF_MATCH],
        responses={200: CallOffDetailSerializer, **REFUSED, **CONDITIONAL},
    )  # fmt: skip
    def put(self, request: Request, pk: int) -> Response:
        """Let a draft say something else; approvals of what is bound and changed are void.

        ``If-Match`` has the ETag of what is changed, so that nobody's change is lost: 412 where it
        is another by now, 428 where the header is left out.
        """
        found = acting.draft_to_change(request.user, pk)
        revision = conditional.demanded(request)
        fields = _asked(RedraftSerializer, request, call_off=found)
        drafting.redraft(found, by=request.user, of=revision, **fields)
        return _told(_call_off(request, pk))


class ApproveView(Acts):
    """Approve a draft; the second person makes it approved, if the maximum value has room."""

    @extend_schema(
        request=ApprovalRequestSerializer, parameters=[IF_MATCH],
        responses={200: CallOffDetailSerializer, **REFUSED, 412: ProblemSerializer},
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        """Of what was seen: its ``fingerprint`` as ``seen``, or its ETag in ``If-Match``.

        Where it is another by now, nothing is approved: 409, or 412 with ``If-Match``.
        """
        seen = _asked(ApprovalRequestSerializer, request)["seen"] if request.data else ""
        of = conditional.given(request) or seen or ANY
        return _told(acting.approve(_user(request), pk, of=of))


class MoveView(Acts):
    """Order, activate, close or cancel a call-off."""

    @extend_schema(
        request=CallOffMoveSerializer, parameters=[IF_MATCH],
        responses={200: CallOffDetailSerializer, **REFUSED, 412: ProblemSerializer},
    )  # fmt: skip
    def post(self, request: Request, pk: int) -> Response:
        """With ``If-Match`` only where it is what was seen."""
        acting.demand_officer(request.user)
        to = _asked(CallOffMoveSerializer, request)["state"]
        of = conditional.given(request) or ANY
        return _told(acting.move(_user(request), pk, to=to, of=of))


def entry_in(request: Request) -> dict[str, Any]:
    """The entry that a request holds."""
    if not isinstance(request.data, dict):
        raise ValidationError({"non_field_errors": [_("expected an object")]})
    return request.data


def _entry_told(framework: FrameworkAgreement) -> Response:
    entry = written.entry_of(framework)
    return Response(entry, headers={"ETag": f'"{entries.revision(entry)}"'})


def _told(call_off: CallOff, *, status: int = 200) -> Response:
    """A call-off with its revision."""
    told = CallOffDetailSerializer(call_off).data
    return Response(told, status=status, headers={"ETag": f'"{seen.revision(call_off)}"'})


def _asked(shape: Any, request: Request, **context: Any) -> dict[str, Any]:
    asked = shape(data=request.data, context={"request": request, **context})
    asked.is_valid(raise_exception=True)
    fields: dict[str, Any] = asked.validated_data
    return fields


def _user(request: Request) -> Any:
    return request.user


def agreed(request: Request, pk: int, *, status: int = 200) -> Response:
    """One agreement with its revision; 404 where it is not the user's."""
    found = reading.whole_frameworks(request.user).filter(pk=pk).first()
    if found is None:
        raise Http404
    told = FrameworkDetailSerializer(found, context={"request": request}).data
    return Response(told, status=status, headers={"ETag": f'"{seen_agreements.revision(found)}"'})


def _call_off(request: Request, pk: int) -> CallOff:
    found = reading.call_offs(request.user).filter(pk=pk).first()
    if found is None:
        raise Http404
    return found
