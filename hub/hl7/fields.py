"""The fields of a segment as plain values: what was not sent, or is deleted, is nothing."""

from collections.abc import Iterator

from hub.hl7.content import Code, Identifier
from hub.hl7.er7 import Segment


def read_identifiers(segment: Segment, number: int) -> tuple[Identifier, ...]:
    """The patient identifiers (CX) of a repeating field, as PID-3 and MRG-1 are."""
    return tuple(_identifiers(segment, number))


def _identifiers(segment: Segment, number: int) -> Iterator[Identifier]:
    for repetition in range(1, len(segment.repetitions(number)) + 1):

        def part(component: int, subcomponent: int = 1, repetition: int = repetition) -> str:
            value = segment.value(
                number, repetition=repetition, component=component, subcomponent=subcomponent
            )
            return _said(value)

        namespace, universal, kind = (part(4, subcomponent) for subcomponent in (1, 2, 3))
        if part(1):
            yield Identifier(part(1), namespace or universal, part(5), universal, kind)


def read_code(segment: Segment, number: int) -> Code | None:
    """A coded value (CE, CWE); None where there is neither code nor text."""
    value, meaning, scheme = (read_value(segment, number, part) for part in (1, 2, 3))
    return Code(value, scheme, meaning) if value or meaning else None


def read_coded_text(segment: Segment, number: int) -> str:
    """The texts of a repeating coded field, or the codes of those that have no text."""
    texts = (
        _said(segment.value(number, repetition=repetition, component=2))
        or _said(segment.value(number, repetition=repetition))
        for repetition in range(1, len(segment.repetitions(number)) + 1)
    )
    return "; ".join(text for text in texts if text)


def read_free_text(segment: Segment, number: int) -> str:
    """A field of text, with its line breaks."""
    return _said(segment.text(number))


def read_components(segment: Segment, number: int) -> tuple[str, ...]:
    """All components of the first repetition of a field."""
    return tuple(_said(segment.plain(part)) for part in segment.components(number))


def read_value(segment: Segment, number: int, component: int = 1) -> str:
    """One component of the first repetition of a field, without outer blanks."""
    value = segment.value(number, component=component)
    return _said(value) if value else ""


def _said(value: str) -> str:
    # "" in quotation marks deletes what was known (HL7 2.5.1 2.5.3); nothing is left either way.
    value = value.strip()
    return "" if value == '""' else value
