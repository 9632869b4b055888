"""The shapes in which the API tells about algorithms, their papers, deployments and notices."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from hub.api import Checked, OneOf, RowSerializer, ShapeSerializer
from hub.configuration import identifiers
from marketplace import sboms
from marketplace.catalogue import Entry
from marketplace.models import (
    AlgorithmVersion,
    Clearance,
    Evidence,
)
from marketplace.setup import CERTIFICATE_KINDS, REGIMES, RISK_CLASSES
from vendors.serializers import LineField, ParagraphsField


def _risk_class(text: str) -> str:
    """What was expected of a risk class; nothing where it is one."""
    known = ", ".join(RISK_CLASSES)
    return "" if text in RISK_CLASSES else _("one of %(known)s") % {"known": known}


class EvidenceSerializer(RowSerializer[Evidence]):
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


class ClearanceSerializer(RowSerializer[Clearance]):
    """The CE mark of a version."""

    regime = OneOf(REGIMES)
    risk_class = OneOf(RISK_CLASSES)
    mdr_class = serializers.CharField(
        required=False, allow_blank=True, max_length=10, validators=[Checked(_risk_class)]
    )
    certificate_kind = OneOf(
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
    basic_udi_di = LineField(
        max_length=40, required=False, allow_blank=True,
        validators=[Checked(identifiers.basic_udi_di)],
    )  # fmt: skip
    intended_use = ParagraphsField(max_length=4000, required=False, allow_blank=True)
    emdn_code = LineField(max_length=20, required=False, allow_blank=True)
    ifu = LineField(max_length=300, required=False, allow_blank=True)
    declaration = LineField(max_length=300, required=False, allow_blank=True)

    class Meta:
        model = Clearance
        exclude = ("id", "version")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A certificate ends after it was issued."""
        issued, expires = attrs.get("issued"), attrs.get("expires")
        if issued and expires and issued > expires:
            text = _("expected a day from %(day)s on, found %(found)s")
            told = text % {"day": issued, "found": expires}
            raise serializers.ValidationError({"expires": [told]})
        return attrs


class SbomSerializer(ShapeSerializer[Any]):
    """What stands in a bill of materials, in numbers."""

    format = serializers.CharField()
    made_at = serializers.CharField()
    subject = serializers.CharField()
    components = serializers.IntegerField()
    without_version = serializers.IntegerField()
    without_licence = serializers.IntegerField()
    licences = serializers.ListField(child=serializers.ListField())


class VersionSerializer(RowSerializer[AlgorithmVersion]):
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


class AlgorithmSerializer(ShapeSerializer[Entry]):
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


class OfferSerializer(ShapeSerializer[Any]):
    """A new algorithm."""

    vendor = serializers.CharField(max_length=50)
    code = serializers.CharField(max_length=50, validators=[Checked(identifiers.slug)])
    name = LineField()
    description = ParagraphsField(max_length=4000, required=False, allow_blank=True, default="")


class ReleaseSerializer(ShapeSerializer[Any]):
    """A new version: its manifest, and the signature of its image where the vendor has a key."""

    manifest = serializers.JSONField()
    payload = serializers.CharField(required=False, allow_blank=True, default="", max_length=8000)
    signature = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=1000
    )


class PackageSerializer(ShapeSerializer[Any]):
    """A package of another convention, of which the draft of a manifest is made."""

    packaging = OneOf(("map", "mercure"))
    algorithm = serializers.CharField(max_length=50)
    version = serializers.CharField(max_length=40)
    image = serializers.CharField(max_length=500)
    app = serializers.DictField(required=False, default=dict, help_text="map: app.json")
    package = serializers.DictField(required=False, default=dict, help_text="map: pkg.json")
    module = serializers.DictField(
        required=False, default=dict, help_text="mercure: the entry of the module"
    )


class ManifestDraftSerializer(ShapeSerializer[Any]):
    """The draft, and what is still to be filled in."""

    manifest = serializers.JSONField()
    missing = serializers.ListField(child=serializers.CharField())


class ComparedSerializer(ShapeSerializer[Any]):
    """One thing that is compared: the word of each algorithm, in their order."""

    group = serializers.CharField()
    what = serializers.CharField()
    values = serializers.ListField(child=serializers.CharField())
    differs = serializers.BooleanField()


class ComparisonSerializer(ShapeSerializer[Any]):
    """Up to four algorithms side by side."""

    algorithms = serializers.ListField(child=serializers.CharField())
    rows = ComparedSerializer(many=True)
