"""What comes with a version and is read by people: its parts (SBOM) and its model card."""

from __future__ import annotations

from django.db import models

from marketplace.models.algorithms import AlgorithmVersion


class Sbom(models.Model):
    """The software bill of materials of an image, as CycloneDX or SPDX in JSON, kept as it came."""

    version = models.OneToOneField(AlgorithmVersion, models.CASCADE, related_name="sbom")
    document = models.JSONField()
    # path of the document in the set-up file, so that export can write it back
    document_name = models.CharField(max_length=255, blank=True)

    def __str__(self) -> str:
        return f"SBOM of {self.version_id}"


class ModelCard(models.Model):
    """The applied model card (CHAI), as a mapping of the names of its elements."""

    version = models.OneToOneField(AlgorithmVersion, models.CASCADE, related_name="model_card")
    document = models.JSONField()
    document_name = models.CharField(max_length=255, blank=True)

    def __str__(self) -> str:
        return f"model card of {self.version_id}"
