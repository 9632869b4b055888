import socket
from shutil import which

import pydicom
import pytest
from pydicom.uid import (
    AllTransferSyntaxes,
    CTImageStorage,
    ExplicitVRLittleEndian,
)
from pynetdicom.sop_class import Verification

from hub.dicom import scp
from hub.dicom.file_meta import read_file_meta
from hub.dicom.headers import UnreadableDataset
from hub.dicom.spool import Spool
from tests.fakes.waiting import until
from tests.hub.dicom.encoded import CORPUS, PACKAGED, encode, minimal
from tests.hub.dicom.listening import (
    Hub,
    rejection,
    run,
    send,
)

LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"
PRIVATE_STORAGE = "1.2.840.113619.4.27"


@pytest.fixture
def hub():
    hub = Hub()
    yield hub
    hub.server.shutdown(0)


def test_an_echo_is_answered(hub):
    assert hub.echoes()
    assert hub.asked == [("CT1", "127.0.0.1")]


@pytest.mark.parametrize("syntax", [*AllTransferSyntaxes, "1.2.840.999.1"])
def test_a_data_set_arrives_byte_for_byte_in_every_transfer_syntax(hub, syntax):
    dataset = b"not even a data set " * 20_000 + str(syntax).encode()
    assert hub.store(dataset, syntax) == scp.SUCCESS
    (received,) = hub.instances
    assert received.dataset == dataset
    assert received.transfer_syntax_uid == syntax
    assert (received.calling_ae_title, received.called_ae_title) == ("CT1", "HUB")
    assert received.address == "127.0.0.1"
    assert received.sop_instance_uid == "1.2.3.4"


@pytest.mark.parametrize("sop_class", [LABEL_MAP_SEGMENTATION, PRIVATE_STORAGE, "1.2.999.1"])
def test_storage_classes_that_are_new_or_private_are_taken(hub, sop_class):
    assert hub.store(encode(minimal()), sop_class=sop_class) == scp.SUCCESS
    assert hub.instances[0].sop_class_uid == sop_class


def test_what_is_no_storage_is_not_negotiated(hub):
    find = "1.2.840.10008.5.1.4.1.2.2.1"
    association = hub.associate((Verification, None), (find, None))
    assert [c.abstract_syntax for c in association.accepted_contexts] == [Verification]
    association.release()


def test_an_unknown_caller_is_rejected_for_good_and_logged(hub, caplog):
    hub.refusal = scp.Refusal("no node of this name\nat this address")
    association = hub.associate((CTImageStorage, None), calling="STRANGER")
    assert rejection(association) == (1, 1, 3)
    assert "STRANGER" in caplog.text
    assert "no node of this name\\nat this address" in caplog.text
    hub.refusal = None
    assert hub.echoes()


def test_another_called_ae_title_is_rejected_without_asking(hub):
    assert rejection(hub.associate(called="ANOTHER")) == (1, 1, 7)
    assert hub.asked == []


@pytest.mark.parametrize("refusal", [scp.Refusal("later", is_temporary=True), OSError("no db")])
def test_a_policy_that_cannot_tell_lets_nobody_in(hub, refusal):
    hub.refusal = refusal
    assert rejection(hub.associate()) == (2, 3, 1)
    hub.refusal = None
    assert hub.echoes()


@pytest.mark.parametrize("status", [scp.OUT_OF_RESOURCES, scp.CANNOT_UNDERSTAND, 0xA900])
def test_the_status_of_the_response_is_the_one_given(hub, status):
    hub.answer = status
    assert hub.store(encode(minimal())) == status


@pytest.mark.parametrize("answer", [RuntimeError("patient Doe^Jane"), None, True, False, -1, "0"])
def test_what_goes_wrong_in_storing_is_never_success_and_tells_no_patient(hub, caplog, answer):
    hub.answer = answer
    assert hub.store(encode(minimal())) == scp.PROCESSING_FAILURE
    assert 0xC000 <= scp.PROCESSING_FAILURE <= 0xCFFF
    assert any(r.levelname == "ERROR" for r in caplog.records)
    assert "Doe" not in caplog.text
    hub.answer = scp.SUCCESS
    assert hub.store(encode(minimal())) == scp.SUCCESS


def test_a_taken_port_is_said_plainly(hub):
    with pytest.raises(scp.PortTaken, match=f"Port {hub.port} is taken") as taken:
        Hub(port=hub.port)
    assert taken.value.port == hub.port


def test_more_associations_than_allowed_are_rejected_for_now():
    hub = Hub(limits=scp.Limits(maximum_associations=2))
    held = [hub.associate(), hub.associate()]
    assert rejection(hub.associate()) == (2, 3, 2)
    for association in held:
        association.release()
    hub.server.shutdown(0)


