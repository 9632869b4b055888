"""Files in every encoding, broken ones too: the same copy, or none."""

import zlib
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from hub.dicom.deidentify import (
    DeidentificationFailed,
    deidentify_file,
)
from tests.hub.dicom.pseudonym_cases import (
    SECRETS,
    ct,
    pseudonymiser,
    save,
    sent,
)

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("cut", [20, 140, 400, 900, 2000, -1, -700])
def test_a_file_cut_short_is_refused_and_leaves_the_target_as_it_was(
    tmp_path: Path, cut: int
) -> None:
    source, target = save(ct(), tmp_path / "a.dcm"), tmp_path / "b.dcm"
    source.write_bytes(source.read_bytes()[:cut])
    target.write_bytes(b"an earlier copy")
    with pytest.raises(DeidentificationFailed) as failed:
        deidentify_file(source, target, pseudonymiser=pseudonymiser())
    assert target.read_bytes() == b"an earlier copy"
    assert not any(secret in str(failed.value) for secret in SECRETS)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_big_endian_header_cut_short_is_refused(tmp_path: Path) -> None:
    source, dataset = tmp_path / "a.dcm", ct()
    del dataset.PixelData
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dataset.save_as(source, implicit_vr=False, little_endian=False, enforce_file_format=True)
    source.write_bytes(source.read_bytes()[:-3])
    with pytest.raises(DeidentificationFailed, match="ends within an element"):
        deidentify_file(source, tmp_path / "b.dcm", pseudonymiser=pseudonymiser())


def test_every_transfer_syntax_gives_the_same_copy(tmp_path: Path) -> None:
    plain = sent(ct(), tmp_path)
    for syntax in (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian):
        dataset = ct()
        source = tmp_path / "other.dcm"
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(
            source,
            implicit_vr=syntax == ImplicitVRLittleEndian,
            little_endian=syntax != ExplicitVRBigEndian,
            enforce_file_format=True,
        )
        deidentify_file(source, tmp_path / "copy.dcm", pseudonymiser=pseudonymiser())
        copy = pydicom.dcmread(tmp_path / "copy.dcm")
        assert copy.file_meta.TransferSyntaxUID == syntax
        assert copy == plain, syntax.name


def test_compressed_pixel_data_passes_untouched(tmp_path: Path) -> None:
    dataset = ct()
    frames = [b"\xff\x4f\xff\x51" + bytes(range(200)), b"\xff\x4f" * 70000]
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.PixelData = pydicom.encaps.encapsulate(frames)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.NumberOfFrames = 2
    dataset.add_new(0xFFFCFFFC, "OB", b"Kari")
    copy = sent(dataset, tmp_path)
    assert list(pydicom.encaps.generate_frames(copy.PixelData, number_of_frames=2)) == frames
    assert 0xFFFCFFFC not in copy


def test_a_header_longer_than_what_is_read_first_is_read_whole(tmp_path: Path) -> None:
    dataset = ct()
    dataset.add_new(0x00281201, "OW", b"\1\2" * 60000)
    copy = sent(dataset, tmp_path)
    assert copy[0x00281201].value == b"\1\2" * 60000
    assert copy.PixelData == dataset.PixelData


def test_what_inflates_to_more_than_memory_is_refused_before_it_does(tmp_path: Path) -> None:
    dataset = ct()
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    meta_end = 132 + 12 + save(dataset, tmp_path / "a.dcm").read_bytes()[140]
    deflate, zeros = zlib.compressobj(1, wbits=-zlib.MAX_WBITS), b"\0" * (1 << 20)
    bomb = b"".join(deflate.compress(zeros) for _ in range(257)) + deflate.flush()
    path = tmp_path / "a.dcm"
    path.write_bytes(path.read_bytes()[:meta_end] + bomb)
    with pytest.raises(DeidentificationFailed, match="deflated from more bytes"):
        deidentify_file(path, tmp_path / "b.dcm", pseudonymiser=pseudonymiser())


def test_deflated_nonsense_is_refused(tmp_path: Path) -> None:
    dataset = ct()
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = save(dataset, tmp_path / "a.dcm")
    data = path.read_bytes()
    path.write_bytes(data[:400] + zlib.compress(b"nonsense") + data[420:])
    with pytest.raises(DeidentificationFailed):
        deidentify_file(path, tmp_path / "b.dcm", pseudonymiser=pseudonymiser())


def test_no_value_gets_into_the_log_or_into_the_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = ct()
    dataset.StudyInstanceUID = "1.2.Kari.Bjornstad"
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    source = save(dataset, tmp_path / "a.dcm")
    caplog.clear()
    deidentify_file(source, tmp_path / "b.dcm", pseudonymiser=pseudonymiser())
    dataset.SOPClassUID = "1.2.Kari"
    save(dataset, source)
    with pytest.raises(DeidentificationFailed) as failed:
        deidentify_file(source, tmp_path / "b.dcm", pseudonymiser=pseudonymiser())
    assert "Kari" not in caplog.text + repr(failed.value)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_only_the_named_failure_escapes_whatever_the_bytes(tmp_path: Path, data) -> None:
    source, target = tmp_path / "a.dcm", tmp_path / "b.dcm"
    original = bytearray(save(ct(), source).read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(132, len(original) - 2100))
        original[at : at + 1] = data.draw(st.binary(max_size=5))
    source.write_bytes(original)
    target.unlink(missing_ok=True)
    try:
        deidentify_file(source, target, pseudonymiser=pseudonymiser())
    except DeidentificationFailed:
        assert not target.exists()
    else:
        assert pydicom.dcmread(target).PatientIdentityRemoved == "YES"
    assert len(list(tmp_path.iterdir())) <= 2


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=400))
def test_only_the_named_failure_escapes_from_noise(tmp_path: Path, noise: bytes) -> None:
    source = tmp_path / "a.dcm"
    source.write_bytes(noise)
    with pytest.raises(DeidentificationFailed):
        deidentify_file(source, tmp_path / "b.dcm", pseudonymiser=pseudonymiser())
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]
