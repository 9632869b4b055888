"""The form by which a document is brought."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from contracts.documents import Brought
from contracts.forms import base
from contracts.models import Document


class DocumentForm(base.Form):
    """A file that is kept byte for byte."""

    kind = base.choice(_("Kind"), Document.Kind.choices)
    file = forms.FileField(label=_("File"), max_length=200)
    sha256 = forms.RegexField(
        "^[0-9a-fA-F]{64}$", label="SHA-256", required=False,
        help_text=_("Where given, a file with another digest is refused."),
    )  # fmt: skip

    def brought(self) -> Brought:
        """The file as the verb takes it."""
        said = self.cleaned_data
        return Brought(
            said["kind"], said["file"].name, said["file"].read(), said["sha256"],
            bool(said.get("is_for_all")),
        )  # fmt: skip


class BuyersDocumentForm(DocumentForm):
    """A file of the buyer, which it may show to every participant."""

    is_for_all = base.flag(_("to all participants"))
