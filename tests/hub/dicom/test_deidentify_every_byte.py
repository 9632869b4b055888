"""Every byte that leaves is searched for every value that came in, wherever it stood."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary, keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from hub.dicom.annex_e import Action, rules
from hub.dicom.deidentify import DeidentificationFailed, deidentify_file
from tests.hub.dicom.pseudonym_cases import CORPUS, ct, pseudonymiser, real_files, save
from tests.hub.dicom.test_deidentify_corpus import leaving_bytes, refusal_of, walk

pytestmark = pytest.mark.filterwarnings("ignore")

# What an option of the profile, or the attribute's own nature, lets leave as it came.
KEPT = frozenset(
    (Action.KEEP, Action.NUMBER, Action.TERM, Action.CODE, Action.TEXT, Action.DESCRIPTOR)
    + (Action.TIME, Action.AGE, Action.DESCRIPTOR_OF_TABLE)
)
IN_WORDS = frozenset(
    ("PN", "LO", "SH", "ST", "LT", "UT", "UC", "CS",
     "AE", "AS", "DA", "DT", "UI", "UR", "UN", "OB")
)  # fmt: skip
ONE_VALUE = frozenset(("UT", "ST", "LT", "UR", "UN", "OB"))
SHORTEST = 4


def values_of(vr: str, raw: bytes) -> Iterator[bytes]:
    """The values of an element; of a name its parts, of a moment its day."""
    for part in [raw] if vr in ONE_VALUE else raw.split(b"\\"):
        if vr == "PN":
            yield from (one.strip() for one in part.replace(b"=", b"^").split(b"^"))
        else:
            yield part.strip(b" \0")[: 8 if vr in {"DA", "DT"} else None]


def that_must_not_leave(original: Dataset) -> set[bytes]:
    """Every value that is to be removed, emptied, replaced or shifted, private ones too.

    One that technical attributes hold as well ("BODY" in a private element) tells nothing by
    standing there.
    """
    table, kept, gone = rules(), [b""], set()
    for tag, vr, raw in walk(original):
        rule = table.get(tag)
        found = set(values_of(vr, raw))
        if rule is not None and rule.action in KEPT:
            kept += found
        elif vr in IN_WORDS:
            gone |= found
    technical = b"\n".join(kept)
    return {
        value for value in gone
        if len(value) >= SHORTEST and value not in technical
        and not value.startswith(b"1.2.840.10008.")
    }  # fmt: skip


def test_no_value_that_is_to_go_stands_in_any_byte_that_leaves(tmp_path: Path) -> None:
    left, looked_for, target = 0, 0, tmp_path / "copy.dcm"
    for source in real_files():
        target.unlink(missing_ok=True)
        if refusal_of(source, target) is not None:
            continue
        gone, leaving = that_must_not_leave(pydicom.dcmread(source)), leaving_bytes(target)
        assert [value for value in gone if value in leaving] == [], source
        left, looked_for = left + 1, looked_for + len(gone)
    assert left >= (180 if CORPUS.is_dir() else 60)
    # pydicom's samples, which are all there is without the corpus, say less than what scanners send
    assert looked_for >= (14 if CORPUS.is_dir() else 8) * left


# -- every attribute of the standard, at every depth, and private ones -------------------------
BY_VR = {
    "IS": "7{:06}", "DS": "7{:06}.5", "DA": "19610417", "DT": "19610417{:06}", "TM": "101112.{:06}",
    "AS": "044Y", "UI": "1.3.6.1.4.1.9999.{}", "CS": "SOLVEIG{}", "AE": "SOLVEIG{}",
    "PN": "Solveig^Mari", "UR": "http://solveig{}.no", "SH": "Solveig{}",
}  # fmt: skip
BINARY = frozenset(("OB", "OW", "OF", "OD", "OL", "OV", "UN"))
NUMBERS = frozenset(("US", "SS", "UL", "SL", "UV", "SV", "FL", "FD", "AT"))
# What makes the file this file, or makes the hub refuse it.
SPARED = frozenset(
    ("SOPClassUID", "SpecificCharacterSet",
     "EncapsulatedDocument", "BurnedInAnnotation")
)  # fmt: skip


def every_attribute() -> Iterator[tuple[int, str]]:
    """All but numbers in binary: a copy that would leave with a name in them is refused."""
    table = rules()
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
        is_data = 0x0004 < tag >> 16 < 0x7FE0 and keyword not in SPARED
        is_array = vr in BINARY and tag in table and table[tag].action == Action.KEEP
        if is_data and len(vr) == 2 and vr not in NUMBERS | {"SQ"} and not is_array:
            yield tag, vr


def full(number: int) -> Dataset:
    """A data set with every attribute of the standard, its name in each of them."""
    dataset = Dataset()
    for tag, vr in every_attribute():
        if vr in BINARY:
            dataset.add_new(tag, vr, b"Solveig of the patient")
        else:
            dataset.add_new(tag, vr, BY_VR.get(vr, "Solveig {}").format(number))
    block = dataset.private_block(0x0029, "Solveig AS", create=True)
    for offset, vr in enumerate(("LO", "OB", "UN", "PN", "UT")):
        block.add_new(offset, vr, b"Solveig " if vr in BINARY else "Solveig")
    return dataset


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_name_in_every_attribute_of_the_standard_leaves_in_none(
    tmp_path: Path, syntax: str
) -> None:
    dataset, inner = ct(PatientName="Solveig"), full(2)
    dataset.file_meta.TransferSyntaxUID = syntax
    inner.DerivationCodeSequence = Sequence([full(3)])
    dataset.SourceImageSequence = Sequence([inner])
    for element in full(1):
        if element.tag not in dataset:
            dataset.add(element)
    block = dataset.private_block(0x0031, "Solveig AS", create=True)
    block.add_new(1, "SQ", Sequence([full(4)]))
    source, target = tmp_path / "a.dcm", tmp_path / "b.dcm"
    is_implicit = syntax == ImplicitVRLittleEndian
    dataset.save_as(source, implicit_vr=is_implicit, little_endian=True, enforce_file_format=True)
    deidentify_file(source, target, pseudonymiser=pseudonymiser())
    leaving = target.read_bytes().lower()
    assert source.read_bytes().lower().count(b"solveig") > 4000
    assert b"solveig" not in leaving
    assert b"19610417" not in leaving
    assert b"1.3.6.1.4.1.9999" not in leaving
    copy = pydicom.dcmread(target)
    assert copy.SourceImageSequence[0].DerivationCodeSequence[0].get("PatientName") is not None


IN_DIGITS = frozenset(("DA", "DT", "TM", "AS", "IS", "DS", "UI"))
PLACES = [tag for tag, vr in every_attribute() if vr not in IN_DIGITS]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), depth=st.integers(0, 4))
def test_a_name_typed_anywhere_leaves_nowhere(tmp_path: Path, seed: int, depth: int) -> None:
    """At a random depth, in random attributes, in the midst of other words."""
    chance = random.Random(seed)
    written = Dataset()
    for tag in chance.sample(PLACES, 12):
        vr = DicomDictionary[tag][0]
        text = chance.choice(["{}", "x {}", "{}_2", "X{}Y", "hode-{}"]).format("Bjørnstad")
        text = text.upper() if vr in {"CS", "AE"} else text
        written.add_new(tag, vr, text.encode("latin_1") if vr in BINARY else text)
    dataset = ct()
    for _ in range(depth):
        outer = Dataset()
        outer.SourceImageSequence = Sequence([written])
        written = outer
    for element in written:
        if keyword_for_tag(element.tag) not in {"PatientName", "StudyInstanceUID"}:
            dataset.add(element)
    source, target = tmp_path / "a.dcm", tmp_path / "b.dcm"
    target.unlink(missing_ok=True)
    save(dataset, source)
    try:
        deidentify_file(source, target, pseudonymiser=pseudonymiser())
    except DeidentificationFailed:
        assert not target.exists()
    else:
        leaving = leaving_bytes(target).decode("latin_1").casefold()
        assert "bjørnstad" not in leaving
    assert os.listdir(tmp_path)
