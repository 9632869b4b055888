"""What may be taken up later: an organisation that may join, a further year, a further module."""

from __future__ import annotations

from datetime import date

from django.db import models
from django.utils.translation import gettext_lazy as _

from contracts.models.agreements import Authority, FrameworkAgreement


class OptionState(models.TextChoices):
    """How far an option has come."""

    DECLARED = "declared", _("Declared")
    EXERCISED = "exercised", _("Exercised")
    ACTIVE = "active", _("Active")
    LAPSED = "lapsed", _("Lapsed")
    DECLINED = "declined", _("Declined")


class Option(models.Model):
    """What every option has: a state, until when it may be exercised, and who did."""

    state = models.CharField(
        max_length=12, choices=OptionState.choices, default=OptionState.DECLARED
    )
    exercise_by = models.DateField(null=True, blank=True)
    # the day of the declaration, which may lie before the day on which the hub was told
    exercised = models.DateField(null=True, blank=True)
    exercised_by = models.CharField(max_length=200, blank=True)

    class Meta:
        abstract = True

    def state_on(self, day: date) -> str:
        """The state on a day: one that nobody exercised in time has lapsed by itself."""
        is_late = self.exercise_by is not None and day > self.exercise_by
        if self.state == OptionState.DECLARED and is_late:
            return OptionState.LAPSED.value
        return self.state


class AuthorityOption(Option):
    """The option of a named organisation to join the agreement."""

    authority = models.OneToOneField(Authority, models.CASCADE, related_name="option")
    is_in_notice = models.BooleanField(default=True)
    joinder_document = models.CharField(max_length=300, blank=True)
    own_estimate = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    # what it meant to buy at most: a warning, where the maximum of the agreement is a hard stop
    soft_cap = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)

    def __str__(self) -> str:
        return f"option of {self.authority_id}: {self.state}"


class TermOption(Option):
    """The option to extend an agreement in time, or in what can be bought under it."""

    class Kind(models.TextChoices):
        EXTENSION = "extension", _("Extension")
        VOLUME = "volume", _("Volume")
        MODULE = "module", _("Module")
        ALGORITHM_CATEGORY = "algorithm_category", _("Category of algorithms")

    framework = models.ForeignKey(FrameworkAgreement, models.CASCADE, related_name="term_options")
    code = models.CharField(max_length=40)
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.EXTENSION)
    months = models.PositiveIntegerField(null=True, blank=True)
    description = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["framework", "code"], name="term_option_once"),
        ]

    def __str__(self) -> str:
        return f"{self.code}: {self.state}"

    def state_on(self, day: date) -> str:
        """As of every option; an agreement that is over can no longer be extended."""
        is_over = self.kind == self.Kind.EXTENSION and day > self.framework.valid_to
        if self.state == OptionState.DECLARED and is_over:
            return OptionState.LAPSED.value
        return super().state_on(day)
