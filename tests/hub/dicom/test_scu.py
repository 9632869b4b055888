import ssl
import subprocess
import threading
import time

import pydicom
import pytest
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)
from pynetdicom import AllStoragePresentationContexts

from hub.dicom.association import AssociationRefused, Peer, Unreachable
from hub.dicom.file_meta import read_file_meta
from hub.dicom.scu import (
    NotSendable,
    OperationFailed,
    StoreInterrupted,
    echo,
    find_study,
    store,
)
from tests.hub.dicom import returned_cases as cases
from tests.hub.dicom.nodes import Archive, archive, free_port, port_that
from tests.hub.dicom.peers import program
from tests.hub.dicom.sr_cases import CT, INSTANCES, STUDY, ct_slices

SR = "1.2.840.10008.5.1.4.1.1.88.34"
UIDS = [instance.sop_instance_uid for instance in INSTANCES]


def send(peer, files, **limits):
    return store(peer, calling_ae_title="HUB", files=files, **limits)


@pytest.fixture
def slices(tmp_path):
    """Give the files of four CT slices."""
    return [cases.write(ct, tmp_path / f"{number}.dcm") for number, ct in enumerate(ct_slices(4))]


def data_set(path):
    with path.open("rb") as file:
        return path.read_bytes()[read_file_meta(file).data_offset :]


def test_every_instance_arrives_byte_for_byte_with_a_status_of_its_own(slices):
    with archive() as (pacs, peer):
        outcomes = send(peer, slices)
    assert [outcome.sop_instance_uid for outcome in outcomes] == UIDS[:4]
    assert all(outcome.is_success and outcome.status == 0 for outcome in outcomes)
    assert pacs.received == dict(zip(UIDS, map(data_set, slices), strict=False))


def test_files_in_memory_are_sent_too(slices):
    with archive() as (pacs, peer):
        outcomes = send(peer, [slices[0].read_bytes(), slices[1]])
    assert [outcome.is_success for outcome in outcomes] == [True, True]
    assert pacs.received[UIDS[0]] == data_set(slices[0])


def test_exactly_what_the_files_are_is_proposed(slices):
    implicit = ct_slices(1)[0]
    implicit.SOPInstanceUID = "2.25.5"
    implicit.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    implicit = cases.write(implicit, slices[0].with_name("implicit.dcm"))
    contexts = {CT: [ExplicitVRLittleEndian, ImplicitVRLittleEndian], SR: [ExplicitVRLittleEndian]}
    with archive(Archive(contexts=contexts)) as (pacs, peer):
        outcomes = send(peer, [*slices, cases.report(), implicit])
    assert all(outcome.is_success for outcome in outcomes)
    assert pacs.proposed == [
        {
            (CT, ExplicitVRLittleEndian),
            (SR, ExplicitVRLittleEndian),
            (CT, ImplicitVRLittleEndian),
        }
    ]


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007, 0x0107])
def test_a_warning_is_stored_and_said(status, slices):
    with archive(Archive(statuses={UIDS[1]: status}, comment="coerced")) as (_, peer):
        outcomes = send(peer, slices)
    assert all(outcome.is_success for outcome in outcomes)
    assert outcomes[1].status == status
    assert outcomes[1].text.endswith(": coerced")


@pytest.mark.parametrize("status", [0xA700, 0xA900, 0xC000, 0xC123, 0x0110, 0x0124, 0xFF00, 0xFE00])
def test_a_failure_is_that_instances_and_not_the_others(status, slices):
    with archive(Archive(statuses={UIDS[1]: status})) as (pacs, peer):
        outcomes = send(peer, slices)
    assert [outcome.is_success for outcome in outcomes] == [True, False, True, True]
    assert outcomes[1].status == status
    assert outcomes[1].text
    assert len(pacs.received) == 4


def test_a_class_the_node_refuses_fails_and_the_rest_is_stored(slices):
    with archive() as (pacs, peer):
        outcomes = send(peer, [slices[0], cases.report(), slices[1]])
    assert [outcome.is_success for outcome in outcomes] == [True, False, True]
    assert outcomes[1].status == 0x0122
    assert "Comprehensive 3D SR" in outcomes[1].text
    assert len(pacs.received) == 2


