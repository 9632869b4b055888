"""A header comes back whole from what JSON holds of it."""

import json
from dataclasses import fields

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRLittleEndian

from hub.dicom.header_values import uid
from hub.dicom.headers import (
    _ATTRIBUTES,
    Header,
    InstanceHeader,
    SeriesHeader,
    StudyHeader,
    from_plain,
    plain,
    read_header,
)
from tests.hub.dicom.encoded import with_elements

LITTLE = str(ExplicitVRLittleEndian)


def read(*elements: tuple[int, bytes, bytes]) -> Header:
    return read_header(with_elements(*elements), LITTLE)


def test_the_levels_of_a_header_share_no_attribute():
    names = [f.name for kind in (StudyHeader, SeriesHeader, InstanceHeader) for f in fields(kind)]
    assert len(names) == len(set(names))
    assert "raw" not in names


def kept(header: Header) -> Header:
    return from_plain(json.loads(json.dumps(plain(header))))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(list(_ATTRIBUTES.values())), unique=True), st.data())
def test_a_header_comes_back_whole_from_its_plain_form(chosen, data):
    values = st.one_of(st.binary(max_size=12), st.sampled_from([b"1", b"2.5 ", b" a\\B\\", b"0"]))
    header = read(
        *((tag, b"LO", data.draw(values)) for tag, meaning in chosen if meaning is not uid)
    )
    assert kept(header) == header


def test_a_plain_header_says_nothing_about_what_is_left_open():
    assert plain(read((0x00080060, b"CS", b"ct "))) == {
        "study_instance_uid": "1.2.3",
        "series_instance_uid": "1.2.3.1",
        "sop_class_uid": "",
        "sop_instance_uid": "1.2.3.4",
        "transfer_syntax_uid": LITTLE,
        "modality": "CT",
        "raw": {"modality": "ct "},
    }
