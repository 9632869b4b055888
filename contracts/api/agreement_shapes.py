"""The shapes in which the API tells about organisations, agreements and call-offs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from contracts import approving, offered, reading, utilisation
from contracts.drafting import DraftRefused, asked_again, asked_for
from contracts.models import CallOff, CallOffAmount, FrameworkAgreement, OptionState
from hub.api import Digest, DoubtSerializer, OneOf, ShapeSerializer
from hub.configuration import entries
from hub.configuration.doubts import doubts_of
from marketplace.models import Algorithm
from vendors.models import Vendor

MONEY: dict[str, Any] = {"max_digits": 16, "decimal_places": 2}
ASKED: dict[str, Any] = {"max_digits": 14, "decimal_places": 2, "min_value": Decimal(0)}


class RoleSerializer(ShapeSerializer[Any]):
    """What an organisation is to the others, and when."""

    role = serializers.CharField()
    valid_from = serializers.DateField(allow_null=True)
    valid_to = serializers.DateField(allow_null=True)


class OrganisationSerializer(ShapeSerializer[Any]):
    """A legal party with its identifiers and its dated roles."""

    code = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    country = serializers.CharField()
    organisation_number = serializers.CharField()
    vat_number = serializers.CharField()
    gln = serializers.CharField()
    roles = RoleSerializer(many=True)


class OrganisationDetailSerializer(OrganisationSerializer):
    """The same, with what somebody should look at."""

    warnings = serializers.SerializerMethodField()

    @extend_schema_field(DoubtSerializer(many=True))
    def get_warnings(self, row: Any) -> Any:
        return DoubtSerializer(doubts_of("organisation", row), many=True).data


class UtilisationSerializer(ShapeSerializer[Any]):
    """What is bound of the maximum; ``warning`` is the highest threshold reached, in percent."""

    used = serializers.DecimalField(**MONEY)
    maximum = serializers.DecimalField(**MONEY)
    headroom = serializers.DecimalField(**MONEY)
    percent = serializers.DecimalField(max_digits=20, decimal_places=2)
    warning = serializers.IntegerField(allow_null=True)


class FrameworkSerializer(ShapeSerializer[FrameworkAgreement]):
    """One row of the list of agreements."""

    id = serializers.IntegerField(source="pk")
    code = serializers.CharField()
    title = serializers.CharField()
    holder = serializers.CharField(source="holder.code")
    supplier = serializers.CharField(source="supplier.code")
    valid_from = serializers.DateField()
    valid_to = serializers.DateField()
    technique = serializers.CharField()
    currency = serializers.CharField()
    ceilings = serializers.CharField()
    estimated_value = serializers.DecimalField(**MONEY)
    maximum_value = serializers.DecimalField(**MONEY)
    utilisation = serializers.SerializerMethodField()

    @extend_schema_field(UtilisationSerializer)
    def get_utilisation(self, framework: FrameworkAgreement) -> Any:
        return UtilisationSerializer(utilisation.of_framework(framework)).data


class OptionSerializer(ShapeSerializer[Any]):
    """An option; ``state`` is that of today: one that nobody exercised in time has lapsed."""

    state = serializers.SerializerMethodField()
    exercise_by = serializers.DateField(allow_null=True)
    exercised = serializers.DateField(allow_null=True)
    exercised_by = serializers.CharField()

    @extend_schema_field(OneOf(choices=OptionState.choices))
    def get_state(self, option: Any) -> str:
        return reading.option_state(option)


class AuthorityOptionSerializer(OptionSerializer):
    """The option of an organisation to join."""

    is_in_notice = serializers.BooleanField()
    joinder_document = serializers.CharField()
    own_estimate = serializers.DecimalField(**MONEY, allow_null=True)
    soft_cap = serializers.DecimalField(**MONEY, allow_null=True)

    def to_representation(self, instance: Any) -> Any:
        """What another organisation estimates for itself is not told."""
        told = super().to_representation(instance)
        if not reading.may_see_plans(self.context["request"].user, instance.authority):
            told |= {"joinder_document": "", "own_estimate": None, "soft_cap": None}
        return told


class TermOptionSerializer(OptionSerializer):
    """An option of the agreement itself: more time, volume or modules."""

    code = serializers.CharField()
    kind = serializers.CharField()
    months = serializers.IntegerField(allow_null=True)
    description = serializers.CharField()


class AuthoritySerializer(RoleSerializer):
    """An organisation that the agreement names."""

    organisation = serializers.CharField(source="organisation.code")
    option = AuthorityOptionSerializer(allow_null=True, default=None)


class LotSerializer(ShapeSerializer[Any]):
    """A part of the agreement; ``utilisation`` where it has a maximum of its own."""

    code = serializers.CharField(source="lot.code")
    title = serializers.CharField(source="lot.title")
    estimated_value = serializers.DecimalField(
        **MONEY, allow_null=True, source="lot.estimated_value"
    )
    utilisation = UtilisationSerializer(allow_null=True)


class SupplierSerializer(ShapeSerializer[Any]):
    """A further supplier; ``lot`` is empty for all lots."""

    supplier = serializers.CharField(source="vendor.code")
    lot = serializers.CharField()
    rank = serializers.IntegerField(allow_null=True)


class AmendmentSerializer(ShapeSerializer[Any]):
    """A change after signing, in percent of the original value; by itself, and with all before."""

    number = serializers.IntegerField(source="amendment.number")
    agreed = serializers.DateField(source="amendment.agreed")
    reason = serializers.CharField(source="amendment.reason")
    value_before = serializers.DecimalField(**MONEY, source="amendment.value_before")
    value_after = serializers.DecimalField(**MONEY, source="amendment.value_after")
    description = serializers.CharField(source="amendment.description")
    notice = serializers.CharField(source="amendment.notice")
    percent = serializers.DecimalField(max_digits=20, decimal_places=2, source="step.percent")
    cumulative_percent = serializers.DecimalField(
        max_digits=20, decimal_places=2, source="step.cumulative"
    )
    beyond_the_law = serializers.CharField(source="step.excess")


class PriceSerializer(ShapeSerializer[Any]):
    """What one algorithm costs from a day on, as agreed; null: from the first of the agreement."""

    algorithm = serializers.CharField(source="algorithm.code")
    valid_from = serializers.DateField(allow_null=True)
    model = serializers.CharField()
    terms = serializers.DictField()


class LineSerializer(ShapeSerializer[Any]):
    """One algorithm at one site, from its day of activation."""

    algorithm = serializers.CharField(source="algorithm.code")
    site = serializers.CharField(source="site.code")
    activated = serializers.DateField()
    volume_estimate = serializers.IntegerField()


class ApprovalSerializer(ShapeSerializer[Any]):
    """One person's approval; not current where the call-off was changed since."""

    user = serializers.CharField()
    at = serializers.DateTimeField()
    is_current = serializers.BooleanField()


