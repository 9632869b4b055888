"""Fields and doors that the views of choosing share: finite numbers, plain JSON, refusals."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.response import Response

from contracts.evaluation import CannotEvaluate
from contracts.submitting import ContentRefused
from contracts.tenders import ProcedureMoveRefused
from contracts.valuing import NoSuchMeasurement
from hub.access import CONTRACT_ROLES, organisations_of
from hub.api import Conflict, Door
from hub.forms import LONGEST_TEXT
from hub.models import Organisation
from marketplace.needs import NothingToChooseFrom
from marketplace.uncertainty import NoSuchDistribution, check
from vendors.belonging import own_vendor

LARGEST = 1e12


class TenderDoor(Door):
    """A refused act is a 409 with its sentences, content that does not fit a 400 by field."""

    def handle_exception(self, exc: Exception) -> Response:
        """Turn what a verb raised into a problem that a person understands."""
        if isinstance(exc, (ProcedureMoveRefused, NothingToChooseFrom, CannotEvaluate)):
            exc = Conflict(str(exc))
        elif isinstance(exc, ContentRefused):
            problems: dict[str, list[str]] = {}
            for field, rule in exc.problems:
                problems.setdefault(field, []).append(rule)
            exc = ValidationError(problems)
        elif isinstance(exc, (NoSuchDistribution, NoSuchMeasurement)):
            field, _, rule = str(exc).partition(": ")
            exc = ValidationError({field: [rule]})
        return super().handle_exception(exc)


def demand_buyer(user: Any, organisation: Organisation | None = None) -> None:
    """Refuse who buys for nobody, or not for this organisation."""
    held = frozenset() if own_vendor(user) else organisations_of(user, roles=CONTRACT_ROLES)
    if held is not None and (not held or (organisation and organisation.pk not in held)):
        raise PermissionDenied(_("Only a procurement officer of the organisation may do this."))


class LongText(serializers.CharField):
    """Paragraphs."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": LONGEST_TEXT, **kwargs})


class FiniteFloat(serializers.FloatField):
    """A number that can be reckoned with: no NaN, nothing without end."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": -LARGEST, "max_value": LARGEST, **kwargs})

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool):
            self.fail("invalid")
        value = float(super().to_internal_value(data))
        if not math.isfinite(value):
            self.fail("invalid")
        return value


def demand_each_once(names: Iterable[str]) -> None:
    """Refuse a list in which a name stands twice."""
    counted = Counter(names)
    if twice := sorted(name for name, count in counted.items() if count > 1):
        raise ValidationError(_("%(name)s stands there twice") % {"name": twice[0]})


class PlainDict(serializers.DictField):
    """A mapping that a verb judges; it holds nothing that no database keeps."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        value: dict[str, Any] = super().to_internal_value(data)
        text = json.dumps(value, ensure_ascii=False)
        if "\\u0000" in text or any("\ud800" <= one <= "\udfff" for one in text):
            raise ValidationError(_("expected text without U+0000 and lone surrogates"))
        if len(text) > LONGEST_TEXT:
            told = _("expected at most %(most)s characters") % {"most": LONGEST_TEXT}
            raise ValidationError(told)
        return value


class OfferLine(PlainDict):
    """A line of an offered price book: item, algorithm, model, and the terms of the set-up file.

    In a mini-competition ``algorithm`` is the one of the agreement that meets the item.
    """

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        value = super().to_internal_value(data)
        for name in ("item", "model"):
            if not isinstance(value.get(name), str) or not value[name]:
                raise ValidationError({name: [_("expected a text")]})
        if not isinstance(value.get("algorithm", ""), str):
            raise ValidationError({"algorithm": [_("expected the code of an algorithm")]})
        return value


class Distribution(PlainDict):
    """A distribution as marketplace/uncertainty.py knows it; empty where there is none."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        value = super().to_internal_value(data)
        if value:
            try:
                check(value)
            except NoSuchDistribution as fault:
                raise ValidationError(str(fault)) from None
        return value
