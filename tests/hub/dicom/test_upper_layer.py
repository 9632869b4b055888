"""The upper layer against pynetdicom's own acceptor, with peers that no library would be."""

import random
import socket
import struct
import time
from contextlib import contextmanager, suppress

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, _config, build_context, evt
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.sop_class import Verification

from hub.dicom import commands, scp
from hub.dicom.commands import Command
from hub.dicom.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from tests.hub.dicom.encoded import encode, minimal
from tests.hub.dicom.listening import QUICK, Hub, await_no_associations

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
RELEASE_RQ = b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00"
RELEASE_RP = b"\x06\x00\x00\x00\x00\x04\x00\x00\x00\x00"
DATASET = encode(minimal(PatientID="4711", PixelData=bytes(3000)))


def abort(source, reason):
    return b"\x07\x00\x00\x00\x00\x04\x00\x00" + bytes([source, reason])


# -- what a peer sends -------------------------------------------------------------------------
def association(*items, contexts=None, maximum=16_384, version=1):
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title, primitive.called_ae_title = "CT1", "HUB"
    asked = contexts or [
        (CTImageStorage, [ExplicitVRLittleEndian]),
        (Verification, [ImplicitVRLittleEndian]),
    ]
    built = [build_context(abstract, syntaxes) for abstract, syntaxes in asked]
    for number, context in enumerate(built):
        context.context_id = 2 * number + 1
    primitive.presentation_context_definition_list = built
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = maximum
    implementation.implementation_class_uid = "1.2.3"
    primitive.user_information = [length, implementation, *items]
    pdu = A_ASSOCIATE_RQ(primitive)
    pdu.protocol_version = version
    return pdu.encode()


def item(kind, **values):
    made = kind()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def command(field=1, *, message_id=1, data_set_type=1, instance="1.2.3.4", sop_class=None):
    asked = Command(field, message_id, True, sop_class or str(CTImageStorage), instance)
    encoded = commands.response(asked, 0)
    # a request has its own number, where a response has that of the request
    encoded = encoded.replace(struct.pack("<HHL", 0, 0x120, 2), struct.pack("<HHL", 0, 0x110, 2))
    encoded = encoded.replace(
        struct.pack("<HHLH", 0, 0x100, 2, field | 0x8000), struct.pack("<HHLH", 0, 0x100, 2, field)
    )
    encoded = encoded.replace(
        struct.pack("<HHLH", 0, 0x800, 2, 0x101), struct.pack("<HHLH", 0, 0x800, 2, data_set_type)
    )
    # (0000,0900) of a response stands where a request has its priority.
    return encoded.replace(struct.pack("<HHL", 0, 0x900, 2), struct.pack("<HHL", 0, 0x700, 2))


def pdv(control, data, context_id=1):
    return struct.pack(">LBB", len(data) + 2, context_id, control) + data


def pdu(*pdvs, kind=4):
    body = b"".join(pdvs)
    return struct.pack(">BxL", kind, len(body)) + body


ECHO = pdu(pdv(3, command(0x30, data_set_type=0x101, instance="", sop_class=Verification), 3))
STORE = [pdu(pdv(3, command())), pdu(pdv(2, DATASET))]


# -- two who answer ------------------------------------------------------------------------------
@contextmanager
def oracle():
    """Listen with pynetdicom, set up as the hub's own; give its port and what it stored."""
    ae, stored = AE("HUB"), []
    ae.add_supported_context(Verification)
    ae.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    ae.maximum_pdu_size = QUICK.maximum_pdu_length
    ae.acse_timeout = ae.network_timeout = ae.dimse_timeout = 5

    def store(event):
        stored.append(event.request.DataSet.getvalue())
        return 0

    _config.UNRESTRICTED_STORAGE_SERVICE = True
    server = ae.start_server(("127.0.0.1", 0), False, evt_handlers=[(evt.EVT_C_STORE, store)])
    try:
        yield server.server_address[1], stored
    finally:
        server.shutdown()
        _config.UNRESTRICTED_STORAGE_SERVICE = False


