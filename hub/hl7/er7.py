"""The text form of HL7 (ER7): reads any sender's segments without loss, writes our own.

Why not hl7apy or python-hl7 for reading: hl7apy drops ZDS (which holds the Study Instance UID) when
it groups segments, rewrites values on output ("001" becomes "1", components shift), takes a
message with line feeds for one long MSH, refuses a five-character MSH-2 before 2.7 and fails with
TypeError on real messages; it also needs 15 to 36 ms for an order. python-hl7 keeps the text but
decodes the whole message with one encoding fixed per server. Here the bytes stay as they came
(`Message.raw`), nothing is ever serialised again, and what cannot be read says why.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from hub.hl7.charsets import UnknownCharacterSet, decode

_BOM = b"\xef\xbb\xbf"
_BLANKS = b"\r\n\t \x00\x0b\x1c"
_SEGMENT_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_LINE_BREAKS = re.compile(r"\.(?:br|ce|sp(?:[+-]?\d+)?)")


class MessageError(ValueError):
    """What is wrong with a message, in the terms of an ERR segment.

    `location` is like 'ORC-1' or 'IPC[2]-3' (second IPC), `code` is of HL7 table 0357, and
    `acknowledgement` is the MSA-1 it calls for: AE where a corrected message would be taken,
    AR where this kind of message never will.
    """

    acknowledgement = "AE"

    def __init__(self, location: str, code: int, text: str) -> None:
        super().__init__(f"{location}: {text}")
        self.location = location
        self.code = code
        self.text = text


class UnparsableMessage(MessageError):  # noqa: N818
    """The bytes are no HL7 message that can be read; `reason` holds no patient data."""

    acknowledgement = "AR"

    def __init__(self, reason: str, *, location: str = "MSH", code: int = 100) -> None:
        super().__init__(location, code, reason)
        self.reason = reason


class CannotEncode(ValueError):  # noqa: N818
    """A value holds characters that the receiver's character set does not have."""


@dataclass(frozen=True, slots=True)
class Separators:
    """MSH-1 and MSH-2 of one message (HL7 2.5.1 2.5.4)."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""  # the fifth character of MSH-2, from 2.7

    @property
    def encoding_characters(self) -> str:
        """MSH-2 as it is written."""
        return self.component + self.repetition + self.escape + self.subcomponent + self.truncation


STANDARD = Separators()


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment; fields, repetitions, components and subcomponents count from 1.

    `fields[n]` is field n as sent (MSH: fields[1] is MSH-1). What a sender left out reads as "".
    """

    name: str
    occurrence: int  # among the segments of this name in the message, from 1
    fields: tuple[str, ...]
    separators: Separators
    codec: str

    def field(self, number: int) -> str:
        """The field as sent, escapes and separators included."""
        return self.fields[number] if number < len(self.fields) else ""

    def repetitions(self, number: int) -> tuple[str, ...]:
        """The repetitions of a field as sent; () when the field is empty."""
        text = self.field(number)
        return tuple(text.split(self.separators.repetition)) if text else ()

    def components(self, number: int, *, repetition: int = 1) -> tuple[str, ...]:
        """The components as sent, each with its subcomponents; () when there are none."""
        text = _nth(self.repetitions(number), repetition)
        return tuple(text.split(self.separators.component)) if text else ()

    def value(
        self, number: int, *, repetition: int = 1, component: int = 1, subcomponent: int = 1
    ) -> str:
        """One value, escapes undone; a field without components is its own first component."""
        # Asked for some seventy times a message: no calls where there is nothing to read.
        if number >= len(self.fields) or not (text := self.fields[number]):
            return ""
        marks = self.separators
        for mark, place in (
            (marks.repetition, repetition),
            (marks.component, component),
            (marks.subcomponent, subcomponent),
        ):
            if mark in text:
                text = _nth(text.split(mark), place)
            elif place != 1:
                return ""
        return self.plain(text)

    def text(self, number: int) -> str:
        """Free text (TX, FT, ST): the whole field, escapes undone, one line per repetition.

        Separators that a careless sender left unescaped in it stay in the text.
        """
        return "\n".join(self.plain(line) for line in self.repetitions(number))

    def plain(self, text: str) -> str:
        """Any part of this segment with its escapes undone, without what is no character."""
        # Some senders pad with NUL; no database text can hold it, and it means nothing.
        if self.separators.escape in text:
            text = unescape(text, separators=self.separators, codec=self.codec)
        return text.replace("\0", "")

    def location(self, number: int) -> str:
        """How an error names this field: 'ORC-1', or 'ORC[2]-1' in the second ORC."""
        counted = f"[{self.occurrence}]" if self.occurrence > 1 else ""
        return f"{self.name}{counted}-{number}"


