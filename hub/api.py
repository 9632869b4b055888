"""What the REST API does everywhere alike: pages, parameters, refusals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from django.db.models import Model
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from hub.configuration import identifiers
from hub.configuration.problems import shown
from hub.spelling import spelt, spelt_all

PAGING = ("limit", "offset")
# what a form of a page sends along
OF_FORMS = {"csrfmiddlewaretoken"}
Value = TypeVar("Value")
Row = TypeVar("Row", bound=Model)
# ten digits: no database has more rows, and no database takes a number without end
LONGEST_LINE = 300
DIGEST = re.compile("^[0-9a-fA-F]{64}$", re.ASCII)
WHOLE = re.compile(r"[0-9]{1,10}")


class DoubtSerializer(serializers.Serializer[Any]):
    """Something to look at that stops nothing: the field as a set-up file has it, and the rule."""

    field = serializers.CharField()
    text = serializers.SerializerMethodField()

    def get_text(self, doubt: Any) -> str:
        """With its amounts and days as people of the language write them."""
        return spelt(doubt.text)


class ProblemSerializer(serializers.Serializer[Any]):
    """Why a request was refused, in a sentence."""

    detail = serializers.CharField()


PROBLEMS = {403: ProblemSerializer, 404: ProblemSerializer, 409: ProblemSerializer}


class Conflict(APIException):
    """The row is not in a state in which this may be done; the sentence says why."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class Digest(serializers.RegexField):
    """A SHA-256 in hexadecimal digits; who sends another text is told so."""

    default_error_messages = {
        "invalid": gettext_lazy("expected a SHA-256 of 64 hexadecimal digits")
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(DIGEST, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """As the hub writes them: in small letters."""
        return str(super().to_internal_value(data)).lower()


class OneOf(serializers.ChoiceField):
    """One of a few words; who sends another is told which there are."""

    def fail(self, key: str, **kwargs: Any) -> NoReturn:
        """Refuse; a word that is none of them by naming them."""
        if key == "invalid_choice":
            known = ", ".join(map(str, self.choices))
            text = _("expected one of %(known)s; got %(value)s")
            found = shown(kwargs.get("input"))[:40]
            raise ValidationError(text % {"known": known, "value": found}, code=key)
        super().fail(key, **kwargs)


class Checked:
    """Holds a text of the API to a check of the set-up file."""

    def __init__(self, check: identifiers.Check) -> None:
        self.check = check

    def __call__(self, text: str) -> None:
        """Raise ValidationError with what was expected."""
        if what := self.check(text):
            raise ValidationError(_("expected %(what)s") % {"what": what})


class ShapeSerializer(serializers.Serializer[Value]):
    """What is asked or answered, as JSON, by known fields alone, in text that people can read.

    A misspelt field must not leave out what it meant to say, and what is taken here must be taken
    by a set-up file too, or an export of it could not be imported.
    """

    def get_fields(self) -> dict[str, Any]:
        """The fields, those of text held to one line or to paragraphs."""
        fields = super().get_fields()
        for field in fields.values():
            text = getattr(field, "child", field)
            if isinstance(text, serializers.CharField) and not field.read_only:
                is_line = text.max_length is not None and text.max_length <= LONGEST_LINE
                check = identifiers.one_line if is_line else identifiers.paragraphs
                text.validators.append(Checked(check))
        return fields

    def to_internal_value(self, data: Any) -> Any:
        """The values; ValidationError with all that is wrong, unknown fields among it."""
        unknown = self._unknown(data)
        try:
            value = super().to_internal_value(data)
        except ValidationError as fault:
            if isinstance(fault.detail, dict):
                raise ValidationError({**fault.detail, **unknown}) from fault
            raise
        if unknown:
            raise ValidationError(unknown)
        return value

    def _unknown(self, data: Any) -> dict[str, list[str]]:
        names = set(data) if isinstance(data, Mapping) else set()
        known = [name for name, field in self.fields.items() if not field.read_only]
        text = _("unknown field; expected one of %(known)s") % {"known": ", ".join(known)}
        return {shown(name): [text] for name in sorted(names - set(self.fields) - OF_FORMS)}


class RowSerializer(ShapeSerializer[Row], serializers.ModelSerializer[Row]):
    """A row as JSON; its columns of a few words are refused as all others are."""

    serializer_choice_field = OneOf


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

    def handle_exception(self, exc: Exception) -> Response:
        """The refusal, with its amounts and days as people of its language write them."""
        answer = super().handle_exception(exc)
        answer.data = spelt_all(answer.data)
        return answer

    def finalize_response(self, *args: Any, **kwargs: Any) -> Any:
        """The answer; no patient stays in the cache of a browser or a proxy."""
        response = super().finalize_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-store"
        return response
