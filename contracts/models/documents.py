"""Documents that are kept byte for byte: of a procedure, or of an agreement; never changed."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from contracts.models.agreements import FrameworkAgreement
from contracts.models.procedures import Participant, Procedure
from hub.added_once import AddedOnce


class DocumentIsKept(Exception):  # noqa: N818 (named by what failed)
    """Somebody tried to change or delete a document."""


class Document(AddedOnce):
    """One file with its digest; of a participant where it handed it in, else of the buyer.

    ``content`` is encrypted where ``is_sealed``: what came with a final tender, until all are
    opened.
    """

    refusal = DocumentIsKept

    class Kind(models.TextChoices):
        PROTOCOL = "protocol", _("Protocol")
        JUSTIFICATION = "justification", _("Justification")
        EVIDENCE = "evidence", _("Evidence")
        OTHER = "other", _("Other")

    procedure = models.ForeignKey(
        Procedure, models.PROTECT, null=True, blank=True, related_name="documents"
    )
    framework = models.ForeignKey(
        FrameworkAgreement, models.PROTECT, null=True, blank=True, related_name="documents"
    )
    participant = models.ForeignKey(
        Participant, models.PROTECT, null=True, blank=True, related_name="documents"
    )
    kind = models.CharField(max_length=20, choices=Kind.choices)
    name = models.CharField(max_length=200)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    is_sealed = models.BooleanField(default=False)
    # the buyer shows it to every participant
    is_for_all = models.BooleanField(default=False)
    at = models.DateTimeField()
    by = models.CharField(max_length=200)

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(procedure=None, framework__isnull=False)
                | Q(procedure__isnull=False, framework=None),
                name="document_of_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.sha256[:12]}"
