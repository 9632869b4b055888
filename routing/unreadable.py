"""What people are told of a data set that cannot be read; the wires know no languages."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from hub.dicom.headers import UnreadableDataset
from hub.phrases import Phrase, phrase

# Every reason that hub.dicom gives, so that each is in the catalogues.
REASONS = frozenset({
    _("differs from what C-STORE announced"),
    _("ends in the middle of its deflated bytes"),
    _("ends in the middle of the value"),
    _("ends within a sequence"),
    _("inflates to more than 64 MiB before its pixel data"),
    _("is longer than 64 characters"),
    _("is longer than 1024 bytes"),
    _("is missing"),
    _("is not a UID"),
    _("is there twice with different values"),
    _("is too short to be a data set"),
})  # fmt: skip


def reason_of(fault: UnreadableDataset) -> Phrase:
    """The sentence for a fault: which attribute, where it is one, and what is wrong with it."""
    return phrase(
        _("The data set cannot be read: %(field)s %(reason)s"),
        field=fault.field or phrase(_("it")),
        reason=phrase(fault.reason),
    )
