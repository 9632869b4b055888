"""DICOM and HL7 as tried by who has no business there: no row, no answer that tells, no flood."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from django.apps import apps
from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom import sop_class as classes
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from hub.dicom import scp
from hub.dicom.limiting import AssociationLimits
from hub.hl7.er7 import Message as Er7
from hub.models import AuditEvent, Node
from routing.intake import Intake
from routing.models import Order, SetAside, Study
from routing.peers import Peers
from routing.receiving import take
from routing.steps.receive import Receiver
from tests.builders.orders import order_message
from tests.builders.studies import head_ct
from tests.hub.dicom.listening import keep, rejection
from tests.routing.conftest import Place

pytestmark = pytest.mark.django_db(transaction=True)

# pynetdicom knows these by other names than the standard, so takes them for a scanner's private
# classes, and accepts the context; what is then asked over it is refused all the same.
ACCEPTED_AND_NOT_SERVED = {
    classes.ModalityWorklistInformationFind,
    *(f"1.2.840.10008.5.1.4.39.{number}" for number in (2, 3, 4)),
}
# result, source and reason: calling AE title not recognised (PS3.8 9.3.4)
NOT_RECOGNISED = (1, 1, 3)
# refused: unrecognised operation, SOP class not supported, not authorised (PS3.7 C)
REFUSALS = (0x0211, 0x0122, 0x0124)
# each gives what came of it: (status, data set) pairs
REQUESTS = {
    "C-FIND": lambda made, uid: made.send_c_find(a_query(), uid),
    "C-GET": lambda made, uid: made.send_c_get(a_query(), uid),
    "C-MOVE": lambda made, uid: made.send_c_move(a_query(), "STRANGER", uid),
    "N-GET": lambda made, uid: [made.send_n_get([0x00100010], uid, "1.2.3")],
    "N-SET": lambda made, uid: [made.send_n_set(a_query(), uid, "1.2.3")],
    "N-CREATE": lambda made, uid: [made.send_n_create(a_query(), uid, "1.2.3")],
    "N-DELETE": lambda made, uid: [(made.send_n_delete(uid, "1.2.3"), None)],
    "N-ACTION": lambda made, uid: [made.send_n_action(a_query(), 1, uid, "1.2.3")],
    "N-EVENT-REPORT": lambda made, uid: [made.send_n_event_report(a_query(), 1, uid, "1.2.3")],
}  # fmt: skip
# Storage, what is accepted though nobody serves it, and the SOP classes that these services are of.
ASKED_OVER = (
    classes.CTImageStorage,
    classes.Verification,
    classes.ModalityWorklistInformationFind,
    "1.2.840.10008.5.1.4.39.2",
)


@pytest.fixture
def hub(place: Place) -> Iterator[scp.Server]:
    peers, receiver = Peers(AssociationLimits(told_at_once=3, told_per_minute=1)), Receiver()
    server = scp.serve(
        ae_title="HUB", bind="127.0.0.1", port=0, policy=peers.policy,
        on_store=partial(take, peers, receiver),
    )  # fmt: skip
    yield server
    server.shutdown()
    receiver.close()


def associate(hub: scp.Server, calling: str, contexts: list[Any], called: str = "HUB") -> Any:
    ae = AE(ae_title=calling)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 10
    came: list[Any] = []
    association = ae.associate(
        "127.0.0.1", hub.port, contexts=contexts, ae_title=called,
        evt_handlers=[(evt.EVT_PDU_RECV, keep, [came])],
    )  # fmt: skip
    association.came = came  # type: ignore[attr-defined]
    return association


def nothing_came(*, but: tuple[str, ...] = ()) -> bool:
    """Whether no row of a patient's was written."""
    rows = ("Study", "Series", "Instance", "Order", "Message", "Workitem", "Delivery", "SetAside")
    models = [model for model in apps.get_app_config("routing").get_models()]
    return not any(
        model._base_manager.exists() for model in models
        if model.__name__ in rows and model.__name__ not in but
    )  # fmt: skip


@pytest.mark.parametrize("calling", ["STRANGER", "DRAMMENPACS2", "drammenpacs", "HUB", "*", "%"])
def test_an_ae_title_that_nobody_set_up_gets_no_association(hub: Any, calling: str) -> None:
    association = associate(hub, calling, AllStoragePresentationContexts[:20])
    assert rejection(association) == NOT_RECOGNISED
    assert nothing_came()


