"""Conditional requests to the API: a change is made only to what its sender has seen.

RFC 9110, 13.1.1 (If-Match) and RFC 6585, 3 (428 Precondition Required).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from django.db import models, transaction
from django.utils import translation
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api import ProblemSerializer
from hub.configuration import entries

IF_MATCH = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER,
    description="The ETag of what was seen; * for whatever stands.",
)  # fmt: skip
CONDITIONAL = {412: ProblemSerializer, 428: ProblemSerializer}
# a weak tag never matches: it does not say that two answers are the same byte for byte
_STRONG = re.compile(r'(?:^|(?<=[,\s]))"([\x21\x23-\x7e]{1,128})"')


class NotAsSeen(APIException):
    """What If-Match names is not what stands; the sentence says who changed what."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_code = "precondition_failed"


class SayWhatYouSaw(APIException):
    """The request changes something for which If-Match is demanded, and has none."""

    status_code = status.HTTP_428_PRECONDITION_REQUIRED
    default_code = "precondition_required"


def given(request: Request) -> str:
    """The tags of If-Match, apart by spaces, "*" for any; "" where the header is left out."""
    header = request.headers.get("If-Match")
    if header is None:
        return ""
    if header.strip() == "*":
        return "*"
    return " ".join(_STRONG.findall(header)) or "-"


def demanded(request: Request) -> str:
    """The same; raises SayWhatYouSaw where the header is left out."""
    if found := given(request):
        return found
    raise SayWhatYouSaw(
        _("If-Match: expected the ETag that a GET of what is changed gives, so that no change of "
          "somebody else is lost.")
    )  # fmt: skip


def tagged(told: Callable[[], Any]) -> Response:
    """The answer with the revision of what it tells as its ETag."""
    return Response(told(), headers=tag(told))


def tag(told: Callable[[], Any]) -> dict[str, str]:
    """The header that has the revision of what is told."""
    return {"ETag": f'"{revision(told)}"'}


@contextmanager
def unchanged(
    request: Request, row: models.Model, told: Callable[[], Any], *, called: str
) -> Iterator[None]:
    """Within, nobody else changes the row, and what is ``told`` of it is what If-Match names.

    Raises SayWhatYouSaw, and NotAsSeen with who changed it last: the subject ``called`` of the
    audit trail.
    """
    with as_seen(row, told, of=demanded(request), called=called):
        yield


def replacing(
    request: Request, row: models.Model, told: Callable[[], Any], *, called: str
) -> AbstractContextManager[None]:
    """The same where one stands already; the first that is put there has nothing to name."""
    return nullcontext() if told() is None else unchanged(request, row, told, called=called)


@contextmanager
def as_seen(
    row: models.Model, told: Callable[[], Any], *, of: str, called: str
) -> Iterator[None]:
    """The same for a page: ``of`` has the revisions that may be changed, apart by spaces."""
    with transaction.atomic():
        type(row)._base_manager.select_for_update().filter(pk=row.pk).first()
        if "*" not in of.split() and revision(told) not in of.split():
            raise NotAsSeen(entries.changed_by_whom(called))
        yield


def revision(told: Callable[[], Any]) -> str:
    """SHA-256 of what is told of a row, the same in whatever language it is read."""
    with translation.override("en"):
        return hashlib.sha256(JSONRenderer().render(told())).hexdigest()
