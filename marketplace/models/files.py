"""Files of evidence behind a gate of a deployment, and behind what is claimed of an algorithm."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace.models.algorithms import Algorithm, AlgorithmVersion
from marketplace.models.deployments import Deployment, Gate
from vendors.models.files import HandedIn


class GateFile(HandedIn):
    """A file on which a gate is decided; it may be there before the decision."""

    deployment = models.ForeignKey(Deployment, models.PROTECT, related_name="files")
    gate = models.CharField(max_length=30, choices=Gate.Kind.choices)

    class Meta:
        ordering: ClassVar = ["pk"]


class PaperFile(HandedIn):
    """A paper of a version, or the text of a reference of the evidence matrix."""

    class Kind(models.TextChoices):
        CERTIFICATE = "certificate", _("Certificate of the notified body")
        DECLARATION = "declaration", _("Declaration of conformity")
        IFU = "ifu", _("Instructions for use")
        CLINICAL_EVALUATION = "clinical_evaluation", _("Clinical evaluation")
        OTHER = "other", _("Other")
        REFERENCE = "reference", _("Reference")

    algorithm = models.ForeignKey(Algorithm, models.PROTECT, related_name="papers")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    version = models.ForeignKey(
        AlgorithmVersion, models.PROTECT, null=True, blank=True, related_name="papers"
    )
    # DOI, PubMed ID or address, as the evidence matrix has it
    reference = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar = ["pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=(Q(kind="reference", version=None) & ~Q(reference=""))
                | (~Q(kind="reference") & Q(version__isnull=False, reference="")),
                name="paper_of_a_version_or_reference",
            ),
        ]