class AmountSerializer(ShapeSerializer[Any]):
    """An amount beside the prices: once, or for each contract year."""

    name = serializers.CharField(max_length=200)
    amount = serializers.DecimalField(**ASKED)
    per = OneOf(choices=CallOffAmount.Per.choices)


class CallOffSerializer(ShapeSerializer[CallOff]):
    """What one organisation orders; ``moves`` are the states it may be brought to."""

    id = serializers.IntegerField(source="pk")
    code = serializers.CharField()
    framework = serializers.CharField(source="framework.code")
    organisation = serializers.CharField(source="organisation.code")
    state = OneOf(choices=CallOff.State.choices)
    mode = OneOf(choices=CallOff.Mode.choices)
    competition = serializers.SerializerMethodField()
    lot = serializers.CharField()
    supplier = serializers.SerializerMethodField()
    valid_from = serializers.DateField()
    valid_to = serializers.DateField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    estimated_value = serializers.DecimalField(**MONEY, allow_null=True)
    committed_value = serializers.DecimalField(**MONEY)
    invoiced_to_date = serializers.DecimalField(**MONEY)
    cost_centre = serializers.CharField()
    buyer_reference = serializers.CharField()
    lines = LineSerializer(many=True)
    price_book = serializers.SerializerMethodField()
    fixed = serializers.SerializerMethodField()
    fingerprint = serializers.SerializerMethodField()
    approvals = serializers.SerializerMethodField()
    moves = serializers.SerializerMethodField()

    def get_fingerprint(self, call_off: CallOff) -> str:
        """The digest of what an approval is about; who approves sends it as ``seen``."""
        return approving.fingerprint(call_off)

    def get_supplier(self, call_off: CallOff) -> str:
        return (call_off.supplier or call_off.framework.supplier).code

    @extend_schema_field(serializers.ListField(child=serializers.DictField()))
    def get_price_book(self, call_off: CallOff) -> Any:
        """Prices of its own, as a set-up file has them; of a draft also those that its competition
        was won with. What is not here costs what the agreement says.
        """
        return entries.said(offered.said_of(call_off).get("price_book", []))

    @extend_schema_field(AmountSerializer(many=True))
    def get_fixed(self, call_off: CallOff) -> Any:
        """Amounts beside the prices."""
        return offered.said_of(call_off).get("fixed", [])

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_competition(self, call_off: CallOff) -> str | None:
        """The mini-competition that it follows from, by its number."""
        return call_off.competition.code if call_off.competition else None

    @extend_schema_field(ApprovalSerializer(many=True))
    def get_approvals(self, call_off: CallOff) -> Any:
        return ApprovalSerializer(reading.approvals(call_off), many=True).data

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_moves(self, call_off: CallOff) -> list[str]:
        return reading.moves_of(call_off)