@dataclass(frozen=True, slots=True)
class Message:
    """One message: the bytes as they came and its segments, Z and empty ones included."""

    raw: bytes
    separators: Separators
    declared_charset: str  # MSH-18 as sent
    codec: str  # the Python codec that the text was read with
    all_segments: tuple[Segment, ...]

    @classmethod
    def from_bytes(cls, raw: bytes, *, default_charset: str = "8859/1") -> "Message":
        """Read a message; `default_charset` is the sender's, for an MSH-18 that says nothing.

        CR, LF and CRLF end segments, a byte order mark and blank lines are passed over, a line
        that cannot be a segment continues the field before it. Raises UnparsableMessage.
        """
        body = raw.strip(_BLANKS).removeprefix(_BOM).strip(_BLANKS)
        body = body.replace(b"\r\n", b"\r").replace(b"\n", b"\r")
        head = body.split(b"\r", 1)[0].decode("latin-1")
        separators = _separators(head)
        declared = _split(head, separators)[18:19]
        charset = declared[0].split(separators.repetition)[0].strip() if declared else ""
        try:
            text, codec = decode(body, declared=charset, default=default_charset)
        except UnicodeDecodeError as error:
            reason = f"the bytes are neither {charset or 'ASCII'!r}, UTF-8 nor {default_charset!r}"
            raise UnparsableMessage(reason, location="MSH-18", code=102) from error
        except UnknownCharacterSet as error:
            raise UnparsableMessage(str(error), location="MSH-18", code=103) from error
        segments = tuple(_segments(text, separators, codec))
        if sum(segment.name == "MSH" for segment in segments) > 1:
            raise UnparsableMessage("two messages in one: a second MSH segment")
        return cls(raw, separators, charset, codec, segments)

    @property
    def header(self) -> Segment:
        """The MSH segment."""
        return self.all_segments[0]

    def segments(self, name: str) -> tuple[Segment, ...]:
        """Every segment of this name, in order."""
        return tuple(segment for segment in self.all_segments if segment.name == name)

    def segment(self, name: str) -> Segment:
        """The first segment of this name; an empty one where there is none."""
        found = self.segments(name)
        return found[0] if found else Segment(name, 1, (name,), self.separators, self.codec)


def _separators(head: str) -> Separators:
    if head[:3] in ("FHS", "BHS"):
        raise UnparsableMessage("a batch, not one message")
    if not head.startswith("MSH") or len(head) < 4:
        raise UnparsableMessage("the first segment is not MSH")
    field = head[3]
    given = head[4:].split(field, 1)[0]
    characters = given + STANDARD.encoding_characters[len(given) :]
    marks = field + characters
    if not 4 <= len(characters) <= 5 or len(set(marks)) != len(marks):
        raise UnparsableMessage("MSH-1 and MSH-2 are not five or six different characters")
    if any(mark.isalnum() or not mark.isprintable() or mark == " " for mark in marks):
        raise UnparsableMessage("MSH-1 and MSH-2 hold a letter, a digit or a blank")
    return Separators(field, *characters)


def _split(line: str, separators: Separators) -> list[str]:
    fields = line.split(separators.field)
    if fields[0] == "MSH":
        fields.insert(1, separators.field)
    return fields


def _segments(text: str, separators: Separators, codec: str) -> Iterable[Segment]:
    counts: dict[str, int] = {}
    for line in _lines(text, separators):
        fields = _split(line, separators)
        name = fields[0]
        counts[name] = counts.get(name, 0) + 1
        yield Segment(name, counts[name], tuple(fields), separators, codec)


