"""The shapes in which the API tells about deployments, their gates, and field safety notices."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from hub.api import Checked, Digest, OneOf, RowSerializer, ShapeSerializer
from hub.configuration import identifiers
from hub.phrases import render
from marketplace import gate_files
from marketplace.deploying import signed_for
from marketplace.gates import (
    GATES_FOR,
    Standing,
    digest_of,
    facts_for,
    owners_of,
    standing,
)
from marketplace.models import Deployment, DeploymentMove, Gate, SafetyNotice
from vendors.file_doors import HandedInSerializer
from vendors.serializers import LineField, ParagraphsField


class GateSerializer(ShapeSerializer[Standing]):
    """One gate: whether it stands, why (not), and what was decided."""

    gate = serializers.CharField(source="kind")
    stands = serializers.BooleanField()
    why = serializers.CharField()
    is_attested = serializers.BooleanField()
    is_live = serializers.BooleanField()
    needed_for = serializers.SerializerMethodField()
    decision = serializers.SerializerMethodField()
    is_file_missing = serializers.SerializerMethodField()
    files = serializers.SerializerMethodField()

    def get_is_file_missing(self, one: Standing) -> bool:
        """Whether it asks for a document that nobody has handed in here."""
        return gate_files.is_missing(one.kind, self.context["files"][one.kind])

    @extend_schema_field(HandedInSerializer(many=True))
    def get_files(self, one: Standing) -> Any:
        """The files behind it, also those whose place a newer one took."""
        return HandedInSerializer(self.context["files"][one.kind], many=True).data

    def get_needed_for(self, one: Standing) -> list[str]:
        """The states that need it."""
        return [str(state) for state, kinds in GATES_FOR.items() if one.kind in kinds]

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_decision(self, one: Standing) -> Any:
        """The row, or null."""
        return DecisionSerializer(one.gate).data if one.gate else None


class DecisionSerializer(RowSerializer[Gate]):
    """What was decided at a gate."""

    evidence = ParagraphsField(required=False, allow_blank=True)
    owner = LineField(required=False, allow_blank=True)
    is_passed = serializers.BooleanField()
    details = serializers.DictField(required=False)

    class Meta:
        model = Gate
        fields = (
            "is_passed", "evidence", "owner", "decided_by", "decided_on", "valid_until",
            "udi_di", "details",
        )  # fmt: skip
        read_only_fields = ("decided_by", "udi_di")
        extra_kwargs = {"decided_on": {"required": False}}  # noqa: RUF012


class DeploymentMoveSerializer(RowSerializer[DeploymentMove]):
    """One move of a deployment."""

    why = serializers.SerializerMethodField()

    class Meta:
        model = DeploymentMove
        fields = ("at", "was", "became", "by", "why")
        read_only_fields = fields

    def get_why(self, row: DeploymentMove) -> str:
        """In the language of the request."""
        return render(row.why)


class DeploymentSerializer(RowSerializer[Deployment]):
    """Where a version is in use, and in which state."""

    site = serializers.CharField(source="site.code")
    algorithm = serializers.CharField(source="version.algorithm.code")
    version = serializers.CharField(source="version.version")
    state = serializers.CharField()
    why = serializers.SerializerMethodField()

    class Meta:
        model = Deployment
        fields: tuple[str, ...] = (
            "id", "site", "algorithm", "version", "state", "write_back", "attested_by",
            "suspended_by", "suspended_at", "why",
        )  # fmt: skip
        read_only_fields = fields

    def get_why(self, row: Deployment) -> str:
        """Why it is suspended, in the language of the request."""
        return render(row.suspended_why)


class SignableSerializer(ShapeSerializer[Any]):
    """A state that two people may sign for, and the digest of the gates that they sign."""

    to = OneOf((Deployment.State.VALIDATION, Deployment.State.CLINICAL))
    seen = serializers.CharField()


class DeploymentDetailSerializer(DeploymentSerializer):
    """The deployment with its gates, the signatures that wait, and its moves."""

    gates = serializers.SerializerMethodField()
    signing = serializers.SerializerMethodField()
    waiting = serializers.SerializerMethodField()
    moves = DeploymentMoveSerializer(many=True)

    class Meta(DeploymentSerializer.Meta):
        fields = (*DeploymentSerializer.Meta.fields, "gates", "signing", "waiting", "moves")
        read_only_fields = fields

    @extend_schema_field(GateSerializer(many=True))
    def get_gates(self, row: Deployment) -> Any:
        """The checklist, as it stands now."""
        gates = list(standing(row))
        files = gate_files.behind(owners_of(row, gates))
        shape = GateSerializer(gates, many=True, context={"files": files})  # type: ignore[arg-type]
        return shape.data

    @extend_schema_field(SignableSerializer(many=True))
    def get_signing(self, row: Deployment) -> Any:
        """What may be signed for, and the digest of what one signs: ``seen``."""
        return [
            {"to": to, "seen": digest_of(facts_for(row, to=to))} for to in sorted(signed_for(row))
        ]

    @extend_schema_field(serializers.ListField(child=serializers.DictField()))
    def get_waiting(self, row: Deployment) -> Any:
        """Who has signed, for which state, and waits for a second person."""
        rows = row.signatures.filter(move=None).select_related("user")
        return [{"by": str(one.user), "to": one.to, "at": one.at} for one in rows]


class BeginSerializer(ShapeSerializer[Any]):
    """A version to be taken into use in shadow."""

    site = serializers.CharField(max_length=50)
    algorithm = serializers.CharField(max_length=50)
    version = serializers.CharField(max_length=40)


class SigningSerializer(ShapeSerializer[Any]):
    """The state that is signed for."""

    to = OneOf((Deployment.State.VALIDATION, Deployment.State.CLINICAL))
    seen = Digest(
        required=False, default="",
        help_text="Of the gates as they were told (signing); left out: as they are now.",
    )


class StepSerializer(ShapeSerializer[Any]):
    """A step down, with its reason."""

    to = OneOf(
        (
            Deployment.State.SHADOW, Deployment.State.VALIDATION, Deployment.State.SUSPENDED,
            Deployment.State.RETIRED,
        )
    )  # fmt: skip
    why = LineField(max_length=500)


class VersionNameSerializer(ShapeSerializer[Any]):
    """A version by its name."""

    algorithm = serializers.CharField(source="version.algorithm.code", max_length=50)
    version = serializers.CharField(source="version.version", max_length=40)


class NoticeSerializer(RowSerializer[SafetyNotice]):
    """A field safety notice."""

    code = serializers.CharField(max_length=50, validators=[Checked(identifiers.slug)])
    vendor = serializers.CharField(source="vendor.code", max_length=50)
    title = LineField(max_length=300)
    description = ParagraphsField(max_length=4000, required=False, allow_blank=True)
    versions = VersionNameSerializer(many=True, allow_empty=False)

    class Meta:
        model = SafetyNotice
        fields = (
            "code", "vendor", "title", "action", "description", "received", "is_suspending",
            "versions", "decided_by", "decided_at", "lifted_on", "lifted_by", "lifted_why",
        )  # fmt: skip
        read_only_fields = ("decided_by", "decided_at", "lifted_on", "lifted_by", "lifted_why")


class LiftSerializer(ShapeSerializer[Any]):
    """Why a notice keeps nothing out of use any more."""

    why = LineField(max_length=500)
