"""Files of evidence: their bytes, each kept once, and of what they are evidence."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from hub.added_once import AddedOnce
from vendors.models.onboarding import OnboardingItem
from vendors.models.suppliers import Vendor


class EvidenceIsKept(Exception):  # noqa: N818 (named by what failed)
    """Somebody tried to change or delete a file of evidence."""


class KeptFile(AddedOnce):
    """Bytes with their digest; who may have them is said by the rows that refer to them."""

    refusal = EvidenceIsKept

    sha256 = models.CharField(max_length=64, unique=True)
    size = models.PositiveIntegerField()
    content = models.BinaryField()

    def __str__(self) -> str:
        return self.sha256[:12]


class HandedIn(AddedOnce):
    """A file as it was handed in for something; a newer one may take its place, and it stays."""

    refusal = EvidenceIsKept

    file = models.ForeignKey(KeptFile, models.PROTECT, related_name="+")
    name = models.CharField(max_length=200)
    at = models.DateTimeField()
    by = models.CharField(max_length=200)
    replaces = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="replaced_by"
    )

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    @property
    def is_replaced(self) -> bool:
        """Whether a newer file took its place."""
        return getattr(self, "replaced_by", None) is not None


class OnboardingFile(HandedIn):
    """A file that shows what an item of the checklist of a vendor asks for."""

    vendor = models.ForeignKey(Vendor, models.PROTECT, related_name="files")
    item = models.CharField(max_length=20, choices=OnboardingItem.Kind.choices)

    class Meta:
        ordering: ClassVar = ["pk"]
