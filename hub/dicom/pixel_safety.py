"""In charge of refusing images in whose pixels a patient's name may stand."""

from collections.abc import Mapping
from typing import Final

ALLOW_BURNED_IN: Final = "allow_burned_in_annotation"
ALLOW_UNMARKED: Final = "allow_unmarked_pixels"

_SOP_CLASS_UID: Final = 0x00080016
_IMAGE_TYPE: Final = 0x00080008
_CONVERSION_TYPE: Final = 0x00080064
_BURNED_IN_ANNOTATION: Final = 0x00280301
_ENCAPSULATED_DOCUMENT: Final = 0x00420011

_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
_ENCAPSULATED: Final = f"{_STORAGE}104."
# Screens, ultrasound, and light photographed or filmed: whose pixels bear text as a rule.
_WRITTEN_ON: Final = frozenset(
    _STORAGE + ending
    for ending in ("3", "3.1", "6", "6.1", "6.2", "6.3", "7", "7.1", "7.2", "7.3", "7.4")
    + ("77.1.1", "77.1.1.1", "77.1.2.1", "77.1.4", "77.1.4.1", "77.1.5.1", "77.1.5.2")
)
# PS3.3 C.8.6.1: digitised films and documents, video, and what was drawn or taken off a screen.
_CONVERTED: Final = frozenset(("DV", "DI", "DF", "WSD", "SD", "SI", "DRW"))
_TYPES_WITH_TEXT: Final = frozenset(("SCREEN SAVE", "LABEL", "OVERVIEW", "DOSE_INFO"))


def why_unsafe(header: Mapping[int, bytes], options: frozenset[str]) -> tuple[str, str] | None:
    """Give the reason not to let the pixels leave and the attribute it rests on, or None.

    `header` holds the encoded values of the data set's own level, by tag.
    """
    sop_class = text_of(header, _SOP_CLASS_UID)
    if sop_class.startswith(_ENCAPSULATED) or _ENCAPSULATED_DOCUMENT in header:
        return "an encapsulated document cannot be de-identified", "EncapsulatedDocument"
    if not sop_class.startswith(_STORAGE):
        return "the SOP class is not a storage class of the standard", "SOPClassUID"
    lies_in_pixels = any(_lies_in_pixels(tag, header) for tag in header if tag >> 24 == 0x60)
    if lies_in_pixels and ALLOW_BURNED_IN not in options:
        return "an overlay lies in unused bits of the pixel data", "OverlayBitPosition"
    return _why_written_on(header, sop_class, options)


def _why_written_on(
    header: Mapping[int, bytes], sop_class: str, options: frozenset[str]
) -> tuple[str, str] | None:
    burned_in = text_of(header, _BURNED_IN_ANNOTATION)
    if burned_in == "NO" or ALLOW_BURNED_IN in options:
        return None
    if burned_in:
        return "the image says that text is burned in", "BurnedInAnnotation"
    if ALLOW_UNMARKED in options:
        return None
    if sop_class in _WRITTEN_ON:
        reason = "an image of this kind may have text burned in and does not say that it has none"
        return reason, "BurnedInAnnotation"
    if text_of(header, _CONVERSION_TYPE) in _CONVERTED:
        return "an image converted from something else may have text burned in", "ConversionType"
    if not _TYPES_WITH_TEXT.isdisjoint(text_of(header, _IMAGE_TYPE).split("\\")):
        return "an image of this type may have text burned in", "ImageType"
    return None


def _lies_in_pixels(tag: int, header: Mapping[int, bytes]) -> bool:
    """Say whether (60xx,0102) Overlay Bit Position tells of an overlay with no data of its own."""
    position = tag & 0xFFFF == 0x0102 and bool(header[tag].strip(b"\0"))
    return position and (tag & 0xFFFF0000 | 0x3000) not in header


def text_of(header: Mapping[int, bytes], tag: int) -> str:
    """Give a value of the default repertoire as text, without its padding; absent is empty."""
    return header.get(tag, b"").decode("latin_1").strip(" \0")