def test_a_node_that_takes_none_of_it_is_an_answer_and_not_a_fault():
    with archive() as (pacs, peer):
        (outcome,) = send(peer, [cases.report()])
    assert (outcome.is_success, outcome.status) == (False, 0x0122)
    assert not pacs.received


def test_a_transfer_syntax_the_node_refuses_is_named(slices):
    compressed = pydicom.dcmread(slices[0])
    compressed.file_meta.TransferSyntaxUID = JPEG2000Lossless
    compressed.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51"])
    compressed["PixelData"].is_undefined_length = True
    path = cases.write(compressed, slices[0].with_name("j2k.dcm"))
    with archive() as (_, peer):
        (outcome,) = send(peer, [path])
    assert not outcome.is_success
    assert "JPEG 2000" in outcome.text


def test_more_contexts_than_one_association_can_hold_take_two(slices):
    classes = [str(context.abstract_syntax) for context in AllStoragePresentationContexts[:130]]
    files = []
    for number, sop_class in enumerate(classes):
        dataset = cases.plain(sop_class, "OT")
        dataset.SOPInstanceUID = f"2.25.{number}"
        files.append(cases.write(dataset, slices[0].with_name(f"c{number}.dcm")))
    taken = dict.fromkeys(classes, [ExplicitVRLittleEndian])
    with archive(Archive(contexts=taken)) as (pacs, peer):
        outcomes = send(peer, files)
    assert [len(proposed) for proposed in pacs.proposed] == [128, 2]
    assert [outcome.sop_instance_uid for outcome in outcomes] == [f"2.25.{n}" for n in range(130)]


def test_an_abort_half_way_reports_only_what_was_answered(slices):
    pacs = archive(Archive(abort_after=2))
    with pacs as (_, peer), pytest.raises(StoreInterrupted) as interrupted:
        send(peer, slices)
    assert [o.sop_instance_uid for o in interrupted.value.outcomes] == UIDS[:2]
    assert all(outcome.is_success for outcome in interrupted.value.outcomes)
    assert interrupted.value.why == "the node ended the association"


def test_a_status_that_does_not_come_is_not_waited_for_long(slices):
    with archive(Archive(delay_seconds=3)) as (_, peer):
        started = time.monotonic()
        with pytest.raises(StoreInterrupted, match="no status in 0.5 s") as interrupted:
            send(peer, slices, timeout_seconds=0.5)
        assert time.monotonic() - started < 3
    assert interrupted.value.outcomes == ()


def test_a_node_that_stops_reading_does_not_hold_the_sender(tmp_path):
    large = ct_slices(1)[0]
    large.Rows = large.Columns = 4096
    large.PixelData = bytes(32 << 20)
    path = cases.write(large, tmp_path / "large.dcm")
    with archive() as (_, real), port_that(lambda client: _first_answer_of(real, client)) as peer:
        started = time.monotonic()
        with pytest.raises(StoreInterrupted):
            send(peer, [path], timeout_seconds=1)
        assert time.monotonic() - started < 8


def _first_answer_of(real, client):
    """Let a real node answer the association request, then never read again."""
    import socket

    upstream = socket.create_connection((real.host, real.port))
    upstream.sendall(client.recv(65536))
    client.sendall(upstream.recv(65536))
    upstream.close()


def test_a_port_where_nobody_listens_is_unreachable():
    peer = Peer("PACS", "127.0.0.1", free_port())
    with pytest.raises(Unreachable, match="refused") as unreachable:
        echo(peer, calling_ae_title="HUB")
    assert (unreachable.value.host, unreachable.value.port) == (peer.host, peer.port)


def test_a_name_nobody_knows_is_unreachable():
    with pytest.raises(Unreachable):
        echo(Peer("PACS", "no-such-host.invalid", 104), calling_ae_title="HUB")


@pytest.mark.parametrize("call", ["store", "echo", "find"])
def test_a_black_hole_ends_within_the_limit(call, slices):
    calls = {
        "store": lambda peer, **options: store(peer, files=slices, **options),
        "echo": echo,
        "find": lambda peer, **options: find_study(peer, study_instance_uid="1.2", **options),
    }
    with port_that(lambda client: None) as peer:
        started = time.monotonic()
        with pytest.raises(Unreachable, match="no answer in 0.5 s"):
            calls[call](peer, calling_ae_title="HUB", connect_timeout_seconds=0.5)
        assert time.monotonic() - started < 3