def test_the_ae_title_of_a_node_from_another_address_gets_none(hub: Any, place: Place) -> None:
    Node.objects.filter(pk=place.rows.pacs.pk).update(host="127.0.0.9")
    association = associate(hub, "DRAMMENPACS", AllStoragePresentationContexts[:20])
    assert rejection(association) == NOT_RECOGNISED
    assert nothing_came()


def test_a_node_that_may_only_receive_gets_none(hub: Any, place: Place) -> None:
    Node.objects.filter(pk=place.rows.pacs.pk).update(roles=["results"])
    association = associate(hub, "DRAMMENPACS", AllStoragePresentationContexts[:20])
    assert rejection(association) == NOT_RECOGNISED


def test_a_hub_of_another_name_is_not_here(hub: Any) -> None:
    contexts = AllStoragePresentationContexts[:20]
    assert rejection(associate(hub, "DRAMMENPACS", contexts, called="OTHERHUB")) == (1, 1, 7)


def a_query() -> Dataset:
    """What would find, change or fetch the first study, were it served."""
    query = Dataset()
    query.QueryRetrieveLevel, query.PatientID = "STUDY", ""
    query.StudyInstanceUID, query.PatientName = "", ""
    return query


def rows_of_all() -> dict[str, list[Any]]:
    """Every row of the hub, but for the audit trail's of associations."""
    models = [*apps.get_app_config("routing").get_models(), Node]
    return {one.__name__: list(one._base_manager.order_by("pk").values()) for one in models}


@pytest.mark.once  # refused before any row is asked for
@pytest.mark.parametrize("uid", ASKED_OVER)
@pytest.mark.parametrize("request_name", REQUESTS)
def test_no_service_but_storage_and_echo_does_or_tells_anything(
    hub: Any, place: Place, request_name: str, uid: str
) -> None:
    """Asked by a known node that may only store, over a context that it has."""
    place.send(head_ct(slices=1))
    before, events = rows_of_all(), AuditEvent.objects.count()
    association = associate(hub, place.rows.other_pacs.ae_title, [build_context(uid)])
    assert association.is_established
    association.dimse_timeout = 2
    for status, dataset in REQUESTS[request_name](association, uid):
        # Refused by a status, or the association is aborted, which is no answer.
        assert "Status" not in status or status.Status in REFUSALS, (uid, status)
        assert not dataset, f"{request_name} was answered with a data set"
    association.abort()
    assert rows_of_all() == before
    assert AuditEvent.objects.count() == events
    again = associate(hub, place.rows.other_pacs.ae_title, [build_context(classes.Verification)])
    assert again.send_c_echo().Status == 0x0000
    again.release()


def test_every_service_of_dimse_is_among_those_tried() -> None:
    """From pynetdicom's own list, so that one it learns is tried as well."""
    senders = {name for name in dir(Association) if name.startswith(("send_c_", "send_n_"))}
    tried = {f"send_{name.lower().replace('-', '_')}" for name in REQUESTS}
    # served are storage and echo; to cancel is to ask for nothing, and is not answered
    assert senders - tried == {"send_c_store", "send_c_echo", "send_c_cancel"}


@pytest.mark.parametrize("calling", ["STRANGER", "HUB"])
def test_a_stranger_gets_no_association_for_any_service(hub: Any, calling: str) -> None:
    for uid in ASKED_OVER:
        association = associate(hub, calling, [build_context(uid)])
        assert rejection(association) == NOT_RECOGNISED
        # Nothing can be asked over what was rejected.
        for request in REQUESTS.values():
            with pytest.raises(RuntimeError):
                list(request(association, uid))
    assert nothing_came()


def test_every_query_and_retrieve_and_step_that_pynetdicom_knows_is_not_offered(hub: Any) -> None:
    """From pynetdicom's own tables, so that a service it learns is tried as well."""
    tables = [
        getattr(classes, name) for name in dir(classes)
        if name.endswith("_CLASSES")
        and name not in ("_STORAGE_CLASSES", "_VERIFICATION_CLASSES", "_SERVICE_CLASSES")
    ]  # fmt: skip
    uids = sorted({str(uid) for table in tables for uid in table.values()})
    assert len(uids) > 60
    offered: set[str] = set()
    for start in range(0, len(uids), 100):
        asked = [build_context(one) for one in [*uids[start : start + 100], classes.Verification]]
        association = associate(hub, "DRAMMENPACS", asked)
        offered |= {str(one.abstract_syntax) for one in association.accepted_contexts}
        association.release()
    assert offered - ACCEPTED_AND_NOT_SERVED == {classes.Verification}


