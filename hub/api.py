"""What the REST API does everywhere alike: pages, parameters, refusals."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.views import APIView

PAGING = ("limit", "offset")
# ten digits: no database has more rows, and no database takes a number without end
WHOLE = re.compile(r"[0-9]{1,10}")


class ProblemSerializer(serializers.Serializer[Any]):
    """Why a request was refused, in a sentence."""

    detail = serializers.CharField()


PROBLEMS = {403: ProblemSerializer, 404: ProblemSerializer, 409: ProblemSerializer}


class Conflict(APIException):
    """The row is not in a state in which this may be done; the sentence says why."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class Pages(LimitOffsetPagination):
    """Pages by limit and offset; a limit keeps one question from reading the whole database."""

    max_limit = 500

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        """One page; a limit or offset that is no number must not show another page instead."""
        demand_whole(request, {"limit": 1, "offset": 0})
        return super().paginate_queryset(queryset, request, view)


def demand_whole(request: Request, least_of: dict[str, int]) -> None:
    """Refuse what is no whole number: it must not show another page instead."""
    problems = {}
    for name, least in least_of.items():
        given = request.query_params.get(name, "")
        if given and (not WHOLE.fullmatch(given) or int(given) < least):
            problems[name] = [
                _("expected a whole number of at least %(least)s; got %(value)s")
                % {"least": least, "value": given[:40]}
            ]
    if problems:
        raise ValidationError(problems)


class Door(APIView):
    """Common to all views: only known parameters, each once, and no answer in any cache."""

    parameters: tuple[str, ...] = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what is asked wrongly: a misspelt parameter must not show everything instead."""
        super().initial(request, *args, **kwargs)
        problems = {}
        for name, values in request.query_params.lists():
            if name not in self.parameters:
                problems[name] = [
                    _("unknown parameter; expected one of %(known)s")
                    % {"known": ", ".join(self.parameters)}
                    if self.parameters
                    else _("unknown parameter; expected none")
                ]
            elif len(values) > 1:
                problems[name] = [_("given more than once; expected one value")]
        if problems:
            raise ValidationError(problems)

    def finalize_response(self, *args: Any, **kwargs: Any) -> Any:
        """The answer; no patient stays in the cache of a browser or a proxy."""
        response = super().finalize_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-store"
        return response