def test_a_port_that_hangs_up_is_unreachable(slices):
    said = pytest.raises(Unreachable, match="ended the connection|closed the connection")
    with port_that(lambda client: client.close()) as peer, said:
        send(peer, slices)


def test_a_node_that_does_not_know_us_says_so(slices):
    said = pytest.raises(AssociationRefused, match="Calling AE title not recognised")
    with archive(require_calling_aet=["SOMEONE"]) as (pacs, peer), said as refused:
        send(peer, slices)
    assert refused.value.source == "Service User"
    assert not refused.value.is_transient
    assert not pacs.received


def test_a_node_of_another_name_says_so():
    with archive(require_called_aet=True) as (_, peer):
        wrong = Peer("OTHER", peer.host, peer.port)
        with pytest.raises(AssociationRefused, match="Called AE title not recognised"):
            echo(wrong, calling_ae_title="HUB")


def test_a_file_that_does_not_say_what_it_is_stops_all_before_anything_is_sent(slices):
    with archive() as (pacs, peer), pytest.raises(NotSendable, match="file 2"):
        send(peer, [slices[0], b"no dicom at all", slices[1]])
    assert not pacs.proposed


def test_nothing_to_send_calls_nobody():
    assert send(Peer("PACS", "127.0.0.1", free_port()), []) == []


def test_an_echo_is_answered():
    with archive() as (_, peer):
        echo(peer, calling_ae_title="HUB")


def _match(uid, number):
    match = pydicom.Dataset()
    match.QueryRetrieveLevel, match.StudyInstanceUID = "STUDY", uid
    match.NumberOfStudyRelatedInstances = number
    match.PatientName, match.PatientID = "Oedegaard^Aase", STUDY.patient_id
    return match


@pytest.mark.parametrize(
    ("matches", "number"),
    [
        ([], "absent"),
        ([(0xFF00, _match("1.2", 300))], 300),
        ([(0xFF01, _match("1.2", None))], None),
    ],
)
def test_a_study_is_found_with_its_number_of_instances(matches, number):
    others = [(0xFF00, _match("1.2.3", 7)), (0xFF01, _match("1.2.4", 8))]
    with archive(Archive(matches=[*others, *matches])) as (_, peer):
        found = find_study(peer, calling_ae_title="HUB", study_instance_uid="1.2")
    if number == "absent":
        assert found is None
    else:
        assert found.number_of_study_related_instances == number


def test_a_query_that_fails_is_not_a_study_that_is_missing():
    pacs = archive(Archive(matches=[(0xA700, None)]))
    with pacs as (_, peer), pytest.raises(OperationFailed, match="0xA700") as failed:
        find_study(peer, calling_ae_title="HUB", study_instance_uid="1.2")
    assert failed.value.status == 0xA700


def test_a_node_without_query_says_so():
    pacs = archive(Archive(has_query=False))
    with pacs as (_, peer), pytest.raises(OperationFailed, match="0x0122"):
        find_study(peer, calling_ae_title="HUB", study_instance_uid="1.2")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder


def test_tls_is_spoken_and_its_failure_named(certificates, slices):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    trusting = ssl.create_default_context(cafile=certificates / "cert.pem")
    with archive(tls=server) as (pacs, peer):
        known = Peer(peer.ae_title, peer.host, peer.port, trusting)
        assert all(outcome.is_success for outcome in send(known, slices))
        stranger = Peer(peer.ae_title, peer.host, peer.port, ssl.create_default_context())
        with pytest.raises(Unreachable, match="TLS handshake failed"):
            send(stranger, slices)
    assert len(pacs.received) == 4


def test_two_workers_may_call_at_once(slices):
    said = []
    with archive() as (pacs, peer):
        workers = [
            threading.Thread(target=lambda: said.extend(send(peer, slices))) for _ in range(3)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert len(said) == 12
    assert all(outcome.is_success for outcome in said)


def test_no_patient_data_reaches_the_log(slices, caplog):
    caplog.set_level("DEBUG")
    with archive(Archive(matches=[(0xFF00, _match("1.2", 3))])) as (_, peer):
        send(peer, slices)
        find_study(peer, calling_ae_title="HUB", study_instance_uid="1.2")
    assert STUDY.patient_id not in caplog.text
    assert "Oedegaard" not in caplog.text
