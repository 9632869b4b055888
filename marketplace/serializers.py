"""The shapes in which the API tells about algorithms, their papers, deployments and notices."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from hub.configuration import identifiers
from hub.phrases import render
from marketplace import sboms
from marketplace.catalogue import Entry
from marketplace.gates import GATES_FOR, Standing, standing
from marketplace.models import (
    AlgorithmVersion,
    Clearance,
    Deployment,
    DeploymentMove,
    Evidence,
    Gate,
    SafetyNotice,
)
from marketplace.setup import CERTIFICATE_KINDS, REGIMES, RISK_CLASSES
from vendors.serializers import Checked, LineField, ParagraphsField


def _risk_class(text: str) -> str:
    """What was expected of a risk class; nothing where it is one."""
    return "" if text in RISK_CLASSES else f"one of {', '.join(RISK_CLASSES)}"


class EvidenceSerializer(serializers.ModelSerializer[Evidence]):
    """One published reference."""

    reference = LineField()
    title = LineField(max_length=500)
    year = serializers.IntegerField(min_value=1950, max_value=2100)
    design = LineField(max_length=100, required=False, allow_blank=True)
    reference_standard = LineField(required=False, allow_blank=True)
    country = serializers.CharField(
        required=False, allow_blank=True, validators=[Checked(identifiers.country)]
    )
    version_tested = LineField(max_length=40, required=False, allow_blank=True)
    results = ParagraphsField(max_length=4000, required=False, allow_blank=True)

    class Meta:
        model = Evidence
        fields = (
            "id", "reference", "title", "year", "use", "level", "design", "sample_size",
            "is_multicentre", "is_independent", "country", "reference_standard",
            "version_tested", "results",
        )  # fmt: skip
        read_only_fields = ("id",)
        validators = ()


class ClearanceSerializer(serializers.ModelSerializer[Clearance]):
    """The CE mark of a version."""

    regime = serializers.ChoiceField(REGIMES)
    risk_class = serializers.ChoiceField(RISK_CLASSES)
    mdr_class = serializers.CharField(
        required=False, allow_blank=True, max_length=10, validators=[Checked(_risk_class)]
    )
    certificate_kind = serializers.ChoiceField(
        CERTIFICATE_KINDS, required=False, allow_blank=True
    )
    certificate_number = LineField(max_length=80, required=False, allow_blank=True)
    certificate_scope = ParagraphsField(max_length=4000, required=False, allow_blank=True)
    notified_body = serializers.CharField(
        required=False, allow_blank=True, validators=[Checked(identifiers.notified_body)]
    )
    notified_body_name = LineField(required=False, allow_blank=True)
    udi_di = serializers.CharField(
        required=False, allow_blank=True, max_length=40, validators=[Checked(identifiers.udi_di)]
    )
    basic_udi_di = LineField(max_length=40, required=False, allow_blank=True)
    intended_use = ParagraphsField(max_length=4000, required=False, allow_blank=True)
    emdn_code = LineField(max_length=20, required=False, allow_blank=True)
    ifu = LineField(max_length=300, required=False, allow_blank=True)
    declaration = LineField(max_length=300, required=False, allow_blank=True)

    class Meta:
        model = Clearance
        exclude = ("id", "version")

    def validate_basic_udi_di(self, text: str) -> str:
        """The check characters of a Global Model Number (GS1, mod 1021)."""
        if doubt := identifiers.basic_udi_di_doubt(text):
            raise serializers.ValidationError(doubt)
        return text

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A certificate ends after it was issued."""
        issued, expires = attrs.get("issued"), attrs.get("expires")
        if issued and expires and issued > expires:
            text = f"expected a day from {issued} on (issued), found {expires}"
            raise serializers.ValidationError({"expires": [text]})
        return attrs


class SbomSerializer(serializers.Serializer[Any]):
    """What stands in a bill of materials, in numbers."""

    format = serializers.CharField()
    made_at = serializers.CharField()
    subject = serializers.CharField()
    components = serializers.IntegerField()
    without_version = serializers.IntegerField()
    without_licence = serializers.IntegerField()
    licences = serializers.ListField(child=serializers.ListField())


