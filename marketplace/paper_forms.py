"""The forms by which algorithms, versions, papers and evidence come into the catalogue."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from hub import forms as base
from marketplace import model_cards
from marketplace.models import Evidence
from marketplace.setup import CERTIFICATE_KINDS, REGIMES, RISK_CLASSES
from vendors.belonging import visible_vendors

LARGEST = 16 * 1024 * 1024
MOST_OF_MANIFEST = 200_000


def json_of(text: str | bytes) -> Any:
    """What a text in JSON says; ValueError where it is none, as the API has it."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError(_("too deep")) from error


def _refuse(word: str) -> Any:
    raise ValueError(_("%(name)s is no JSON") % {"name": word})


class JsonFileField(forms.FileField):
    """A file in JSON; cleaned to what it says."""

    def clean(self, data: Any, initial: Any = None) -> Any:
        """The document; None where none was sent and none is needed."""
        file = super().clean(data, initial)
        if not file:
            return None
        if file.size > LARGEST:
            raise forms.ValidationError(
                _("expected a file of up to %(most)s bytes"), params={"most": LARGEST}
            )
        try:
            return json_of(file.read())
        except ValueError as error:
            raise forms.ValidationError(_("expected a file in JSON")) from error


class OfferForm(base.Form):
    """A new algorithm of the catalogue."""

    vendor = base.row(_("Vendor"))
    code = base.code(_("Code"), most=50)
    name = base.words(_("Name"), most=200)
    description = base.text(_("Description"), needed=False, most=4000)

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        base.set_rows(self, "vendor", visible_vendors(user).order_by("name"))

    def clean_code(self) -> str:
        """No word of an address."""
        code: str = self.cleaned_data["code"]
        if code in ("new", "compare"):
            raise forms.ValidationError(_("expected a code that is not taken"))
        return code


class ReleaseForm(base.Form):
    """A new version, as its manifest declares it."""

    manifest = forms.CharField(
        label=_("Manifest (JSON)"), max_length=MOST_OF_MANIFEST, strip=False,
        widget=forms.Textarea(attrs={"rows": 22, "class": "code", "spellcheck": "false"}),
    )  # fmt: skip
    payload = base.text(
        _("Signed payload of the image"), needed=False, rows=2, most=8000,
        says=_("Where the vendor has a key on record."),
    )  # fmt: skip
    signature = base.words(_("Signature"), most=1000, needed=False)

    def clean_manifest(self) -> Any:
        """What it says; its rules are the verb's."""
        try:
            return json_of(self.cleaned_data["manifest"])
        except ValueError as error:
            raise forms.ValidationError(
                _("expected JSON: %(why)s"), params={"why": error}
            ) from error


class PackageForm(base.Form):
    """A package of another convention, of which a draft of the manifest is made."""

    packaging = base.choice(
        _("Package"), (("map", _("MONAI application package")), ("mercure", _("mercure module")))
    )
    version = base.words(_("Version"), most=40)
    image = base.words(_("Image, with its digest"), most=500)
    app = JsonFileField(label="app.json (MAP)", required=False)
    package = JsonFileField(label="pkg.json (MAP)", required=False)
    module = JsonFileField(label=_("Entry of the module (mercure)"), required=False)


class ClearanceForm(base.Form):
    """The CE mark of a version."""

    regime = base.choice(_("Regime"), [(one, one.replace("_", " ")) for one in REGIMES])
    risk_class = base.choice(
        _("CE class"), [(one, one) for one in RISK_CLASSES], says=_("As certified.")
    )
    udi_di = base.words(
        "UDI-DI", most=40, needed=False,
        says=_("Another one opens the validation at every site again."),
    )  # fmt: skip
    basic_udi_di = base.words("Basic UDI-DI", most=40, needed=False)
    ce_marked = base.day(_("First CE mark"))
    emdn_code = base.words("EMDN", most=20, needed=False)
    certificate_number = base.words(_("Certificate"), most=80, needed=False)
    certificate_kind = base.choice(
        _("Kind"), [(one, one.replace("_", " ")) for one in CERTIFICATE_KINDS], needed=False
    )
    notified_body = base.words(
        _("Notified body"), most=4, needed=False, says=_("Four digits (NANDO).")
    )
    notified_body_name = base.words(_("Its name"), most=200, needed=False)
    issued = base.day(_("Issued"))
    expires = base.day(_("Expires"))
    certificate_scope = base.text(_("Scope"), needed=False, rows=2, most=4000)
    intended_use = base.text(_("Intended use"), needed=False, rows=3, most=4000)
    ifu = base.words(_("Instructions for use"), most=300, needed=False)
    declaration = base.words(_("Declaration of conformity"), most=300, needed=False)
    mdr_class = base.choice(
        _("Class under MDR"), [(one, one) for one in RISK_CLASSES], needed=False,
        says=_("Of a legacy device."),
    )  # fmt: skip
    application_lodged = base.day(_("Application lodged"), says=_("MDR Art. 120(3c)"))
    agreement_signed = base.day(_("Agreement signed"), says=_("MDR Art. 120(3c)"))
    is_unchanged = base.flag(_("without a significant change"))


class EvidenceForm(base.Form):
    """One published reference."""

    reference = base.words(_("Reference"), most=200, says=_("DOI, PubMed ID or address."))
    title = base.words(_("Title"), most=500)
    year = base.whole(_("Year"), most=2100, least=1950, needed=True)
    use = base.choice(_("Column of the matrix"), Evidence.Use.choices)
    level = base.choice(_("Level of efficacy"), Evidence.Level.choices)
    design = base.words(_("Design"), most=100, needed=False)
    sample_size = base.whole(_("Studies"), most=2_147_483_647)
    country = base.words(_("Country"), most=2, needed=False)
    reference_standard = base.words(_("Reference standard"), most=200, needed=False)
    version_tested = base.words(_("Version tested"), most=40, needed=False)
    results = base.text(_("Results"), needed=False, rows=2, most=4000)
    is_multicentre = base.flag(_("multicentre"))
    is_independent = base.flag(_("independent of the vendor"))


class SbomForm(base.Form):
    """A bill of materials."""

    file = JsonFileField(
        label=_("File"), max_length=200, help_text=_("CycloneDX or SPDX 2, in JSON.")
    )


class CardForm(base.Form):
    """An applied model card (CHAI)."""

    file = forms.FileField(
        label=_("File"), max_length=200, help_text=_("JSON, or XML of the published schema.")
    )

    def clean_file(self) -> Any:
        """The card, whichever of the two it came as."""
        file = self.cleaned_data["file"]
        if file.size > model_cards.LARGEST:
            raise forms.ValidationError(
                _("expected a file of up to %(most)s bytes"), params={"most": model_cards.LARGEST}
            )
        raw = file.read()
        try:
            return model_cards.from_xml(raw) if raw.lstrip()[:1] == b"<" else json_of(raw)
        except model_cards.CardInvalid as error:
            raise forms.ValidationError(list(error.problems)) from error
        except ValueError as error:
            raise forms.ValidationError(_("expected a file in JSON or XML")) from error
