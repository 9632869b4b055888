"""The people of a vendor, and how they are let in."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from hub.models import User
from vendors.models.suppliers import Vendor


class VendorMember(models.Model):
    """A person who sees one company: its own. It holds no role, so it sees nothing else."""

    user = models.OneToOneField(User, models.CASCADE, related_name="vendor_membership")
    vendor = models.ForeignKey(Vendor, models.PROTECT, related_name="people")

    def __str__(self) -> str:
        return f"{self.user_id} of {self.vendor_id}"


class Invitation(models.Model):
    """Lets one person of a vendor make an account; the code is kept as a hash, and ends."""

    vendor = models.ForeignKey(Vendor, models.CASCADE, related_name="invitations")
    name = models.CharField(max_length=200)
    email = models.CharField(max_length=254)
    digest = models.CharField(max_length=64, unique=True)
    invited_by = models.CharField(max_length=200)
    invited_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    user = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-invited_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.email} of {self.vendor_id}"