@pytest.fixture(scope="module")
def theirs():
    with oracle() as listening:
        yield listening


@pytest.fixture(scope="module")
def hub():
    hub = Hub()
    yield hub
    hub.server.shutdown(0)


def converse(port, *pieces):
    """Send pieces all at once, and read what is answered until a last word or the closing."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
        peer.sendall(b"".join(pieces))
        answered = bytearray()
        with suppress(ConnectionError, TimeoutError):
            while received := peer.recv(1 << 16):
                answered += received
                if answered.endswith(RELEASE_RP) or answered[-10:-4] == abort(0, 0)[:6]:
                    break
        return bytes(answered)


def read_pdu(peer):
    head = peer.recv(6, socket.MSG_WAITALL)
    return head + peer.recv(struct.unpack(">L", head[2:])[0], socket.MSG_WAITALL)


def talk(port, request, pieces=(), messages=0):
    """Go through an association, each thing after the answer to the last; give all answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.sendall(request)
        answers = [read_pdu(peer)]
        if answers[0][:1] != b"\x02":
            return answers
        for piece in pieces:
            peer.sendall(piece)
        while messages:
            answers.append(read_pdu(peer))
            # the control header of a last fragment
            messages -= bool(answers[-1][11] & 2)
        peer.sendall(RELEASE_RQ)
        return [*answers, read_pdu(peer)]


def both(hub, theirs, *conversation):
    """Have the same conversation with both; give both answers, and see that both stored alike."""
    hub.instances.clear()
    theirs[1].clear()
    ours, others = talk(hub.port, *conversation), talk(theirs[0], *conversation)
    assert [bytes(one.dataset) for one in hub.instances] == theirs[1]
    return ours, others


