"""What organisations order under framework agreements."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from contracts.models.agreements import FrameworkAgreement, Priced
from hub.access import CONTRACT_ROLES, organisations_of
from hub.models import Organisation, Site, User
from marketplace.models import Algorithm
from vendors.models import Vendor

if TYPE_CHECKING:
    from contracts.models.procedures import Procedure


class CallOffQuerySet(models.QuerySet["CallOff"]):
    """Call-offs, and who may see which."""

    def visible_to(self, user: Any, roles: tuple[str, ...] = CONTRACT_ROLES) -> Self:
        """Those of the user's organisations, and of others under an agreement that these oversee.

        Two buyers under one agreement never see what the other ordered.
        """
        mine = organisations_of(user, roles=roles)
        if mine is None:
            return self
        overseen = FrameworkAgreement.objects.overseen_by(user, roles)
        return self.filter(
            Q(organisation__in=mine) | Q(framework__in=overseen.values("pk"))
        )


class CallOff(models.Model):
    """What one organisation orders under a framework agreement."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        APPROVED = "approved", _("Approved")
        ORDERED = "ordered", _("Ordered")
        ACTIVE = "active", _("Active")
        CLOSED = "closed", _("Closed")
        CANCELLED = "cancelled", _("Cancelled")

    class Mode(models.TextChoices):
        DIRECT = "direct", _("Direct")
        MINI_COMPETITION = "mini_competition", _("Mini-competition")
        SUPPLEMENTED_TENDER = "supplemented_tender", _("Supplemented tender")

    code = models.CharField(max_length=40, unique=True)
    framework = models.ForeignKey(FrameworkAgreement, models.PROTECT, related_name="call_offs")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="call_offs")
    state = models.CharField(max_length=20, choices=State.choices, default=State.ACTIVE)
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)
    # what is used, and what costs by time, ends with it; None: not closed, or nobody knows when
    closed_at = models.DateTimeField(null=True, blank=True)
    mode = models.CharField(max_length=20, choices=Mode.choices, default=Mode.DIRECT)
    lot = models.CharField(max_length=40, blank=True)
    # empty: the first supplier of the agreement
    supplier = models.ForeignKey(Vendor, models.PROTECT, null=True, blank=True, related_name="+")
    estimated_value = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    committed_value = models.DecimalField(max_digits=14, decimal_places=2, default=Decimal(0))
    invoiced_to_date = models.DecimalField(max_digits=14, decimal_places=2, default=Decimal(0))
    cost_centre = models.CharField(max_length=80, blank=True)
    buyer_reference = models.CharField(max_length=80, blank=True)

    objects: ClassVar[CallOffQuerySet] = CallOffQuerySet.as_manager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.code

    @property
    def sold_by(self) -> Vendor:
        """Who delivers, and whose invoices it has."""
        return self.supplier or self.framework.supplier

    @property
    def competition(self) -> Procedure | None:
        """The mini-competition that led to it."""
        found: CallOffCompetition | None = getattr(self, "competed", None)
        return found.competition if found else None


class CallOffLine(models.Model):
    """One algorithm at one site, from its day of activation."""

    call_off = models.ForeignKey(CallOff, models.CASCADE, related_name="lines")
    algorithm = models.ForeignKey(Algorithm, models.PROTECT, related_name="+")
    site = models.ForeignKey(Site, models.PROTECT, related_name="+")
    activated = models.DateField()
    volume_estimate = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["call_off", "algorithm", "site"], name="call_off_line_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.call_off_id} {self.algorithm_id} {self.site_id}"


class CallOffCompetition(models.Model):
    """The mini-competition that led to a call-off; one may lead to several call-offs.

    A call-off of that mode without it was ordered before call-offs named their competition.
    """

    call_off = models.OneToOneField(CallOff, models.CASCADE, related_name="competed")
    competition = models.ForeignKey(
        "contracts.Procedure", models.PROTECT, related_name="led_to"
    )

    def __str__(self) -> str:
        return f"{self.call_off_id} from {self.competition_id}"


class CallOffPrice(Priced):
    """What one algorithm costs under one call-off, where that is not what the agreement has.

    From the first examination that is counted at it the database refuses to change, remove or add
    one.
    """

    call_off = models.ForeignKey(CallOff, models.CASCADE, related_name="price_book")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["call_off", "algorithm"],
                condition=models.Q(valid_from=None),
                name="own_price_once",
            ),
            models.UniqueConstraint(
                fields=["call_off", "algorithm", "valid_from"], name="own_price_version_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.call_off_id} {self.algorithm_id} {self.model}"


class CallOffAmount(models.Model):
    """An amount that a call-off costs beside its prices: once, or for each contract year."""

    class Per(models.TextChoices):
        ONCE = "once", _("once")
        YEAR = "year", _("a year")

    call_off = models.ForeignKey(CallOff, models.CASCADE, related_name="fixed")
    name = models.CharField(max_length=200)
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    per = models.CharField(max_length=10, choices=Per.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["call_off", "name"], name="own_amount_once"),
        ]

    def __str__(self) -> str:
        return f"{self.call_off_id} {self.name}"


class CallOffApproval(models.Model):
    """One person's word for what the call-off said then; two of them approve it. Never edited."""

    call_off = models.ForeignKey(CallOff, models.PROTECT, related_name="approvals")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    at = models.DateTimeField()
    # SHA-256 of what was approved: a call-off that was changed since is not what they approved
    fingerprint = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["call_off", "user", "fingerprint"], name="approval_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.call_off_id} by {self.user_id}"
