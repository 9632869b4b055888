"""What a patient merge says: ADT^A18, A34 and A40 to pairs of identifiers (HL7 2.5.1 3.3.40).

IHE PIR RAD-12: MRG-1 is the prior patient identifier, PID-3 the surviving one.
"""

from __future__ import annotations

from dataclasses import dataclass

from hub.hl7.content import Identifier, MessageHeader
from hub.hl7.er7 import Message, Segment
from hub.hl7.fields import read_identifiers
from hub.hl7.parse import FieldError, UnsupportedMessage, require_envelope

_MERGES = ("A18", "A34", "A40")
_UNDONE = ("A37", "A43", "A44")
_LONGEST_ID = 64


@dataclass(frozen=True, slots=True)
class MergeContent:
    """The prior identifier is no more; what was its patient's is the surviving one's."""

    prior: Identifier
    surviving: Identifier


def is_administration(header: MessageHeader) -> bool:
    """Whether the message is one of patient administration (ADT), and no order."""
    return header.message_type.split("^")[0] == "ADT"


def read_merges(message: Message, header: MessageHeader) -> tuple[MergeContent, ...]:
    """Every pair of the message; each prior identifier with the survivor of its own authority.

    Raises UnsupportedMessage and FieldError.
    """
    _require_merge(header)
    require_envelope(header)
    pid: Segment | None = None
    found: list[MergeContent] = []
    for segment in message.all_segments:
        if segment.name == "PID":
            pid = segment
        elif segment.name == "MRG":
            if pid is None:
                raise FieldError("PID", 100, "a PID segment was expected before MRG")
            found += _pairs(pid, segment)
    if not found:
        raise FieldError("MRG-1", 101, "a prior patient identifier was expected")
    return tuple(found)


def _require_merge(header: MessageHeader) -> None:
    if header.trigger in _UNDONE:
        text = "a merge is not undone, and nothing is moved between patients; correct it by hand"
        raise UnsupportedMessage("MSH-9", 201, text)
    if header.trigger not in _MERGES:
        text = f"of ADT, {', '.join(_MERGES)} are taken; what changed comes with the order"
        raise UnsupportedMessage("MSH-9", 201, text)


def _pairs(pid: Segment, mrg: Segment) -> list[MergeContent]:
    surviving = read_identifiers(pid, 3)
    prior = read_identifiers(mrg, 1)
    if not surviving:
        raise FieldError("PID-3", 101, "a surviving patient identifier was expected")
    if not prior:
        raise FieldError("MRG-1", 101, "a prior patient identifier was expected")
    pairs = [MergeContent(one, _survivor_of(one, surviving)) for one in prior]
    for one in (*prior, *surviving):
        if len(one.value) > _LONGEST_ID:
            raise FieldError("MRG-1", 102, f"at most {_LONGEST_ID} characters were expected")
    return [pair for pair in pairs if pair.prior.value != pair.surviving.value]


def _survivor_of(prior: Identifier, surviving: tuple[Identifier, ...]) -> Identifier:
    same = {one.value: one for one in surviving if _authority(one) == _authority(prior)}
    if len(same) != 1:
        # Which of them, or a number of another authority, would be a guess at a patient.
        text = "exactly one identifier of the same assigning authority was expected in PID-3"
        raise FieldError("MRG-1", 204, text)
    return next(iter(same.values()))


def _authority(one: Identifier) -> str:
    return one.assigning_authority or one.universal_id
