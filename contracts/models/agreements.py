"""Framework agreements, the organisations that they name, and what was agreed on prices."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from hub.access import CONTRACT_ROLES, organisations_of
from hub.models import Organisation
from marketplace.models import Algorithm
from vendors.models import Vendor

# They see, and are told of, all that is called off under the agreement; they do not buy under it.
OVERSEEING = ("purchasing_agent", "contract_holder")


class FrameworkQuerySet(models.QuerySet["FrameworkAgreement"]):
    """Framework agreements, and who may see which."""

    def visible_to(self, user: Any, roles: tuple[str, ...] = CONTRACT_ROLES) -> Self:
        """Those that name an organisation for which the user holds one of ``roles``."""
        mine = organisations_of(user, roles=roles)
        if mine is None:
            return self
        named = Authority.objects.filter(organisation__in=mine).values("framework")
        return self.filter(
            Q(holder__in=mine) | Q(pk__in=named) | Q(call_offs__organisation__in=mine)
        ).distinct()

    def overseen_by(self, user: Any, roles: tuple[str, ...] = CONTRACT_ROLES) -> Self:
        """Those whose holder or purchasing agent the user works for: they see every call-off."""
        mine = organisations_of(user, roles=roles)
        if mine is None:
            return self
        named = Authority.objects.filter(organisation__in=mine, role__in=OVERSEEING)
        return self.filter(Q(holder__in=mine) | Q(pk__in=named.values("framework")))


class FrameworkAgreement(models.Model):
    """An agreement that several organisations share; ``maximum_value`` is a hard stop (C-23/20)."""

    class Technique(models.TextChoices):
        """How it is bought under the agreement (eForms BT-765)."""

        WITHOUT_COMPETITION = "fa-wo-rc", _("Without reopening of competition")
        WITH_COMPETITION = "fa-w-rc", _("With reopening of competition")
        MIXED = "fa-mix", _("Partly with reopening of competition")
        NONE = "none", _("No framework agreement")

    class Ceilings(models.TextChoices):
        """What the price book is to prices that a call-off has of its own."""

        BINDING = "binding", _("Never above the price book")
        GUIDING = "guiding", _("Also above the price book")

    code = models.CharField(max_length=40, unique=True)
    title = models.CharField(max_length=300)
    holder = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    supplier = models.ForeignKey(Vendor, models.PROTECT, related_name="frameworks")
    valid_from = models.DateField()
    valid_to = models.DateField()
    estimated_value = models.DecimalField(max_digits=14, decimal_places=2)
    maximum_value = models.DecimalField(max_digits=14, decimal_places=2)
    currency = models.CharField(max_length=3, default="NOK")
    # how its invoices are taxed: standard, reverse_charge, exempt, out_of_scope
    vat = models.CharField(max_length=20, default="standard")
    technique = models.CharField(max_length=20, choices=Technique.choices, blank=True)
    # whether a call-off may cost more than the price book has it
    ceilings = models.CharField(
        max_length=10, choices=Ceilings.choices, default="guiding", db_default="guiding"
    )
    # why it lasts longer than the law has it (eForms BT-109)
    duration_justification = models.TextField(blank=True)

    objects: ClassVar[FrameworkQuerySet] = FrameworkQuerySet.as_manager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"{self.code} {self.title}"


class Authority(models.Model):
    """An organisation named in a framework agreement, as what and for how long.

    Only a contracting authority, or one whose option was exercised, may call off.
    """

    framework = models.ForeignKey(FrameworkAgreement, models.CASCADE, related_name="authorities")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    role = models.CharField(max_length=40, default="contracting_authority")
    valid_from = models.DateField(null=True, blank=True)
    valid_to = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["framework", "organisation", "role"], name="authority_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.role}"


class Priced(models.Model):
    """What one algorithm costs, from a day on (None: from the first)."""

    algorithm = models.ForeignKey(Algorithm, models.PROTECT, related_name="+")
    valid_from = models.DateField(null=True, blank=True)
    model = models.CharField(max_length=20)
    # tiers, introduction and the further terms of the set-up file, amounts as strings
    terms = models.JSONField(default=dict)

    class Meta:
        abstract = True


class PriceBookEntry(Priced):
    """What one algorithm costs under one framework agreement, as agreed (``terms``).

    A version holds from ``valid_from`` (None: from the first day of the agreement) until the next
    one. Once an examination was counted on or after its first day it is in use, and the database
    refuses to change or remove it.
    """

    framework = models.ForeignKey(FrameworkAgreement, models.CASCADE, related_name="price_book")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["framework", "algorithm"],
                condition=models.Q(valid_from=None),
                name="price_once",
            ),
            models.UniqueConstraint(
                fields=["framework", "algorithm", "valid_from"], name="price_version_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.algorithm_id} {self.model} {self.valid_from or ''}".rstrip()
