"""The shapes in which the API tells about procedures, and in which they are planned and moved."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from contracts import participating, reading, result_notices, tender_access, tenders
from contracts.api.fields import LongText
from contracts.models import (
    EvaluationModel,
    FrameworkAgreement,
    MarketContact,
    Participant,
    Procedure,
)
from contracts.zone import CONTRACT_ZONE
from hub.api import OneOf, RowSerializer, ShapeSerializer
from hub.models import Organisation, Site, User
from vendors.models import Vendor


class MadeMoveSerializer(ShapeSerializer[Any]):
    """One move that was made."""

    at = serializers.DateTimeField()
    by = serializers.CharField()
    from_state = serializers.CharField()
    to_state = serializers.CharField()
    why = serializers.CharField()


class DutySerializer(ShapeSerializer[Any]):
    """Until when the result notice must be sent, and whether it is due, late or sent."""

    due = serializers.DateField()
    state = OneOf(choices=["due", "late", "sent"])


class FollowingSerializer(ShapeSerializer[Any]):
    """A state that may follow, and what is missing for it."""

    state = serializers.CharField()
    missing = serializers.ListField(child=serializers.CharField())


class PlanSerializer(ShapeSerializer[Any]):
    """What a buyer plans; the law's fields by their business terms (eForms)."""

    title = serializers.CharField(max_length=300)
    purpose = LongText(allow_blank=True, required=False)
    strategy = LongText(allow_blank=True, required=False)
    framework = serializers.SlugRelatedField(
        slug_field="code", queryset=FrameworkAgreement.objects.all(), required=False,
        allow_null=True,
    )  # fmt: skip
    lot = serializers.CharField(max_length=40, allow_blank=True, required=False)
    sites = serializers.ListField(
        child=serializers.CharField(max_length=50), max_length=500, required=False,
        allow_null=True, help_text="mini-competition: the sites it is for; null: all of its own.",
    )
    estimated_value = serializers.DecimalField(
        max_digits=14, decimal_places=2, min_value=0, required=False, allow_null=True
    )
    maximum_value = serializers.DecimalField(
        max_digits=14, decimal_places=2, min_value=0, required=False, allow_null=True
    )
    notice_type = OneOf(choices=["16", "20"], required=False)
    notice_reference = serializers.CharField(max_length=200, allow_blank=True, required=False)
    requests_due_at = serializers.DateTimeField(required=False, allow_null=True)
    reduces_successively = serializers.BooleanField(required=False, allow_null=True)
    least_candidates = serializers.IntegerField(
        min_value=1, max_value=1000, required=False, allow_null=True
    )
    most_candidates = serializers.IntegerField(
        min_value=1, max_value=1000, required=False, allow_null=True
    )
    dialogue_plan = LongText(allow_blank=True, required=False)
    tenders_due_at = serializers.DateTimeField(required=False, allow_null=True)
    evaluation_model = serializers.SlugRelatedField(
        slug_field="code", queryset=EvaluationModel.objects.none(), required=False, allow_null=True
    )

    def get_fields(self) -> dict[str, Any]:
        """The fields; only evaluation models of organisations that the user buys for are known."""
        fields: dict[str, Any] = super().get_fields()
        if request := self.context.get("request"):
            known = tender_access.evaluation_models(request.user)
            fields["evaluation_model"].queryset = known
        return fields

    def validate_sites(self, value: list[str] | None) -> list[str] | None:
        """Known sites, each once; none said is none at all."""
        known = set(Site.objects.filter(code__in=value or ()).values_list("code", flat=True))
        if strange := sorted(set(value or ()) - known):
            raise ValidationError(
                [_("expected codes of sites, found %(found)s") % {"found": strange[0]}]
            )
        return sorted(known) or None


class NewProcedureSerializer(PlanSerializer):
    """A new procedure."""

    code = serializers.SlugField(max_length=40)
    organisation = serializers.SlugRelatedField(
        slug_field="code", queryset=Organisation.objects.all()
    )
    kind = OneOf(choices=Procedure.Kind.choices)


