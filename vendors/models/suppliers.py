"""The companies that supply algorithms."""

from django.db import models


class Vendor(models.Model):
    """A supplier; ``srn`` is its single registration number in EUDAMED (MDR Art. 31)."""

    code = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    country = models.CharField(max_length=2, default="NO")
    organisation_number = models.CharField(max_length=20, blank=True)
    srn = models.CharField(max_length=20, blank=True)
    # public keys in PEM; where there is one, no image of the vendor runs without a signature
    signing_key = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.name