def test_uids_of_another_site_make_a_study_of_the_own_and_touch_no_other(
    hub: Any, place: Place
) -> None:
    (instance,) = head_ct(slices=1)
    place.send([instance])
    theirs = Study.objects.get()
    before = (theirs.instance_count, theirs.patient_id, theirs.revision, theirs.changed_at)
    (forged,) = head_ct(slices=1, PatientID="FORGED", PatientName="Forged^Name")
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(forged, keyword, getattr(instance, keyword))
    forged.file_meta = instance.file_meta
    context = build_context(forged.SOPClassUID, forged.file_meta.TransferSyntaxUID)
    association = associate(hub, place.rows.other_pacs.ae_title, [context])
    assert association.send_c_store(forged).Status == scp.SUCCESS
    association.release()
    theirs.refresh_from_db()
    assert (theirs.instance_count, theirs.patient_id, theirs.revision, theirs.changed_at) == before
    own = Study.objects.exclude(pk=theirs.pk).get()
    assert (own.site, own.patient_id) == (place.rows.other_site, "FORGED")


def test_a_stranger_that_tries_without_end_fills_no_audit_trail(hub: Any) -> None:
    for number in range(12):
        rejection(associate(hub, f"S{number}", [build_context(classes.Verification)]))
    assert AuditEvent.objects.filter(action="association.refused").count() == 3


def test_a_node_in_an_endless_loop_is_told_to_come_later(place: Place) -> None:
    peers = Peers(AssociationLimits(per_minute=1, burst=2))
    answers = [peers.policy("DRAMMENPACS", "127.0.0.1") for _ in range(3)]
    assert answers[:2] == [None, None]
    assert answers[2] is not None
    assert answers[2].is_temporary
    assert peers.policy(place.rows.other_pacs.ae_title, "127.0.0.1") is None


# -- HL7 ---------------------------------------------------------------------------------------
def taken(raw: bytes, address: str = "127.0.0.1") -> Er7:
    intake = Intake()
    try:
        return Er7.from_bytes(intake.take(raw, address))
    finally:
        intake.close()


@pytest.mark.parametrize("facility", [b"ULLEVAL", b"", b"drammen", b"DRAMMEN2", b"*"])
def test_a_sender_that_nobody_set_up_is_refused_and_makes_no_order(
    place: Place, facility: bytes
) -> None:
    raw = order_message().replace(b"|DRAMMEN|", b"|" + facility + b"|", 1)
    assert raw != order_message()
    answer = taken(raw)
    assert answer.segment("MSA").value(1) == "AR"
    assert nothing_came(but=("SetAside",))


def test_a_sender_from_another_address_is_refused(place: Place) -> None:
    assert taken(order_message(), "10.9.9.9").segment("MSA").value(1) == "AR"
    assert nothing_came(but=("SetAside",))


def test_an_order_of_another_site_touches_no_study_and_no_order_of_this_one(place: Place) -> None:
    place.send(head_ct(slices=1))
    place.order(order_message())
    study, order = Study.objects.get(), Order.objects.get()
    before = (study.order_id, study.priority, order.priority, order.patient)
    site = place.rows.other_site.code.upper().encode()
    raw = order_message(control_id="X9", name="Forged^Name")
    taken(raw.replace(b"|DRAMMEN|", b"|" + site + b"|", 1))
    study.refresh_from_db()
    order.refresh_from_db()
    assert (study.order_id, study.priority, order.priority, order.patient) == before
    forged = Order.objects.exclude(pk=order.pk).get()
    assert forged.site == place.rows.other_site
    assert not forged.studies.exists()


def test_what_was_refused_is_kept_and_shown_to_no_site(place: Place) -> None:
    taken(order_message().replace(b"|DRAMMEN|", b"|ULLEVAL|", 1))
    assert SetAside.objects.exists()
    assert not SetAside.objects.visible_to(place.rows.radiologist).exists()
    assert not SetAside.objects.visible_to(place.rows.other_radiologist).exists()