REQUESTS = {
    "plain": association(),
    "any length": association(maximum=0),
    "nothing acceptable": association(contexts=[(FIND, [ImplicitVRLittleEndian])]),
    "verification in an odd syntax": association(contexts=[(Verification, ["1.2.840.999"])]),
    "128 contexts": association(
        contexts=[(f"1.2.999.{n}", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
                  for n in range(128)]
    ),
    "a later version": association(version=2),
    "several versions": association(version=3),
    "a role as SCP": association(
        item(SCP_SCU_RoleSelectionNegotiation, sop_class_uid=CTImageStorage,
             scu_role=False, scp_role=True)
    ),
    "both roles": association(
        item(SCP_SCU_RoleSelectionNegotiation, sop_class_uid=CTImageStorage,
             scu_role=True, scp_role=True),
        item(SCP_SCU_RoleSelectionNegotiation, sop_class_uid=Verification,
             scu_role=True, scp_role=True),
    ),
    "asynchronous operations": association(
        item(AsynchronousOperationsWindowNegotiation, maximum_number_operations_invoked=5,
             maximum_number_operations_performed=5)
    ),
    "a user with a password": association(
        item(UserIdentityNegotiation, user_identity_type=2, positive_response_requested=True,
             primary_field=b"jane", secondary_field=b"secret")
    ),
    "extended negotiation": association(
        item(SOPClassExtendedNegotiation, sop_class_uid=CTImageStorage,
             service_class_application_information=b"\x02\x00\x03\x00\x01\x00"),
        item(SOPClassCommonExtendedNegotiation, sop_class_uid=CTImageStorage,
             service_class_uid="1.2.840.10008.4.2"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_an_association_request_is_answered_byte_for_byte_as_pynetdicom_does(hub, theirs, name):
    ours, others = both(hub, theirs, REQUESTS[name])
    assert ours == others
    assert ours[0][:1] in (b"\x02", b"\x03")


def whole(*pieces):
    return [association(), *pieces, RELEASE_RQ]


# What is sent, and how many messages answer it.
CONVERSATIONS = {
    "echo": ([ECHO], 1),
    "echo, twice, in one packet": ([ECHO + ECHO], 2),
    "echo over a storage context": (
        [pdu(pdv(3, command(0x30, data_set_type=0x101, instance="", sop_class=Verification)))], 1
    ),
    "store": (STORE, 1),
    "store, three times, in one packet": ([b"".join(STORE * 3)], 3),
    "byte by byte": ([bytes([byte]) for byte in b"".join(STORE)], 1),
    "command in pieces": (
        [pdu(pdv(1, command()[:50])), pdu(pdv(1, b"")), pdu(pdv(3, command()[50:])), STORE[1]], 1
    ),
    "all in one PDU": ([pdu(pdv(3, command()), pdv(0, DATASET[:9]), pdv(2, DATASET[9:]))], 1),
    "data in many PDVs": (
        [STORE[0], pdu(*(pdv(0, DATASET[n : n + 7]) for n in range(0, 700, 7))),
         pdu(pdv(0, b""), pdv(0, DATASET[700:])), pdu(pdv(2, b""))], 1
    ),
    "an odd control header": ([pdu(pdv(0xFF, command())), pdu(pdv(0xFE, DATASET))], 1),
    "another data set type": ([pdu(pdv(3, command(data_set_type=0))), STORE[1]], 1),
    "released in the middle": ([STORE[0], pdu(pdv(0, DATASET))], 0),
    "cancel of nothing": ([pdu(pdv(3, command(0xFFF, data_set_type=0x101))), ECHO], 1),
}  # fmt: skip


@pytest.mark.parametrize("maximum", [0, 20, 16_384])
@pytest.mark.parametrize("name", sorted(CONVERSATIONS))
def test_a_conversation_goes_byte_for_byte_as_with_pynetdicom(hub, theirs, name, maximum):
    ours, others = both(hub, theirs, association(maximum=maximum), *CONVERSATIONS[name])
    assert ours == others
    assert ours[-1] == RELEASE_RP
    assert all(len(pdu) - 6 <= maximum for pdu in ours[1:] if maximum)


BROKEN = {
    "unknown PDU": (pdu(kind=9), (2, 1)),
    "second request": (association(), (2, 2)),
    "accepting": (pdu(bytes(4), kind=2), (2, 2)),
    "rejecting": (pdu(bytes(4), kind=3), (2, 2)),
    "release without request": (RELEASE_RP, (2, 2)),
    "long release": (pdu(bytes(6), kind=5), (2, 6)),
    "PDV longer than its PDU": (pdu(b"\0\0\1\0\1\3"), (2, 6)),
    "PDV without anything": (pdu(b"\0\0\0\1\1\3"), (2, 6)),
    "half a PDV": (pdu(b"\0\0\0"), (2, 6)),
    "PDU of 4 GB": (b"\x04\x00\xff\xff\xff\xff", (2, 6)),
    "context that was refused": (pdu(pdv(3, command(), 5)), (2, 6)),
    "data set before a command": (pdu(pdv(2, DATASET)), (2, 5)),
    "two commands": (STORE[0] + STORE[0], (2, 5)),
    "data of another context": (STORE[0] + pdu(pdv(2, DATASET, 3)), (2, 5)),
    "no command": (pdu(pdv(3, b"garbage")), (2, 6)),
    "unknown command": (pdu(pdv(3, command(0x77, data_set_type=0x101))), (2, 6)),
    "endless command": (pdu(pdv(1, bytes(60_000))) + pdu(pdv(1, bytes(60_000))), (2, 6)),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_what_breaks_the_protocol_is_aborted_with_its_reason_and_stores_nothing(hub, name):
    sent, (source, reason) = BROKEN[name]
    hub.instances.clear()
    answered = converse(hub.port, association(), sent)
    assert answered[:1] == b"\x02"
    assert answered.endswith(abort(source, reason))
    assert hub.instances == []


BEFORE = {
    "data": pdu(pdv(2, DATASET)),
    "release": RELEASE_RQ,
    "unknown": pdu(kind=0x47),
    "empty request": pdu(kind=1),
    "request of 4 GB": b"\x01\x00\xff\xff\xff\xff",
}


@pytest.mark.parametrize("name", sorted(BEFORE))
def test_what_comes_before_a_request_is_aborted_by_the_user(hub, name):
    assert converse(hub.port, BEFORE[name]) == abort(0, 0)


@pytest.mark.parametrize("field", sorted(commands.OTHER_REQUESTS))
@pytest.mark.parametrize("has_data", [True, False])
def test_a_service_that_is_not_offered_is_refused_and_the_association_goes_on(hub, field, has_data):
    asked = pdu(pdv(3, command(field, message_id=9, data_set_type=1 if has_data else 0x101)))
    data = [pdu(pdv(2, DATASET))] if has_data else []
    answered = converse(hub.port, *whole(asked, *data, ECHO))
    told = commands.response(Command(field, 9, has_data, str(CTImageStorage), "1.2.3.4"), 0x0211)
    assert b"".join(commands.fragments(1, told, 16_384)) in answered
    assert answered.endswith(RELEASE_RP)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (pdu(pdv(3, command(data_set_type=0x101))), scp.CANNOT_UNDERSTAND),
        (pdu(pdv(3, command(instance=""))) + STORE[1], scp.CANNOT_UNDERSTAND),
        (pdu(pdv(3, command(), 3)) + pdu(pdv(2, DATASET, 3)), 0x0122),
    ],
)
def test_a_c_store_that_cannot_be_one_is_answered_and_not_stored(hub, sent, status):
    hub.instances.clear()
    answered = converse(hub.port, *whole(sent))
    assert struct.pack("<HHLH", 0, 0x900, 2, status) in answered
    assert answered.endswith(RELEASE_RP)
    assert hub.instances == []


def test_an_idle_association_is_aborted_by_the_user(hub):
    started = time.monotonic()
    answered = converse(hub.port, association(), ECHO)
    assert answered.endswith(abort(0, 0))
    assert time.monotonic() - started >= QUICK.idle_seconds


def test_a_pdu_that_trickles_in_is_aborted_when_its_time_is_over(hub):
    with socket.create_connection(("127.0.0.1", hub.port), timeout=5) as peer:
        peer.sendall(association())
        assert peer.recv(4096)[:1] == b"\x02"
        peer.sendall(b"\x04\x00\x00\x01\x00\x00")
        with suppress(ConnectionError):
            for _ in range(40):
                time.sleep(0.05)
                peer.sendall(b"\0")
        assert peer.recv(4096)[:1] in (b"\x07", b"")


def test_after_the_release_a_peer_that_does_not_close_is_waited_for_and_then_let_go(hub):
    with socket.create_connection(("127.0.0.1", hub.port), timeout=5) as peer:
        peer.sendall(association() + RELEASE_RQ)
        started = time.monotonic()
        received = bytearray()
        while piece := peer.recv(4096):
            received += piece
        assert received.endswith(RELEASE_RP)
        assert time.monotonic() - started >= QUICK.association_seconds * 0.9


def test_a_request_after_the_release_is_aborted(hub):
    with socket.create_connection(("127.0.0.1", hub.port), timeout=5) as peer:
        peer.sendall(association() + RELEASE_RQ + association())
        received = bytearray()
        while piece := peer.recv(4096):
            received += piece
        assert received.endswith(RELEASE_RP + abort(2, 2))


def test_no_noise_stops_the_listener_or_is_stored_as_something_else():
    """Conversations with bytes changed, cut out and doubled, from a seed that a failure names."""
    hub = Hub(limits=scp.Limits(association_seconds=0.2, idle_seconds=0.2, pdu_seconds=0.2))
    good = [b"".join(whole(*pieces)) for pieces, _ in CONVERSATIONS.values()]
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    for _ in range(300):
        sent = bytearray(chance.choice(good))
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(len(sent))
            sent[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        peer = socket.create_connection(("127.0.0.1", hub.port), timeout=5)
        with peer, suppress(ConnectionError):
            peer.sendall(sent)
    assert await_no_associations(hub), seed
    hub.instances.clear()
    assert hub.echoes(), seed
    assert hub.store(DATASET) == scp.SUCCESS, seed
    assert bytes(hub.instances[-1].dataset) == DATASET
    hub.server.shutdown(0)