class VersionSerializer(serializers.ModelSerializer[AlgorithmVersion]):
    """One version, with its CE mark and its papers."""

    image = serializers.CharField(source="declared.performer.image")
    packaging = serializers.CharField(source="declared.performer.packaging")
    clearance = ClearanceSerializer(read_only=True, allow_null=True)
    sbom = serializers.SerializerMethodField()
    has_model_card = serializers.SerializerMethodField()
    notices = serializers.SerializerMethodField()

    class Meta:
        model = AlgorithmVersion
        fields = (
            "version", "created_at", "image", "packaging", "manifest", "clearance", "sbom",
            "has_model_card", "notices",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(SbomSerializer(allow_null=True))
    def get_sbom(self, row: AlgorithmVersion) -> Any:
        """Its parts in numbers; null where nobody brought a bill of materials."""
        held = getattr(row, "sbom", None)
        return asdict(sboms.summary(held.document)) if held else None

    def get_has_model_card(self, row: AlgorithmVersion) -> bool:
        """Whether there is a model card."""
        return hasattr(row, "model_card")

    def get_notices(self, row: AlgorithmVersion) -> list[str]:
        """The field safety notices that are open for it."""
        return [one.notice.code for one in row.notices.all() if one.notice.is_open]


class AlgorithmSerializer(serializers.Serializer[Entry]):
    """One algorithm of the catalogue."""

    code = serializers.CharField(source="algorithm.code")
    name = serializers.CharField(source="algorithm.name")
    description = serializers.CharField(source="algorithm.description")
    vendor = serializers.CharField(source="algorithm.vendor.code")
    version = serializers.CharField(source="version.version", allow_null=True, default=None)
    modalities = serializers.ListField(child=serializers.CharField())
    body_parts = serializers.ListField(child=serializers.CharField())
    findings = serializers.ListField(child=serializers.CharField())
    risk_class = serializers.CharField(
        source="clearance.risk_class", allow_null=True, default=None
    )
    ce_year = serializers.IntegerField(allow_null=True)
    level = serializers.CharField()
    alarm = serializers.SerializerMethodField()

    def get_alarm(self, entry: Entry) -> str:
        """What ends within 180 days, in a sentence; empty where nothing does."""
        alarm = entry.alarm
        return str(alarm.why) if alarm and alarm.days <= 180 else ""


class AlgorithmDetailSerializer(AlgorithmSerializer):
    """The algorithm with its evidence matrix and its versions."""

    validation = EvidenceSerializer(many=True)
    clinical = EvidenceSerializer(many=True)
    versions = VersionSerializer(many=True, source="algorithm.versions")


class OfferSerializer(serializers.Serializer[Any]):
    """A new algorithm."""

    vendor = serializers.CharField(max_length=50)
    code = serializers.CharField(max_length=50, validators=[Checked(identifiers.slug)])
    name = LineField()
    description = ParagraphsField(max_length=4000, required=False, allow_blank=True, default="")


class ReleaseSerializer(serializers.Serializer[Any]):
    """A new version: its manifest, and the signature of its image where the vendor has a key."""

    manifest = serializers.JSONField()
    payload = serializers.CharField(required=False, allow_blank=True, default="", max_length=8000)
    signature = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=1000
    )


class PackageSerializer(serializers.Serializer[Any]):
    """A package of another convention, of which the draft of a manifest is made."""

    packaging = serializers.ChoiceField(("map", "mercure"))
    algorithm = serializers.CharField(max_length=50)
    version = serializers.CharField(max_length=40)
    image = serializers.CharField(max_length=500)
    app = serializers.DictField(required=False, default=dict, help_text="map: app.json")
    package = serializers.DictField(required=False, default=dict, help_text="map: pkg.json")
    module = serializers.DictField(
        required=False, default=dict, help_text="mercure: the entry of the module"
    )


