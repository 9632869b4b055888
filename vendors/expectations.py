"""What the schemas beside the code expect, in words: gathered here to be translated."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

EXPECTATIONS = frozenset((
    _("a DICOM UID"),
    _("a DICOM UID, such as '1.2.840.10008.5.1.4.1.1.2'"),
    _("a Defined Term of Modality (0008,0060), such as 'CT'"),
    _("a code with value, scheme and meaning"),
    _("a corner [column, row] of two numbers >= 0"),
    _("a list of 24 numbers, one for each hour from midnight"),
    _("a list of findings"),
    _("a name of at most 50 small letters, digits and -, such as 'ich-triage'"),
    _("a name of small letters, digits and -"),
    _("a number from 0 to 1"),
    _("a number of processors such as '2', '0.5' or '500m'"),
    _("a text of 1 to 16 characters on one line, without control characters and backslashes"),
    _("a text of 1 to 64 characters"),
    _("a text of 1 to 64 characters on one line, without control characters and backslashes"),
    _("a text without U+0000"),
    _("a version of at most 40 letters, digits and . + _ -, such as '1.0.0'"),
    _("an amount of memory such as '512Mi' or '4Gi'"),
    _("an image by digest, name@sha256: and 64 hexadecimal digits"),
    _("an image by digest, name@sha256: and 64 hexadecimal digits (a tag is refused)"),
    _("an object with at_least, at_most or both"),
    _("at least 3 corners, each [column, row]"),
    _("no findings, as the outcome is not_analysed"),
    _("the program and its arguments, at least one"),
    _("why it was not analysed"),
    _("{constant: s}, {exponential: mean}, {median: s, p95: s} (lognormal) "
      "or {low: s, high: s} (uniform)"),  # fmt: skip
))  # fmt: skip
