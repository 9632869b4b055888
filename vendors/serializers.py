"""The shapes in which the API tells about vendors, their checklist and their people."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from knox.models import AuthToken
from rest_framework import serializers

from hub.api import Checked, DoubtSerializer, OneOf, RowSerializer, ShapeSerializer
from hub.configuration import identifiers
from hub.configuration.doubts import doubts_of
from hub.models import User
from vendors.models import Invitation, OnboardingItem, SubProcessor, Vendor
from vendors.onboarding import checklist, is_complete
from vendors.setup import TRANSFER_BASES
from vendors.setup_files import SHA256


class LineField(serializers.CharField):
    """One line of text that a person can read."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 200} | kwargs)
        self.validators.append(Checked(identifiers.one_line))


class ParagraphsField(serializers.CharField):
    """Text of several lines, without control characters."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 2000} | kwargs)
        self.validators.append(Checked(identifiers.paragraphs))


class OnboardingItemSerializer(RowSerializer[OnboardingItem]):
    """One line of the checklist."""

    item = serializers.CharField(source="kind")
    title = serializers.CharField(source="get_kind_display")

    class Meta:
        model = OnboardingItem
        fields = (
            "item", "title", "state", "evidence", "sha256", "owner", "dated", "due",
            "valid_until", "submitted_by", "submitted_at", "decided_by", "decided_on", "comment",
        )  # fmt: skip
        read_only_fields = fields


class SubProcessorSerializer(RowSerializer[SubProcessor]):
    """Who else handles personal data for a vendor."""

    name = LineField()
    purpose = LineField(max_length=300)
    country = serializers.CharField(validators=[Checked(identifiers.country)])
    transfer_basis = OneOf(
        TRANSFER_BASES, required=False, allow_blank=True, default=""
    )

    class Meta:
        model = SubProcessor
        fields = ("name", "country", "purpose", "transfer_basis")


class VendorSerializer(RowSerializer[Vendor]):
    """A company that supplies algorithms."""

    class Meta:
        model = Vendor
        fields: tuple[str, ...] = ("code", "name", "country", "organisation_number", "srn")
        read_only_fields = fields


class CompanySerializer(ShapeSerializer[Vendor]):
    """What is known of a company; judged by the rules of the set-up file."""

    name = LineField()
    country = serializers.CharField(max_length=2, default="NO")
    organisation_number = serializers.CharField(
        max_length=20, required=False, allow_blank=True, default=""
    )
    srn = serializers.CharField(max_length=20, required=False, allow_blank=True, default="")
    signing_key = ParagraphsField(max_length=8000, required=False, allow_blank=True, default="")


class NewCompanySerializer(CompanySerializer):
    """A company that is not on record yet."""

    code = serializers.SlugField(max_length=50)


class VendorDetailSerializer(VendorSerializer):
    """The company with its checklist and those who handle data for it."""

    onboarding = serializers.SerializerMethodField()
    is_complete = serializers.SerializerMethodField()
    sub_processors = SubProcessorSerializer(many=True, read_only=True)
    warnings = serializers.SerializerMethodField()

    class Meta(VendorSerializer.Meta):
        fields = (
            *VendorSerializer.Meta.fields, "is_complete", "onboarding", "sub_processors",
            "warnings",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(OnboardingItemSerializer(many=True))
    def get_onboarding(self, row: Vendor) -> Any:
        """Every item, also those that nobody has touched."""
        return OnboardingItemSerializer(checklist(row), many=True).data

    @extend_schema_field(DoubtSerializer(many=True))
    def get_warnings(self, row: Vendor) -> Any:
        """What somebody should look at."""
        return DoubtSerializer(doubts_of("vendor", row), many=True).data

    def get_is_complete(self, row: Vendor) -> bool:
        """Whether every item is accepted and valid."""
        return is_complete(checklist(row), on=timezone.localdate())


class ShownSerializer(ShapeSerializer[Any]):
    """What is handed in for one item."""

    evidence = ParagraphsField(required=False, allow_blank=True, default="")
    sha256 = serializers.CharField(
        required=False, allow_blank=True, default="", validators=[Checked(SHA256)]
    )
    owner = LineField(required=False, default="", allow_blank=True)
    dated = serializers.DateField(required=False, allow_null=True, default=None)
    due = serializers.DateField(required=False, allow_null=True, default=None)
    valid_until = serializers.DateField(required=False, allow_null=True, default=None)


class VerdictOnItemSerializer(ShapeSerializer[Any]):
    """Whether an item is accepted, and what is to be said of it."""

    is_accepted = serializers.BooleanField()
    comment = ParagraphsField(required=False, default="", allow_blank=True)


class InvitationSerializer(RowSerializer[Invitation]):
    """An invitation; its code is told once, to who made it."""

    name = LineField()
    email = serializers.EmailField()

    class Meta:
        model = Invitation
        fields: tuple[str, ...] = (
            "id", "name", "email", "invited_by", "invited_at", "expires_at", "accepted_at",
            "withdrawn_at",
        )  # fmt: skip
        read_only_fields = (
            "id", "invited_by", "invited_at", "expires_at", "accepted_at", "withdrawn_at"
        )


class NewInvitationSerializer(InvitationSerializer):
    """The invitation with its code."""

    code = serializers.CharField(read_only=True)

    class Meta(InvitationSerializer.Meta):
        fields = (*InvitationSerializer.Meta.fields, "code")


class AcceptingSerializer(ShapeSerializer[Any]):
    """What a person of a vendor gives to take up an invitation."""

    code = serializers.CharField(max_length=100)
    username = serializers.CharField(max_length=150, validators=[Checked(identifiers.username)])
    password = serializers.CharField(max_length=200, trim_whitespace=False)


class PersonSerializer(RowSerializer[User]):
    """A person of a vendor."""

    class Meta:
        model = User
        fields = ("username", "name", "email")
        read_only_fields = fields


class JoinedSerializer(ShapeSerializer[Any]):
    """The account that was made."""

    username = serializers.CharField()
    vendor = serializers.CharField()


class TokenSerializer(RowSerializer[AuthToken]):
    """A token of one's own, without what it opens."""

    key = serializers.CharField(source="token_key")

    class Meta:
        model = AuthToken
        fields: tuple[str, ...] = ("key", "created", "expiry")
        read_only_fields = fields


class TokenRequestSerializer(ShapeSerializer[Any]):
    """For how many days a token is to hold."""

    days = serializers.IntegerField(min_value=1, max_value=3660, required=False)


class NewTokenSerializer(TokenSerializer):
    """The token itself, which is told this once."""

    token = serializers.CharField(read_only=True)

    class Meta(TokenSerializer.Meta):
        fields = (*TokenSerializer.Meta.fields, "token")
        read_only_fields = fields


class LegalFactSerializer(ShapeSerializer[Any]):
    """A fact of law that holds today."""

    code = serializers.CharField()
    since = serializers.DateField()
    value = serializers.JSONField()
    source = serializers.CharField()  # type: ignore[assignment]
