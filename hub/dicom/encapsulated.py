"""In charge of what may be inside an encapsulated document: a PDF that does nothing but show."""

import re
import zlib

# Names of actions that run, fetch, send or unpack something (ISO 32000-1 12.6.4, 7.11.4). Names of
# three letters, as /JS, would be found by chance in a picture; every action also has a long one.
_ACTIVE = re.compile(
    rb"/(JavaScript|Launch|EmbeddedFiles?|RichMedia\w*|XFA|SubmitForm|ImportData|GoToR|GoToE"
    rb"|Movie|Rendition|Filespec)(?![A-Za-z0-9])"
)
_ENCRYPTED = re.compile(rb"/Encrypt(?![A-Za-z0-9])")
_STREAM = re.compile(rb"stream\r?\n(.*?)endstream", re.DOTALL)
# An object stream holds the names we look for; behind these they cannot be seen by inflating.
_DISGUISE = re.compile(rb"/(LZW|LZWDecode|ASCII\w+|AHx|A85|RunLengthDecode|RL|Crypt|Predictor)\b")
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
# All inflated streams together; a page of text is a few kilobytes, and its pictures are JPEG.
_MAXIMUM_INFLATED = 256 << 20


def reason_against_pdf(document: bytes, *, mime_type: str) -> str | None:
    """Say why a document must not pass into a PACS, or None when it may.

    Looks also into the deflated streams, where newer PDFs keep their objects, and reads names that
    are spelled in hexadecimal. What cannot be looked into is refused.
    """
    if mime_type != "application/pdf":
        return "its MIME type is not application/pdf"
    if not document.startswith(b"%PDF-"):
        return "it is not a PDF"
    # Behind the end may be an archive or a program: the same bytes, to another reader.
    if b"%%EOF" not in document[-1024:]:
        return "it does not end as a PDF does"
    if _ENCRYPTED.search(_spelled_out(document)):
        return "it is encrypted and cannot be looked into"
    return _active_content(document) or _reason_against_streams(document)


def _reason_against_streams(document: bytes) -> str | None:
    budget = _MAXIMUM_INFLATED
    for stream in _STREAM.finditer(document):
        dictionary = document[max(document.rfind(b"obj", 0, stream.start()), 0) : stream.start()]
        dictionary = _spelled_out(dictionary)
        if b"/ObjStm" in dictionary and _DISGUISE.search(dictionary):
            return "it holds objects that cannot be looked into"
        inflated = _inflate(stream[1], budget)
        budget -= len(inflated)
        if budget <= 0:
            return "it inflates to more than anyone can look into"
        if reason := _active_content(inflated):
            return reason
    return None


def _active_content(part: bytes) -> str | None:
    found = _ACTIVE.search(_spelled_out(part))
    return f"it holds active content ({found[0].decode('ascii')})" if found else None


def _spelled_out(part: bytes) -> bytes:
    return _ESCAPED.sub(lambda escaped: bytes([int(escaped[1], 16)]), part)


def _inflate(stream: bytes, limit: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(stream, limit)
    except zlib.error:
        # Not deflated: a picture, or plain text that was looked at with the whole document.
        return b""