class CallOffDetailSerializer(CallOffSerializer):
    """The same, with what somebody should look at."""

    warnings = serializers.SerializerMethodField()

    @extend_schema_field(DoubtSerializer(many=True))
    def get_warnings(self, call_off: CallOff) -> Any:
        return DoubtSerializer(doubts_of("call_off", call_off), many=True).data


class FrameworkDetailSerializer(FrameworkSerializer):
    """One agreement with its parties, options, prices, changes, and the call-offs to be seen."""

    duration_justification = serializers.CharField()
    authorities = AuthoritySerializer(many=True)
    suppliers = SupplierSerializer(many=True)
    lots = serializers.SerializerMethodField()
    term_options = TermOptionSerializer(many=True)
    amendments = serializers.SerializerMethodField()
    price_book = PriceSerializer(many=True)
    call_offs = CallOffSerializer(many=True, source="seen_call_offs")
    warnings = serializers.SerializerMethodField()

    @extend_schema_field(DoubtSerializer(many=True))
    def get_warnings(self, framework: FrameworkAgreement) -> Any:
        return DoubtSerializer(doubts_of("framework", framework), many=True).data

    @extend_schema_field(LotSerializer(many=True))
    def get_lots(self, framework: FrameworkAgreement) -> Any:
        return LotSerializer(reading.lot_utilisations(framework), many=True).data

    @extend_schema_field(AmendmentSerializer(many=True))
    def get_amendments(self, framework: FrameworkAgreement) -> Any:
        return AmendmentSerializer(reading.amendment_steps(framework), many=True).data


# -- what is asked for -----------------------------------------------------------------------------
class CallOffMoveSerializer(ShapeSerializer[Any]):
    """The state a call-off is to go to."""

    state = OneOf(choices=CallOff.State.choices)


class ApprovalRequestSerializer(ShapeSerializer[Any]):
    """What the person has seen; left out: whatever it says now."""

    seen = Digest(
        required=False, default="",
        help_text="The fingerprint of the call-off as it was told.",
    )


class OptionMoveSerializer(ShapeSerializer[Any]):
    """The state an option is to go to."""

    state = OneOf(choices=OptionState.choices)


class LineDraftSerializer(ShapeSerializer[Any]):
    """One algorithm at one site of who buys."""

    algorithm = serializers.SlugRelatedField(slug_field="code", queryset=Algorithm.objects.all())
    site = serializers.CharField(max_length=50)
    activated = serializers.DateField()
    volume_estimate = serializers.IntegerField(min_value=0, max_value=2_147_483_647, default=0)


class DraftSerializer(ShapeSerializer[Any]):
    """A call-off to be drafted."""

    code = serializers.CharField(max_length=40)
    framework = serializers.CharField(max_length=40)
    organisation = serializers.CharField(max_length=50)
    mode = OneOf(choices=CallOff.Mode.choices, default=CallOff.Mode.DIRECT)
    competition = serializers.CharField(
        max_length=40, default=None, allow_null=True, allow_blank=True,
        help_text="mini_competition: the number of the procedure that it follows from.",
    )
    lot = serializers.CharField(max_length=40, default="", allow_blank=True)
    supplier = serializers.SlugRelatedField(
        slug_field="code", queryset=Vendor.objects.all(), allow_null=True, default=None
    )
    valid_from = serializers.DateField()
    valid_to = serializers.DateField(allow_null=True, default=None)
    estimated_value = serializers.DecimalField(**ASKED, allow_null=True, default=None)
    committed_value = serializers.DecimalField(**ASKED)
    cost_centre = serializers.CharField(max_length=80, default="", allow_blank=True)
    buyer_reference = serializers.CharField(max_length=80, default="", allow_blank=True)
    lines = LineDraftSerializer(many=True, allow_empty=False)
    price_book = serializers.ListField(
        child=serializers.DictField(), default=None, allow_null=True, max_length=500,
        help_text="Prices of its own, as a set-up file has them; left out: as they are.",
    )
    fixed = AmountSerializer(many=True, default=None, allow_null=True)

    def validate(self, attrs: Any) -> Any:
        """What the codes mean: rows that the user may see, and may buy for."""
        try:
            return asked_for(self.context["request"].user, attrs)
        except DraftRefused as refused:
            raise serializers.ValidationError({refused.field: [str(refused)]}) from None


class RedraftSerializer(DraftSerializer):
    """All that a draft is to say from now on; what it is called and who buys may be left out."""

    code = serializers.CharField(max_length=40, required=False)
    framework = serializers.CharField(max_length=40, required=False)
    organisation = serializers.CharField(max_length=50, required=False)

    def validate(self, attrs: Any) -> Any:
        """What the codes mean, for the call-off in the context."""
        try:
            return asked_again(self.context["request"].user, self.context["call_off"], attrs)
        except DraftRefused as refused:
            raise serializers.ValidationError({refused.field: [str(refused)]}) from None
