"""Calling nodes written by others: dcmtk's storescp and Orthanc."""

import json

import pydicom
import pytest

from hub.dicom.association import AssociationRefused, Peer
from hub.dicom.scu import StoreInterrupted, echo, find_study, store
from tests.fakes.orthanc import running_orthanc
from tests.hub.dicom import returned_cases as cases
from tests.hub.dicom.nodes import storescp
from tests.hub.dicom.peers import missing
from tests.hub.dicom.sr_cases import HEAD_CT, STUDY, ct_slices, segmentation

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    """Give a running Orthanc, and how to ask its REST interface."""
    with running_orthanc(tmp_path_factory.mktemp("orthanc"), ae_title="ORTHANC") as pacs:
        peer = Peer("ORTHANC", "127.0.0.1", pacs.dicom_port)
        yield peer, lambda route: json.loads(pacs.ask(route))


@pytest.fixture
def files(tmp_path):
    slices = [cases.write(ct, tmp_path / f"{n}.dcm") for n, ct in enumerate(ct_slices())]
    return [*slices, cases.write(segmentation(), tmp_path / "seg.dcm"), cases.report()]


def test_orthanc_stores_images_segmentation_and_report(orthanc, files):
    peer, ask = orthanc
    outcomes = store(peer, calling_ae_title="HUB", files=files)
    assert [(outcome.is_success, outcome.text) for outcome in outcomes] == [(True, "")] * 5
    stored = {ask(f"instances/{one}/metadata?expand")["SopClassUid"] for one in ask("instances")}
    assert "1.2.840.10008.5.1.4.1.1.88.34" in stored
    assert "1.2.840.10008.5.1.4.1.1.66.4" in stored


def test_orthanc_is_asked_what_it_holds(orthanc, files):
    peer, _ = orthanc
    store(peer, calling_ae_title="HUB", files=files)
    found = find_study(peer, calling_ae_title="HUB", study_instance_uid=STUDY.study_instance_uid)
    assert found.number_of_study_related_instances == 5
    assert find_study(peer, calling_ae_title="HUB", study_instance_uid="1.2.3.999") is None


def test_orthanc_stores_the_same_report_once(orthanc, files):
    peer, ask = orthanc
    for _ in range(2):
        (outcome,) = store(peer, calling_ae_title="HUB", files=[files[-1]])
        assert outcome.is_success
    stored = [one["MainDicomTags"]["SOPInstanceUID"] for one in ask("instances?expand")]
    assert stored.count(outcome.sop_instance_uid) == 1


def test_orthanc_of_another_name_refuses(orthanc):
    peer, _ = orthanc
    with pytest.raises(AssociationRefused, match="Called AE title not recognised"):
        echo(Peer("OTHER", peer.host, peer.port), calling_ae_title="HUB")


def test_storescp_stores_byte_for_byte_what_was_sent(tmp_path, files):
    with storescp(tmp_path) as peer:
        outcomes = store(peer, calling_ae_title="HUB", files=files)
    assert all(outcome.is_success for outcome in outcomes)
    arrived = {
        dataset.SOPInstanceUID: dataset
        for dataset in map(pydicom.dcmread, (tmp_path / "received").iterdir())
    }
    assert set(arrived) == {outcome.sop_instance_uid for outcome in outcomes}
    sent = pydicom.dcmread(files[3])
    assert arrived[sent.SOPInstanceUID] == sent


def test_storescp_refuses_a_class_it_does_not_know_and_takes_the_rest(tmp_path, files):
    label_map = segmentation()
    label_map.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66.7"
    label_map.SOPInstanceUID = "2.25.777"
    unknown = cases.write(label_map, tmp_path / "labelmap.dcm")
    with storescp(tmp_path) as peer:
        outcomes = store(peer, calling_ae_title="HUB", files=[files[0], unknown, files[4]])
    assert [outcome.is_success for outcome in outcomes] == [True, False, True]
    assert label_map.SOPClassUID in outcomes[1].text
    assert len(list((tmp_path / "received").iterdir())) == 2


def test_an_abort_of_storescp_while_it_receives_is_never_success(tmp_path, files):
    with storescp(tmp_path, "--abort-during") as peer, pytest.raises(StoreInterrupted) as broken:
        store(peer, calling_ae_title="HUB", files=files)
    assert broken.value.outcomes == ()


def test_the_head_ct_of_the_corpus_is_stored_whole(tmp_path):
    if not HEAD_CT.exists():
        missing("the head CT of the corpus")
    slices = sorted(HEAD_CT.glob("*.dcm"))
    with storescp(tmp_path) as peer:
        outcomes = store(peer, calling_ae_title="HUB", files=slices)
    assert sum(outcome.is_success for outcome in outcomes) == len(slices) == 28
