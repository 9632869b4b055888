"""The kind ``vendors`` of the set-up file."""

from __future__ import annotations

from hub.configuration import identifiers, registry
from hub.configuration.participants import CODE, check_organisation_number
from hub.configuration.reader import Value
from hub.configuration.records import Field, Record
from hub.configuration.registry import Kind, Say, World
from hub.configuration.shapes import Text
from vendors.models import Vendor
from vendors.signatures import problem_with_keys


def _examine(value: Value, say: Say, world: World) -> None:
    check_organisation_number(value, say)
    if value["signing_key"] and (expected := problem_with_keys(value["signing_key"])):
        say.error("signing_key", f"expected {expected}")


registry.register(Kind(
    "vendor", "vendors", Vendor,
    says="The companies that supply algorithms.",
    examine=_examine,
    record=Record((
        Field("code", CODE),
        Field("name", Text()),
        Field("country", Text(2, identifiers.country), "NO", "ISO 3166, two letters."),
        Field("organisation_number", Text(20), None, "Checked as for organisations."),
        Field("srn", Text(20, identifiers.srn), None,
              "Single registration number in EUDAMED (MDR Art. 31)."),
        Field("signing_key", Text(8000, identifiers.paragraphs), None,
              "Public keys (ECDSA P-256, PEM) of which one must have signed each image."),
    )),
))  # fmt: skip
