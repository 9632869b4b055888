"""HL7 data types to values of the hub and back: times, person names, priorities, sex."""

import re
from datetime import date, datetime, timedelta, timezone, tzinfo

from hub.hl7.er7 import Segment, write_components

_TIMESTAMP = re.compile(
    r"(?P<year>\d{4})(?:(?P<month>\d\d)(?:(?P<day>\d\d)(?:(?P<hour>\d\d)(?:(?P<minute>\d\d)"
    r"(?:(?P<second>\d\d)(?:\.(?P<fraction>\d{1,6}))?)?)?)?)?)?(?P<offset>[+-]\d{4})?"
)
_NOT_IN_A_NAME = re.compile(r"[\^=\\\s]+")  # delimiters of DICOM PN, PS3.5 6.2.1.2
_REPRESENTATIONS = {"": 0, "A": 0, "I": 1, "P": 2}  # XPN-8, table 0465; the order of PN groups

# HL7 table 0485 to Requested Procedure Priority (0040,1003); DICOM's own terms and the words that
# some senders write in place of the code read as themselves.
_PRIORITIES = {
    "S": "STAT",
    "A": "HIGH",
    "P": "HIGH",
    "C": "HIGH",
    "T": "MEDIUM",
    "R": "ROUTINE",
    "PRN": "LOW",
    "STAT": "STAT",
    "ASAP": "HIGH",
    "HIGH": "HIGH",
    "MEDIUM": "MEDIUM",
    "ROUTINE": "ROUTINE",
    "LOW": "LOW",
}
_TIMING_CRITICAL = re.compile(r"T[SMHDWL]\d+")  # within so many seconds, minutes, hours ...
_PRIORITY_CODES = {
    "STAT": ("S", "STAT"),
    "HIGH": ("A", "ASAP"),
    "MEDIUM": ("T", "Timing critical"),
    "ROUTINE": ("R", "Routine"),
    "LOW": ("PRN", "As needed"),
}


def read_timestamp(text: str, *, zone: tzinfo) -> datetime | None:
    """An aware time from DTM or TS (HL7 2.5.1 2.A.22); None for nothing, a bare date is midnight.

    `zone` holds where the text gives no offset. Raises ValueError for what is no time.
    """
    if not text.strip("0"):  # "00000000" is how some systems write "none"
        return None
    match = _TIMESTAMP.fullmatch(text)
    if match is None or match["day"] is None:
        raise ValueError("not YYYYMMDD[HHMM[SS[.SSSS]]][+ZZZZ]")
    fraction = int((match["fraction"] or "0").ljust(6, "0"))
    clock = [int(match[part] or 0) for part in ("hour", "minute", "second")]
    day = [int(match[part]) for part in ("year", "month", "day")]
    return datetime(*day, *clock, fraction, tzinfo=_offset(match["offset"]) or zone)  # type: ignore[misc,arg-type]


def _offset(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[3:5]))
    return timezone(-offset if text[0] == "-" else offset)


def write_timestamp(at: datetime) -> str:
    """DTM to the second with its offset; `at` must be aware."""
    if at.tzinfo is None:
        raise ValueError("a time without its zone cannot be sent")
    return at.strftime("%Y%m%d%H%M%S%z")[:19]


def read_date(text: str) -> date | None:
    """The day of a DTM or DT; None for nothing and for a year or month alone.

    Raises ValueError for what is no date.
    """
    if not text.strip("0"):
        return None
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError("not YYYYMMDD")
    if match["day"] is None:
        return None
    return date(int(match["year"]), int(match["month"]), int(match["day"]))


def read_person_name(segment: Segment, number: int) -> str:
    """A patient's name (XPN) as DICOM PN: family^given^middle^prefix^suffix, groups by '='.

    The legal name (XPN-7 'L') where it is marked, else the first; ideographic and phonetic
    spellings (XPN-8) become the second and third group (PS3.5 6.2.1.1).
    """
    groups = ["", "", ""]
    for repetition in _legal_first(segment, number):
        kind = segment.value(number, repetition=repetition, component=8)
        group = _REPRESENTATIONS.get(kind, 0)
        groups[group] = groups[group] or _name_group(segment, number, repetition, first=1)
    return "=".join(groups).rstrip("=")


def _legal_first(segment: Segment, number: int) -> list[int]:
    repetitions = range(1, len(segment.repetitions(number)) + 1)

    def is_other(repetition: int) -> bool:
        return segment.value(number, repetition=repetition, component=7) not in ("", "L")

    return sorted(repetitions, key=is_other)


def read_provider_name(segment: Segment, number: int) -> str:
    """A clinician's name (XCN) as DICOM PN; the identifier (XCN-1) where there is no name."""
    return _name_group(segment, number, 1, first=2) or _plain(segment.value(number))


def _name_group(segment: Segment, number: int, repetition: int, *, first: int) -> str:
    said = segment.components(number, repetition=repetition)[first - 1 : first + 4]
    if not said:
        return ""
    mark = segment.separators.subcomponent
    parts = [_plain(segment.plain(part.split(mark, 1)[0])) for part in said]
    family, given, middle, suffix, prefix = parts + [""] * (5 - len(parts))
    return "^".join((family, given, middle, prefix, suffix)).rstrip("^")


def _plain(text: str) -> str:
    return "" if text == '""' else _NOT_IN_A_NAME.sub(" ", text).strip()


def write_person_name(name: str) -> str:
    """DICOM PN as XPN repetitions with name type L and, beyond the first, their spelling."""
    groups = name.split("=")
    written = []
    for group, code in zip(groups, "AIP", strict=False):
        if not group:
            continue
        family, given, middle, prefix, suffix = (group.split("^") + [""] * 5)[:5]
        spelling = code if len(groups) > 1 else ""
        written.append(write_components(family, given, middle, suffix, prefix, "", "L", spelling))
    return "~".join(written)


def read_priority(code: str) -> str | None:
    """Requested Procedure Priority for a code of table 0485; None for empty or unknown."""
    code = code.strip().upper()
    return "MEDIUM" if _TIMING_CRITICAL.fullmatch(code) else _PRIORITIES.get(code)


def priority_code(priority: str) -> tuple[str, str]:
    """Code and text of table 0485 for STAT, HIGH, MEDIUM, ROUTINE or LOW; KeyError otherwise."""
    return _PRIORITY_CODES[priority]


def read_sex(code: str) -> str:
    """Table 0001 as Patient's Sex (0010,0040): M, F, O or "" (unknown)."""
    code = code.strip().upper()
    return {"M": "M", "F": "F", "O": "O", "A": "O", "N": "O"}.get(code, "")
