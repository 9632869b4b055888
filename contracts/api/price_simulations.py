"""The REST API of price simulations: a usage in, invoices out, and nothing is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from contracts import simulation
from contracts.usage_rows import MOST, UsageRefused
from hub.access import CONTRACT_ROLES, holds_role
from hub.api import Door, OneOf, ProblemSerializer, ShapeSerializer
from hub.configuration.problems import SetUpRefused, shown

FIELDS = ("setup", "usage", "availability", "outcomes", "until")
LONGEST_SETUP = 2_000_000


@extend_schema_field({"oneOf": [{"type": "object"}, {"type": "string"}]})
class SetUpField(serializers.JSONField):
    """A set-up file: as an object, or as its text in YAML."""


class UsedSerializer(ShapeSerializer[Any]):
    """Billable examinations of a line of a call-off on one day."""

    call_off = serializers.CharField()
    algorithm = serializers.CharField()
    site = serializers.CharField()
    date = serializers.CharField(help_text="2026-06-16, or a time with its offset from UTC.")
    quantity = serializers.IntegerField(min_value=0, max_value=MOST)
    late = serializers.IntegerField(
        min_value=0, max_value=MOST, required=False, help_text="How many of them came late."
    )
    failed = serializers.IntegerField(
        min_value=0, max_value=MOST, required=False,
        help_text="Jobs beside them that failed by the supplier's fault.",
    )  # fmt: skip
    rejected = serializers.IntegerField(
        min_value=0, max_value=MOST, required=False,
        help_text="Examinations beside them that could not be read, by the customer's fault.",
    )  # fmt: skip
    source = serializers.CharField(required=False)  # type: ignore[assignment]
    id = serializers.CharField(
        required=False, help_text="Of a source: rows with the same count once."
    )


class AvailableSerializer(ShapeSerializer[Any]):
    """How much of a month the service of a line was available."""

    call_off = serializers.CharField()
    algorithm = serializers.CharField()
    site = serializers.CharField()
    month = serializers.CharField(help_text="2026-06")
    share = serializers.CharField(help_text="98.7%")


class MeasuredSerializer(ShapeSerializer[Any]):
    """What was measured in the contract year of a day."""

    framework = serializers.CharField()
    algorithm = serializers.CharField()
    kpi = serializers.CharField()
    date = serializers.CharField()
    successes = serializers.IntegerField(min_value=0, max_value=MOST)
    n = serializers.IntegerField(min_value=0, max_value=MOST)


class PriceQuestionSerializer(ShapeSerializer[Any]):
    """What was or would be used, and under which set-up."""

    setup = SetUpField(
        required=False, help_text="Left out: the agreements of the user's organisations."
    )
    usage = UsedSerializer(many=True)
    availability = AvailableSerializer(many=True, required=False)
    outcomes = MeasuredSerializer(many=True, required=False)
    until = serializers.DateField(
        required=False, help_text="The last day charged; left out: the end of the contract year."
    )


class PricedLineSerializer(ShapeSerializer[Any]):
    """One charge; a discount or credit is below 0."""

    algorithm = serializers.CharField()
    site = serializers.CharField()
    description = serializers.CharField()
    quantity = serializers.IntegerField()
    amount = serializers.CharField(help_text="Without VAT, with two decimals.")


class PricedInvoiceSerializer(ShapeSerializer[Any]):
    """An invoice (380) or a credit note (381, its amounts below 0)."""

    organisation = serializers.CharField()
    month = serializers.CharField(help_text="2026-06")
    type = OneOf(choices=["380", "381"])
    net = serializers.CharField()
    vat = serializers.CharField()
    gross = serializers.CharField()
    lines = PricedLineSerializer(many=True)


class PriceAnswerSerializer(ShapeSerializer[Any]):
    """Invoices and credit notes by organisation and month."""

    invoices = PricedInvoiceSerializer(many=True)


class PriceSimulationsView(Door):
    """What a usage would cost under a set-up file, or under the agreements that are in force."""

    @extend_schema(
        request=PriceQuestionSerializer,
        responses={
            200: PriceAnswerSerializer, 400: OpenApiTypes.OBJECT, 403: ProblemSerializer,
        },
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Every refusal names the field, such as ``usage[3].quantity``, and the rule."""
        if not holds_role(request.user, roles=CONTRACT_ROLES):
            raise PermissionDenied(_("Only procurement officers and administrators may do this."))
        asked = _asked(request.data)
        usage = {name: asked[name] for name in FIELDS[1:4] if name in asked}
        try:
            terms = _terms(asked, request.user)
            answer = simulation.simulate(terms, usage, until=_until(asked))
        except SetUpRefused as refused:
            told = [str(one) for one in refused.problems]
            raise ValidationError({"setup": told}) from refused
        except UsageRefused as refused:
            faults: dict[str, list[str]] = {}
            for fault in refused.faults:
                faults.setdefault(fault.path, []).append(fault.text)
            raise ValidationError(faults) from refused
        return Response(answer)


def _asked(data: Any) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise ValidationError({"usage": [_("expected an object with usage")]})
    unknown = sorted(set(data) - set(FIELDS))
    if unknown:
        known = ", ".join(FIELDS)
        text = _("unknown field; expected one of %(known)s") % {"known": known}
        raise ValidationError({shown(name): [text] for name in unknown})
    return data


def _terms(asked: Mapping[str, Any], user: Any) -> simulation.Terms:
    setup = asked.get("setup")
    if setup is None:
        return simulation.terms_held(user)
    text = setup if isinstance(setup, str) else json.dumps(setup)
    if not isinstance(setup, str | Mapping) or len(text) > LONGEST_SETUP:
        what = _("expected an object, or YAML of at most %(most)s characters")
        raise ValidationError({"setup": [what % {"most": LONGEST_SETUP}]})
    return simulation.terms_in([("setup", text.encode("utf-8", "surrogatepass"))])


def _until(asked: Mapping[str, Any]) -> date | None:
    given = asked.get("until")
    if given is None:
        return None
    try:
        return date.fromisoformat(given)
    except (TypeError, ValueError):
        what = _("expected a day such as 2026-06-01; got %(found)s") % {"found": shown(given)[:40]}
        raise ValidationError({"until": [what]}) from None