class ProcedureSerializer(RowSerializer[Procedure]):
    """A procedure; to a participant strategy, missing things and moves are empty."""

    organisation = serializers.CharField(source="organisation.code")
    framework = serializers.CharField(source="framework.code", default=None, allow_null=True)
    evaluation_model = serializers.SerializerMethodField()
    strategy = serializers.SerializerMethodField()
    winner = serializers.SerializerMethodField()
    result_notice_duty = serializers.SerializerMethodField()
    call_offs = serializers.SerializerMethodField()
    following = serializers.SerializerMethodField()
    moves = serializers.SerializerMethodField()

    class Meta:
        model = Procedure
        fields = (
            "code", "organisation", "title", "kind", "framework", "lot", "sites", "state",
            "purpose",
            "strategy", "estimated_value", "maximum_value", "notice_type", "notice_reference",
            "requests_due_at", "reduces_successively", "least_candidates", "most_candidates",
            "dialogue_plan", "tenders_due_at", "evaluation_model", "opened_at", "winner",
            "standstill_until", "contract_reference", "end_reason", "ended_at", "result_notice",
            "result_notice_on", "result_value", "result_notice_duty", "call_offs", "following",
            "moves",
        )  # fmt: skip

    @property
    def _is_buyer(self) -> bool:
        return self.context.get("participant") is None

    def get_evaluation_model(self, row: Procedure) -> str | None:
        model = row.evaluation_model
        return model.code if model and self._is_buyer else None

    def get_strategy(self, row: Procedure) -> str:
        return row.strategy if self._is_buyer else ""

    def get_winner(self, row: Procedure) -> int | None:
        told = (Procedure.State.AWARD_NOTIFIED, Procedure.State.CONCLUDED)
        is_told = self._is_buyer or row.state in told
        return row.winner.number if row.winner and is_told else None

    @extend_schema_field(DutySerializer(allow_null=True))
    def get_result_notice_duty(self, row: Procedure) -> Any:
        owed = result_notices.duty(row, on=_today()) if self._is_buyer else None
        return DutySerializer(owed).data if owed else None

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_call_offs(self, row: Procedure) -> list[str]:
        """Codes of the call-offs that followed from it, of those that the user may see."""
        user = self.context.get("user")
        return [one.code for one in reading.following_from(row, user)] if self._is_buyer else []

    @extend_schema_field(FollowingSerializer(many=True))
    def get_following(self, row: Procedure) -> Any:
        if not self._is_buyer:
            return []
        return [
            {"state": state, "missing": [str(one) for one in missing]}
            for state, missing in tenders.next_states(row)
        ]

    @extend_schema_field(MadeMoveSerializer(many=True))
    def get_moves(self, row: Procedure) -> Any:
        return MadeMoveSerializer(row.moves.all(), many=True).data if self._is_buyer else []


class AskedMoveSerializer(ShapeSerializer[Any]):
    """A move; ``winner`` and ``award_reason`` for award_notified, ``end_reason`` for an end."""

    to = OneOf(choices=Procedure.State.choices)
    why = LongText()
    winner = serializers.IntegerField(required=False, min_value=1, max_value=32_767)
    award_reason = LongText(required=False)
    contract_reference = serializers.CharField(max_length=200, required=False)
    end_reason = serializers.CharField(max_length=40, required=False)


class ResultNoticeSerializer(ShapeSerializer[Any]):
    """The result notice as it was sent; ``result_value`` of a framework (BT-118, BT-709)."""

    result_notice = serializers.CharField(max_length=200)
    result_notice_on = serializers.DateField()
    result_value = serializers.DecimalField(
        max_digits=14, decimal_places=2, min_value=0, required=False, allow_null=True, default=None
    )


class ParticipantSerializer(RowSerializer[Participant]):
    """Who takes part."""

    vendor = serializers.CharField(source="vendor.code")
    users = serializers.SerializerMethodField()

    class Meta:
        model = Participant
        fields = ("number", "vendor", "state", "why", "users")

    def get_users(self, row: Participant) -> list[str]:
        return participating.people_of(row)


class NewParticipantSerializer(ShapeSerializer[Any]):
    """A company; its people act for it, and ``users``, where given, are checked to be of it."""

    vendor = serializers.SlugRelatedField(slug_field="code", queryset=Vendor.objects.all())
    users = serializers.SlugRelatedField(
        slug_field="username", queryset=User.objects.all(), many=True, required=False
    )


    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Who is named belongs to the company; others would not be let in."""
        people = set(attrs["vendor"].people.values_list("user", flat=True))
        for user in attrs.get("users", []):
            if user.pk not in people:
                name = {"user": user.username, "vendor": attrs["vendor"].name}
                raise ValidationError(
                    {"users": [_("%(user)s is no person of %(vendor)s: invite it there") % name]}
                )
        return attrs


class ParticipantDecisionSerializer(ShapeSerializer[Any]):
    """How far a participant is taken, and why."""

    state = OneOf(choices=Participant.State.choices)
    why = LongText()


class MarketContactSerializer(RowSerializer[MarketContact]):
    """Something said with the market before the notice."""

    with_whom = serializers.CharField(max_length=300)
    summary = LongText()
    by = serializers.CharField(read_only=True)

    class Meta:
        model = MarketContact
        fields = ("on", "with_whom", "summary", "by")

    def to_representation(self, instance: MarketContact) -> dict[str, Any]:
        """With whom it was is the buyer's to know: it may be one who takes part."""
        said: dict[str, Any] = super().to_representation(instance)
        return said | {"with_whom": ""} if self.context.get("participant") else said


def _today() -> date:
    return timezone.localdate(timezone=CONTRACT_ZONE)