def _lines(text: str, separators: Separators) -> list[str]:
    lines: list[str] = []
    for line in text.split("\r"):
        if _SEGMENT_NAME.fullmatch(line[:3]) and line[3:4] in ("", separators.field):
            lines.append(line)
        elif line.strip():
            lines[-1] += "\n" + line  # the first line is MSH, so there is always one before
    return lines


def _nth(parts: "tuple[str, ...] | list[str]", number: int) -> str:
    return parts[number - 1] if 0 < number <= len(parts) else ""


@cache
def _escape_sequences(escape: str) -> re.Pattern[str]:
    mark = re.escape(escape)
    known = r"[FSTREPHN]|\.(?:br|ce|fi|nf|(?:sp|in|ti|sk)(?:[+-]?\d+)?)|X(?:[0-9A-Fa-f]{2})+"
    return re.compile(f"{mark}({known}){mark}")


def _from_hex(digits: str, codec: str) -> str:
    # A message in plain ASCII may still spell its other letters out, in whichever set was at hand.
    for candidate in (codec, "utf-8"):
        try:
            return bytes.fromhex(digits).decode(candidate)
        except UnicodeDecodeError:
            continue
    return bytes.fromhex(digits).decode("latin-1")


def unescape(text: str, *, separators: Separators = STANDARD, codec: str = "utf-8") -> str:
    r"""Undo \F\ \S\ \T\ \R\ \E\ \P\ \Xhh\ and turn formatting into plain text (2.5.1 2.7).

    \.br\ and its like become line feeds, highlighting goes; an escape character that starts no
    known sequence is kept, for senders write Windows paths.
    """
    if separators.escape not in text:
        return text
    meanings = {
        "F": separators.field,
        "S": separators.component,
        "T": separators.subcomponent,
        "R": separators.repetition,
        "E": separators.escape,
        "P": separators.truncation or "#",
    }

    def meaning(match: re.Match[str]) -> str:
        sequence = match[1]
        if sequence[0] == "X":
            return _from_hex(sequence[1:], codec)
        if sequence[0] == ".":
            return "\n" if _LINE_BREAKS.match(sequence) else ""
        return meanings.get(sequence, "")

    return _escape_sequences(separators.escape).sub(meaning, text)


_ESCAPES = {
    "\\": "\\E\\",
    "|": "\\F\\",
    "^": "\\S\\",
    "&": "\\T\\",
    "~": "\\R\\",
    "\n": "\\.br\\",
    **{chr(code): f"\\X{code:02X}\\" for code in (*range(10), *range(11, 32), 127)},
}
_MUST_ESCAPE = str.maketrans(_ESCAPES)


def escape(text: str) -> str:
    """A value for a message with the standard separators; line ends become line breaks."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_MUST_ESCAPE)


def write_components(*values: str, separator: str = "^") -> str:
    """Values as the components (or subcomponents) of one field, each escaped."""
    return separator.join(escape(value) for value in values).rstrip(separator)


def write_segment(name: str, fields: Mapping[int, str]) -> str:
    """A segment from field number to encoded field (MSH: from MSH-3 on)."""
    last = max((number for number, text in fields.items() if text), default=0)
    if name == "MSH":
        start = f"MSH{STANDARD.field}{STANDARD.encoding_characters}"
        return "|".join([start, *(fields.get(number, "") for number in range(3, last + 1))])
    return "|".join([name, *(fields.get(number, "") for number in range(1, last + 1))])


def write_message(segments: Iterable[str], *, codec: str) -> bytes:
    """The bytes of a message, each segment ended by CR.

    Raises CannotEncode: a name is never sent with characters silently exchanged.
    """
    written = []
    for segment in segments:
        try:
            written.append(segment.encode(codec))
        except UnicodeEncodeError as error:
            points = ", ".join(f"U+{ord(c):04X}" for c in segment[error.start : error.end])
            raise CannotEncode(f"{segment[:3]}: {codec} has no {points}") from error
    return b"".join(line + b"\r" for line in written)