def test_a_peer_that_closes_nothing_leaves_room_for_others():
    hub = Hub(limits=scp.Limits(maximum_associations=4, maximum_of_one_peer=2))
    held = [hub.associate(calling="CT1"), hub.associate(calling="CT1")]
    assert rejection(hub.associate(calling="CT1")) == (2, 3, 2)
    held.append(hub.associate(calling="CT2"))
    assert held[-1].is_established
    held.pop(0).release()
    until(lambda: hub.associate(calling="CT1").is_established, "its place is free again")
    hub.server.shutdown(0)


def test_an_associations_socket_does_not_wait_to_fill_packets(hub):
    association = hub.associate()
    (served,) = hub.server._associations._now()
    assert served._wire._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    association.release()


dcmtk = [
    pytest.mark.peer,
    pytest.mark.skipif(which("storescu") is None, reason="dcmtk is not installed"),
]


class TestWithDcmtk:
    """dcmtk as the modality."""

    pytestmark = dcmtk

    def test_echoscu_is_answered_and_a_stranger_told_why_not(self, hub):
        echoscu = ("echoscu", "-v", "-aet", "CT1", "127.0.0.1", str(hub.port))
        assert run(*echoscu, "-aec", "HUB").returncode == 0
        wrong = run(*echoscu, "-aec", "NOTHUB")
        assert wrong.returncode != 0
        assert "Called AE Title Not Recognized" in wrong.stderr
        hub.refusal = scp.Refusal("stranger")
        strange = run(*echoscu, "-aec", "HUB")
        assert strange.returncode != 0
        assert "Calling AE Title Not Recognized" in strange.stderr

    @pytest.mark.parametrize(
        ("name", "proposal"),
        [
            ("CT_small.dcm", "-R"),
            ("MR_small_implicit.dcm", "-xi"),
            ("MR_small_bigendian.dcm", "-xb"),
            ("MR_small_RLE.dcm", "-xr"),
            ("MR_small_jp2klossless.dcm", "-xv"),
            ("MR_small_jpeg_ls_lossless.dcm", "-xt"),
            ("JPEG-lossy.dcm", "-xx"),
            ("image_dfl.dcm", "-xd"),
        ],
    )
    def test_what_storescu_sends_lies_in_the_spool_as_it_was(self, tmp_path, name, proposal):
        spool, stored = Spool(tmp_path, 0), []

        def on_store(received):
            stored.append(spool.put(site="drammen", received=received))
            return scp.SUCCESS

        hub = Hub(on_store=on_store)
        path = PACKAGED / "test_files" / name
        scu = ("storescu", proposal, "-aet", "CT1", "-aec", "HUB", "127.0.0.1", str(hub.port))
        sent = run(*scu, str(path))
        hub.server.shutdown(1)
        assert sent.returncode == 0, sent.stderr
        original, kept = pydicom.dcmread(path), pydicom.dcmread(spool.path(stored[0].key))
        assert kept.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
        assert kept.file_meta.SourceApplicationEntityTitle == "CT1"
        assert kept.PixelData == original.PixelData
        assert kept.SOPInstanceUID == original.SOPInstanceUID

    def test_a_full_disk_is_told_to_the_modality(self, hub):
        hub.answer = scp.OUT_OF_RESOURCES
        scu = ("storescu", "-v", "-aec", "HUB", "127.0.0.1", str(hub.port))
        sent = run(*scu, str(PACKAGED / "test_files" / "CT_small.dcm"))
        assert "OutOfResources" in sent.stdout + sent.stderr


def corpus_by_transfer_syntax():
    found = {}
    for path in sorted(p for p in CORPUS.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            syntax = read_file_meta(file).transfer_syntax_uid or ExplicitVRLittleEndian
            found.setdefault(syntax, []).append(file.read())
    return found


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is not here")
def test_every_file_of_the_corpus_goes_through_the_port_and_is_spooled_or_set_aside(tmp_path):
    spool, came, outcomes = Spool(tmp_path, 0, sync=False), [], {"kept": 0, "aside": 0}

    def on_store(received):
        try:
            key = spool.put(site="drammen", received=received).key
            outcomes["kept"] += 1
        except UnreadableDataset as error:
            key = spool.set_aside(received.dataset, reason=error.reason, suffix=".dcm")
            outcomes["aside"] += 1
        came.append((key, bytes(received.dataset)))
        return scp.SUCCESS

    hub = Hub(on_store=on_store, limits=scp.Limits())
    corpus = corpus_by_transfer_syntax()
    for syntax, datasets in corpus.items():
        association = hub.associate((CTImageStorage, syntax))
        assert [send(association, d) for d in datasets] == [scp.SUCCESS] * len(datasets)
        association.release()
    assert hub.echoes()
    hub.server.shutdown(0)
    sent = [dataset for datasets in corpus.values() for dataset in datasets]
    assert [dataset for _, dataset in came] == sent
    for key, dataset in came:
        assert spool.path(key).read_bytes().endswith(dataset)
    assert outcomes["kept"] > 200
