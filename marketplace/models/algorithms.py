"""Algorithms on offer, and the clearance behind each version."""

from __future__ import annotations

import json
from functools import lru_cache

from django.db import models

from vendors.manifest import Manifest
from vendors.models import Vendor
from vendors.signatures import verify


class Algorithm(models.Model):
    """What a vendor sells, whatever its version."""

    code = models.SlugField(unique=True)
    vendor = models.ForeignKey(Vendor, models.PROTECT, related_name="algorithms")
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    # words of people for what it looks at, where the manifest names no BodyPartExamined
    body_parts = models.JSONField(default=list, blank=True)

    def __str__(self) -> str:
        return self.name


class AlgorithmVersion(models.Model):
    """One released version, as its manifest declares it."""

    algorithm = models.ForeignKey(Algorithm, models.PROTECT, related_name="versions")
    version = models.CharField(max_length=40)
    manifest = models.JSONField()
    # path of the manifest in the set-up file, so that export can write it back
    manifest_name = models.CharField(max_length=255, blank=True)
    # what the vendor signed of the image, and the signature; both in base64
    signature_payload = models.TextField(blank=True)
    signature_value = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["algorithm", "version"], name="version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.algorithm.name} {self.version}"

    @property
    def declared(self) -> Manifest:
        """The manifest as a frozen value."""
        return _declared(json.dumps(self.manifest))

    def require_signature(self) -> None:
        """Raise SignatureRefused where the vendor has a key that did not sign this image."""
        image, key = self.declared.performer.image, self.algorithm.vendor.signing_key
        if image and key:
            verify(
                image=image, payload=self.signature_payload, signature=self.signature_value,
                signing_key=key,
            )  # fmt: skip


@lru_cache(maxsize=1024)
def _declared(manifest: str) -> Manifest:
    """Held against the schema once, not for every study."""
    return Manifest.from_json(json.loads(manifest))


class Clearance(models.Model):
    """The CE mark of one version: regime, class, certificate, notified body, UDI-DI."""

    version = models.OneToOneField(
        AlgorithmVersion, models.CASCADE, related_name="clearance"
    )
    regime = models.CharField(max_length=20, default="MDR")
    risk_class = models.CharField(max_length=10)
    certificate_number = models.CharField(max_length=80, blank=True)
    notified_body = models.CharField(max_length=10, blank=True)
    issued = models.DateField(null=True, blank=True)
    expires = models.DateField(null=True, blank=True)
    udi_di = models.CharField(max_length=40, blank=True)
    basic_udi_di = models.CharField(max_length=40, blank=True)
    intended_use = models.TextField(blank=True)
    # the first day of the CE mark, which is older than the certificate in force where that is a
    # renewal
    ce_marked = models.DateField(null=True, blank=True)
    certificate_kind = models.CharField(max_length=20, blank=True)
    certificate_scope = models.TextField(blank=True)
    notified_body_name = models.CharField(max_length=200, blank=True)
    emdn_code = models.CharField(max_length=20, blank=True)
    ifu = models.CharField(max_length=300, blank=True)
    declaration = models.CharField(max_length=300, blank=True)
    # what MDR Art. 120(3c) asks of a legacy device that is to stay on the market
    mdr_class = models.CharField(max_length=10, blank=True)
    application_lodged = models.DateField(null=True, blank=True)
    agreement_signed = models.DateField(null=True, blank=True)
    is_unchanged = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.regime} {self.risk_class} {self.certificate_number}"
