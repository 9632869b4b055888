"""Who takes part: organisations, sites, the peers beside them, the people, and the audit trail."""

from __future__ import annotations

import zoneinfo
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from hub.access import SiteScopedQuerySet


class Organisation(models.Model):
    """A legal party: a hospital trust, a purchasing agent, a service provider."""

    code = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=40, default="hospital_trust")
    country = models.CharField(max_length=2, default="NO")
    organisation_number = models.CharField(max_length=20, blank=True)
    vat_number = models.CharField(max_length=20, blank=True)
    # GS1 Global Location Number: where electronic documents are sent to
    gln = models.CharField(max_length=13, blank=True)

    def __str__(self) -> str:
        return self.name


class OrganisationRole(models.Model):
    """What an organisation is to the others from one day to another: buyer is not payer."""

    class Role(models.TextChoices):
        PURCHASING_AGENT = "purchasing_agent", _("Purchasing agent")
        CONTRACTING_AUTHORITY = "contracting_authority", _("Contracting authority")
        CONTRACT_HOLDER = "contract_holder", _("Contract holder")
        OPTION_HOLDER = "option_holder", _("Option holder")
        SUPPLIER = "supplier", _("Supplier")
        DATA_CONTROLLER = "data_controller", _("Data controller")

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="roles")
    role = models.CharField(max_length=40, choices=Role.choices)
    valid_from = models.DateField(null=True, blank=True)
    valid_to = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation", "role", "valid_from"],
                name="organisation_role_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation_id} {self.role}"


class SiteQuerySet(SiteScopedQuerySet["Site"]):
    site_path = ""


class Site(models.Model):
    """A hospital of an organisation; every patient row hangs on exactly one site."""

    code = models.SlugField(unique=True)
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="sites")
    name = models.CharField(max_length=200)
    timezone = models.CharField(max_length=64, default="Europe/Oslo")
    # communication party of the Norwegian address registry; unit of the register of units
    her_id = models.CharField(max_length=9, blank=True, default="", db_default="")
    resh_id = models.CharField(max_length=9, blank=True, default="", db_default="")
    # as which it reports examinations and doses to the Norwegian Patient Registry
    npr_activity_unit = models.CharField(max_length=10, blank=True, default="", db_default="")
    npr_dose_unit = models.CharField(max_length=10, blank=True, default="", db_default="")
    # days by kind (routing.retention.KINDS); what is left out is kept for ever
    retention = models.JSONField(default=dict, blank=True)

    objects = SiteQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    @property
    def identifiers(self) -> list[tuple[str, str]]:
        """What registries know it by, each with the name that people give the identifier."""
        named = (
            ("HER-id", self.her_id), ("RESH-id", self.resh_id),
            (_("NPR, activity"), self.npr_activity_unit), (_("NPR, dose"), self.npr_dose_unit),
        )  # fmt: skip
        return [(str(name), number) for name, number in named if number]

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The time zone in which people at this site read times."""
        return zoneinfo.ZoneInfo(self.timezone)


class User(AbstractUser):
    """A person (or a service) that signs in; what it may see hangs on its memberships."""

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    name = models.CharField(max_length=200, blank=True)
    language = models.CharField(max_length=10, blank=True)

    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.name or self.username


class Membership(models.Model):
    """One role of one person, at a site, for an organisation, or everywhere."""

    class Role(models.TextChoices):
        RADIOLOGIST = "radiologist", _("Radiologist")
        PROCUREMENT_OFFICER = "procurement_officer", _("Procurement officer")
        ADMINISTRATOR = "administrator", _("IT administrator")

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=40, choices=Role.choices)
    site = models.ForeignKey(Site, models.PROTECT, null=True, blank=True)
    organisation = models.ForeignKey(Organisation, models.PROTECT, null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "role", "site"],
                condition=models.Q(site__isnull=False),
                name="membership_once_at_site",
            ),
            models.UniqueConstraint(
                fields=["user", "role", "organisation"],
                condition=models.Q(site__isnull=True, organisation__isnull=False),
                name="membership_once_for_organisation",
            ),
            models.UniqueConstraint(
                fields=["user", "role"],
                condition=models.Q(site__isnull=True, organisation__isnull=True),
                name="membership_once_everywhere",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"


class Node(models.Model):
    """A DICOM or HL7 peer of a site (PS3.8 application entity; HL7 sending application)."""

    class Protocol(models.TextChoices):
        DICOM = "dicom", "DICOM"
        HL7 = "hl7", "HL7"

    code = models.SlugField(unique=True)
    site = models.ForeignKey(Site, models.PROTECT, related_name="nodes")
    protocol = models.CharField(max_length=10, choices=Protocol.choices)
    ae_title = models.CharField(max_length=16, blank=True)
    host = models.CharField(max_length=255, blank=True)
    port = models.PositiveIntegerField(null=True, blank=True)
    # dicom: source, results, archive; hl7: orders, results, priority
    roles = models.JSONField(default=list)
    # dicom: whether what it answered with Success is asked for: none, query
    confirm = models.CharField(max_length=12, default="none")
    # hl7: version, receiving_application, receiving_facility, charset, priority_message
    hl7 = models.JSONField(default=dict, blank=True)

    objects: ClassVar[SiteScopedQuerySet[Node]] = SiteScopedQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["ae_title", "host"],
                condition=models.Q(protocol="dicom"),
                name="node_ae_title_once_per_host",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    def has_role(self, role: str) -> bool:
        """Whether the set-up file gives this peer the role."""
        return role in self.roles


class AuditEvent(models.Model):
    """Who saw, accepted, replayed or changed what; rows are only ever added."""

    at = models.DateTimeField(db_index=True)
    actor = models.CharField(max_length=200)
    action = models.CharField(max_length=60, db_index=True)
    site = models.ForeignKey(Site, models.PROTECT, null=True, blank=True)
    subject = models.CharField(max_length=200, blank=True)
    details = models.JSONField(default=dict, blank=True)

    objects: ClassVar[SiteScopedQuerySet[AuditEvent]] = SiteScopedQuerySet.as_manager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.action} {self.subject}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the row; a second save is refused, because the trail is append-only."""
        if self.pk is not None:
            raise AuditTrailIsAppendOnly(f"audit event {self.pk} cannot be changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refused always."""
        raise AuditTrailIsAppendOnly(f"audit event {self.pk} cannot be deleted")


class AuditTrailIsAppendOnly(Exception):
    """Somebody tried to change or delete an audit event."""
