"""The REST API of sites and of the people who sign in, as a set-up file has them."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from hub import conditional, participants
from hub.api import PROBLEMS, Door, DoubtSerializer
from hub.conditional import CONDITIONAL, IF_MATCH, NotAsSeen
from hub.configuration import entries
from hub.configuration.doubts import doubts_of
from hub.configuration.entries import EntryChanged, EntryRefused
from hub.models import Site, User

REFUSED = {400: OpenApiTypes.OBJECT, **PROBLEMS}
ENTRY = {200: OpenApiTypes.OBJECT, **PROBLEMS}
LISTED = {200: {"type": "array", "items": {"type": "object"}}, **PROBLEMS}


class EntryDoor(Door):
    """Common to what is written as entries of a set-up file."""

    def handle_exception(self, exc: Exception) -> Response:
        """Tell the field and the rule of what a verb refused."""
        if isinstance(exc, EntryRefused):
            exc = ValidationError(exc.by_field)
        if isinstance(exc, EntryChanged):
            exc = NotAsSeen(str(exc))
        return super().handle_exception(exc)


class SitesView(EntryDoor):
    """The sites that the user administers, and a new one."""

    @extend_schema(operation_id="sites_list", responses=LISTED)
    def get(self, request: Request) -> Response:
        """Each as an entry of ``sites``."""
        participants.demand_administrator(request.user)
        rows = participants.sites_kept_by(request.user)
        return Response([entries.said(entries.value_of("site", row)) for row in rows])

    @extend_schema(
        request=OpenApiTypes.OBJECT, responses={201: OpenApiTypes.OBJECT, **REFUSED}
    )
    def post(self, request: Request) -> Response:
        """Put one on record: an entry of ``sites`` as a set-up file has it."""
        participants.demand_administrator(request.user)
        row = participants.begin_site(_site_in(request), by=request.user)
        return _site_told(row, status=201)


class SiteView(EntryDoor):
    """One site."""

    @extend_schema(responses=ENTRY)
    def get(self, request: Request, code: str) -> Response:
        """As an entry of ``sites``, with ``warnings`` beside it and its revision as ``ETag``."""
        return _site_told(_site(request, code))

    @extend_schema(
        request=OpenApiTypes.OBJECT, parameters=[IF_MATCH],
        responses={**ENTRY, **REFUSED, **CONDITIONAL},
    )  # fmt: skip
    def patch(self, request: Request, code: str) -> Response:
        """Let the fields that are given say something else, each as a whole; the others stay.

        ``If-Match`` has the ETag of what is changed: 412 where it is another by now.
        """
        row, of = _site(request, code), conditional.demanded(request)
        changed = participants.change_site(row, _site_in(request), by=request.user, of=of)
        return _site_told(changed)


class MembersView(EntryDoor):
    """Who holds a role where the user administers, and a new person."""

    @extend_schema(operation_id="members_list", responses=LISTED)
    def get(self, request: Request) -> Response:
        """Each as an entry of ``members``, with the roles held there."""
        participants.demand_administrator(request.user)
        rows = participants.members_kept_by(request.user)
        return Response([
            participants.entry_of_member(row, seen_by=request.user) for row in rows
        ])  # fmt: skip

    @extend_schema(
        request=OpenApiTypes.OBJECT, responses={201: OpenApiTypes.OBJECT, **REFUSED}
    )
    def post(self, request: Request) -> Response:
        """Put a person on record, who cannot sign in before ``manage.py password`` or ``token``."""
        participants.demand_administrator(request.user)
        row = participants.begin_member(entry_in(request), by=request.user)
        return told(participants.entry_of_member(row, seen_by=request.user), status=201)


class MemberView(EntryDoor):
    """One person, with the roles held where the user administers."""

    @extend_schema(responses=ENTRY)
    def get(self, request: Request, username: str) -> Response:
        """With its revision as ``ETag``."""
        row = _member(request, username)
        return told(participants.entry_of_member(row, seen_by=request.user))

    @extend_schema(
        request=OpenApiTypes.OBJECT, parameters=[IF_MATCH],
        responses={**ENTRY, **REFUSED, **CONDITIONAL},
    )  # fmt: skip
    def patch(self, request: Request, username: str) -> Response:
        """Let the fields that are given say something else; roles held elsewhere stay.

        ``If-Match`` has the ETag of what is changed: 412 where it is another by now.
        """
        row, of = _member(request, username), conditional.demanded(request)
        changed = participants.change_member(row, entry_in(request), by=request.user, of=of)
        return told(participants.entry_of_member(changed, seen_by=request.user))


def entry_in(request: Request) -> dict[str, Any]:
    """The entry that a request holds."""
    if not isinstance(request.data, dict):
        raise ValidationError({"non_field_errors": [_("expected an object")]})
    return request.data


def told(entry: dict[str, Any], *, status: int = 200) -> Response:
    """An entry with its revision."""
    return Response(entry, status=status, headers={"ETag": f'"{entries.revision(entry)}"'})


def _site_in(request: Request) -> dict[str, Any]:
    """An entry of ``sites``; the warnings that an answer has beside it are nobody's to write."""
    return {name: value for name, value in entry_in(request).items() if name != "warnings"}


def _site_told(row: Site, *, status: int = 200) -> Response:
    answer = told(entries.entry_of("site", row), status=status)
    answer.data["warnings"] = DoubtSerializer(doubts_of("site", row), many=True).data
    return answer


def _site(request: Request, code: str) -> Site:
    participants.demand_administrator(request.user)
    found = participants.sites_kept_by(request.user).filter(code=code).first()
    if found is None:
        raise Http404
    return found


def _member(request: Request, username: str) -> User:
    participants.demand_administrator(request.user)
    found = participants.members_kept_by(request.user).filter(username=username).first()
    if found is None:
        raise Http404
    return found