class ManifestDraftSerializer(serializers.Serializer[Any]):
    """The draft, and what is still to be filled in."""

    manifest = serializers.JSONField()
    missing = serializers.ListField(child=serializers.CharField())


class ComparisonSerializer(serializers.Serializer[Any]):
    """Up to four algorithms side by side."""

    algorithms = serializers.ListField(child=serializers.CharField())
    rows = serializers.ListField(child=serializers.DictField())


class GateSerializer(serializers.Serializer[Standing]):
    """One gate: whether it stands, why (not), and what was decided."""

    gate = serializers.CharField(source="kind")
    stands = serializers.BooleanField()
    why = serializers.CharField()
    is_attested = serializers.BooleanField()
    is_live = serializers.BooleanField()
    needed_for = serializers.SerializerMethodField()
    decision = serializers.SerializerMethodField()

    def get_needed_for(self, one: Standing) -> list[str]:
        """The states that need it."""
        return [str(state) for state, kinds in GATES_FOR.items() if one.kind in kinds]

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_decision(self, one: Standing) -> Any:
        """The row, or null."""
        return DecisionSerializer(one.gate).data if one.gate else None


class DecisionSerializer(serializers.ModelSerializer[Gate]):
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


class DeploymentMoveSerializer(serializers.ModelSerializer[DeploymentMove]):
    """One move of a deployment."""

    why = serializers.SerializerMethodField()

    class Meta:
        model = DeploymentMove
        fields = ("at", "was", "became", "by", "why")
        read_only_fields = fields

    def get_why(self, row: DeploymentMove) -> str:
        """In the language of the request."""
        return render(row.why)


class DeploymentSerializer(serializers.ModelSerializer[Deployment]):
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


class DeploymentDetailSerializer(DeploymentSerializer):
    """The deployment with its gates, the signatures that wait, and its moves."""

    gates = serializers.SerializerMethodField()
    waiting = serializers.SerializerMethodField()
    moves = DeploymentMoveSerializer(many=True)

    class Meta(DeploymentSerializer.Meta):
        fields = (*DeploymentSerializer.Meta.fields, "gates", "waiting", "moves")
        read_only_fields = fields

    @extend_schema_field(GateSerializer(many=True))
    def get_gates(self, row: Deployment) -> Any:
        """The checklist, as it stands now."""
        return GateSerializer(list(standing(row)), many=True).data  # type: ignore[arg-type]

    @extend_schema_field(serializers.ListField(child=serializers.DictField()))
    def get_waiting(self, row: Deployment) -> Any:
        """Who has signed, for which state, and waits for a second person."""
        rows = row.signatures.filter(move=None).select_related("user")
        return [{"by": str(one.user), "to": one.to, "at": one.at} for one in rows]


class BeginSerializer(serializers.Serializer[Any]):
    """A version to be taken into use in shadow."""

    site = serializers.CharField(max_length=50)
    algorithm = serializers.CharField(max_length=50)
    version = serializers.CharField(max_length=40)


class SigningSerializer(serializers.Serializer[Any]):
    """The state that is signed for."""

    to = serializers.ChoiceField((Deployment.State.VALIDATION, Deployment.State.CLINICAL))


class StepSerializer(serializers.Serializer[Any]):
    """A step down, with its reason."""

    to = serializers.ChoiceField(
        (
            Deployment.State.SHADOW, Deployment.State.VALIDATION, Deployment.State.SUSPENDED,
            Deployment.State.RETIRED,
        )
    )  # fmt: skip
    why = LineField(max_length=500)


class VersionNameSerializer(serializers.Serializer[Any]):
    """A version by its name."""

    algorithm = serializers.CharField(source="version.algorithm.code", max_length=50)
    version = serializers.CharField(source="version.version", max_length=40)


class NoticeSerializer(serializers.ModelSerializer[SafetyNotice]):
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


class LiftSerializer(serializers.Serializer[Any]):
    """Why a notice keeps nothing out of use any more."""

    why = LineField(max_length=500)
