"""Which character set the bytes of a message are in: MSH-18 (table 0211) to a codec and back."""

import re
from typing import NamedTuple

# HL7 table 0211 with the spellings met in the field; keys as _key() leaves them.
_CODECS = {
    "ASCII": "ascii",
    "ISOIR6": "ascii",
    "UNICODEUTF8": "utf-8",
    "UTF8": "utf-8",
    "UNICODE": "utf-8",
    "ISOIR192": "utf-8",
    "WINDOWS1252": "cp1252",
    "CP1252": "cp1252",
    "ISOIR100": "iso-8859-1",
    "ISOIR101": "iso-8859-2",
    "ISOIR144": "iso-8859-5",
    "ISOIR126": "iso-8859-7",
    "ISOIR14": "shift_jis",
    "ISOIR87": "iso2022_jp",
    "ISOIR159": "iso2022_jp_1",
    "GB180302000": "gb18030",
    "GB18030": "gb18030",
    "KSX1001": "euc_kr",
    "BIG5": "big5",
}
_LATIN = re.compile(r"(?:ISO)?8859([1-9]|1[0-6])")
_C1_CONTROLS = re.compile(rb"[\x80-\x9f]")


class UnknownCharacterSet(ValueError):  # noqa: N818
    """No codec is known for a value of MSH-18 or for a configured character set."""


class Decoded(NamedTuple):
    """Text, and the codec that gave it."""

    text: str
    codec: str


def _key(declared: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", declared.upper())


def codec_of(declared: str) -> str:
    """The Python codec for one value of MSH-18 or of a node's configuration.

    Raises UnknownCharacterSet. An empty value is ASCII by the standard (HL7 2.5.1 2.15.9.18).
    """
    key = _key(declared) or "ASCII"
    if key in _CODECS:
        return _CODECS[key]
    latin = _LATIN.fullmatch(key)
    if latin and latin[1] != "12":  # 8859/12 was never published
        return f"iso-8859-{latin[1]}"
    raise UnknownCharacterSet(f"{declared!r} is no character set of HL7 table 0211")


def decode(raw: bytes, *, declared: str, default: str) -> Decoded:
    """Read bytes by MSH-18, else as strict UTF-8, else by the sender's default.

    A declaration that the bytes contradict is passed over: an order with a wrong MSH-18 is still
    an order, and the codec used is recorded with it. ASCII is passed over likewise, because in
    practice an empty or ASCII MSH-18 says that nobody set it. Raises UnicodeDecodeError when
    nothing fits, UnknownCharacterSet when the default is none.
    """
    for candidate in _candidates(declared):
        try:
            return _decode_strictly(raw, candidate)
        except UnicodeDecodeError:
            continue
    return _decode_strictly(raw, codec_of(default))


def _candidates(declared: str) -> list[str]:
    try:
        codec = codec_of(declared)
    except UnknownCharacterSet:
        codec = "ascii"
    return [codec, "utf-8"]


def _decode_strictly(raw: bytes, codec: str) -> Decoded:
    # Windows senders call their code page 8859/1; C1 control characters never occur in a message,
    # the dashes and quotation marks of Windows-1252 that share their codes do.
    if codec == "iso-8859-1" and _C1_CONTROLS.search(raw):
        try:
            return Decoded(raw.decode("cp1252"), "cp1252")
        except UnicodeDecodeError:
            pass
    return Decoded(raw.decode(codec), codec)
