import socket
import ssl
import struct
import threading
import time
from shutil import which

import pytest
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
)
from pynetdicom import evt

from hub.dicom import scp
from tests.hub.dicom.listening import (
    Hub,
    association_request,
    await_no_associations,
    raw,
    run,
    sendable,
)


@pytest.fixture
def hub():
    hub = Hub()
    yield hub
    hub.server.shutdown(0)


GARBAGE = {
    "text": b"GET / HTTP/1.1\r\n\r\n",
    "noise": bytes(range(256)) * 20,
    "a PDU of 4 GB": b"\x01\x00\xff\xff\xff\xff" + bytes(1000),
    "half a PDU": b"\x01\x00\x00\x00\x01\x00" + bytes(10),
    "an empty request": b"\x01\x00\x00\x00\x00\x00",
    "data before a request": b"\x04\x00\x00\x00\x00\x08\x00\x00\x00\x04\x01\x03\x00\x00",
    "an abort before a request": b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00",
    "nothing": b"",
}


@pytest.mark.parametrize("garbage", sorted(GARBAGE))
@pytest.mark.parametrize("hangs_up", [True, False])
def test_after_a_peer_that_talks_no_dicom_the_next_is_served(hub, garbage, hangs_up):
    peer = raw(hub, GARBAGE[garbage])
    if hangs_up:
        peer.close()
    assert hub.echoes()
    assert await_no_associations(hub)
    assert hub.asked == [("CT1", "127.0.0.1")]
    peer.close()


@pytest.mark.parametrize("is_refused", [False, True])
def test_of_peers_that_are_silent_or_were_refused_no_more_than_so_many_are_kept(is_refused):
    """Whoever is refused and does not close holds no more than who never asks."""
    hub = Hub(limits=scp.Limits(maximum_silent=5, association_seconds=60))
    request = association_request().replace(b"HUB".ljust(16), b"ANOTHER".ljust(16), 1)
    peers = [raw(hub, request if is_refused else b"") for _ in range(20)]
    try:
        until = time.monotonic() + 20
        # each that comes makes room
        while (is_served := hub.echoes()) and hub.server.associations > 6:
            assert time.monotonic() < until
        assert is_served
    finally:
        for peer in peers:
            peer.close()
        hub.server.shutdown(0)


def test_a_probe_of_the_port_takes_no_place_and_does_not_hold_up_the_end():
    hub = Hub(limits=scp.Limits(association_seconds=60))
    probe, until = raw(hub), time.monotonic() + 5
    while not hub.server.associations and time.monotonic() < until:
        time.sleep(0.01)
    probe.close()
    assert await_no_associations(hub, until - time.monotonic())
    hub.server.shutdown(grace=60)
    assert time.monotonic() < until


def test_a_peer_that_connected_and_asked_nothing_does_not_hold_up_the_end():
    hub = Hub(limits=scp.Limits(association_seconds=60))
    silent, until = raw(hub), time.monotonic() + 10
    while not hub.server.associations and time.monotonic() < until:
        time.sleep(0.01)
    hub.server.shutdown(grace=60)
    assert time.monotonic() < until
    silent.close()


def test_a_connection_made_as_the_listener_closes_does_not_hold_up_the_end():
    for moment in range(15):
        hub = Hub(limits=scp.Limits(association_seconds=60))
        peer, until = raw(hub), time.monotonic() + 5
        time.sleep(moment / 2000)
        hub.server.shutdown(grace=60)
        assert time.monotonic() < until
        peer.close()


@pytest.mark.parametrize("ending", ["abort", "reset", "silence"])
def test_an_instance_that_breaks_off_is_not_stored_and_the_next_is_served(hub, ending):
    peer = raw(hub, association_request())
    assert peer.recv(4096)[:1] == b"\x02"
    # A P-DATA-TF of 100,000 bytes of which a few come.
    peer.sendall(b"\x04\x00" + struct.pack(">L", 100_000) + bytes(500))
    if ending == "abort":
        peer.sendall(bytes(99_500) + b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00")
    if ending == "reset":
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
    assert hub.echoes()
    assert await_no_associations(hub)
    assert hub.instances == []
    peer.close()


def test_a_peer_that_aborts_while_its_instance_is_being_stored_harms_nobody():
    going_on, stored = threading.Event(), threading.Event()

    def on_store(received):
        going_on.set()
        time.sleep(0.5)
        stored.set()
        return scp.SUCCESS

    hub = Hub(on_store=on_store)
    association = hub.associate((CTImageStorage, ExplicitVRLittleEndian))
    threading.Thread(target=association.send_c_store, args=(sendable(),)).start()
    assert going_on.wait(5)
    association.abort()
    assert stored.wait(5)
    assert await_no_associations(hub)
    assert hub.echoes()
    hub.server.shutdown(0)


def test_shutdown_lets_a_running_transfer_end_and_takes_no_new_one():
    going_on, statuses = threading.Event(), []

    def on_store(received):
        going_on.set()
        time.sleep(0.5)
        return scp.SUCCESS

    hub = Hub(on_store=on_store)
    association = hub.associate((CTImageStorage, ExplicitVRLittleEndian))

    def send():
        statuses.append(association.send_c_store(sendable()).Status)
        association.release()

    sender = threading.Thread(target=send)
    sender.start()
    assert going_on.wait(5)
    hub.server.shutdown(grace=5)
    sender.join(5)
    assert statuses == [scp.SUCCESS]
    with pytest.raises(ConnectionRefusedError):
        raw(hub)


def test_shutdown_aborts_what_does_not_end_in_time_and_leaves_no_thread():
    before = threading.active_count()
    hub = Hub(limits=scp.Limits())
    aborted = threading.Event()
    hub.associate(evt_handlers=[(evt.EVT_ABORTED, lambda event: aborted.set())])
    stuck = raw(hub, b"\x01\x00\x00\x00\x01\x00" + bytes(10))
    time.sleep(0.2)
    started = time.monotonic()
    hub.server.shutdown(grace=0.2)
    hub.server.shutdown(grace=0.2)
    assert time.monotonic() - started < 5
    assert aborted.wait(2)
    stuck.close()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert threading.active_count() <= before


def certificate(folder):
    key, cert = str(folder / "key.pem"), str(folder / "cert.pem")
    made = run(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-subj", "/CN=127.0.0.1", "-keyout", key, "-out", cert),
    )
    assert made.returncode == 0, made.stderr
    return key, cert


@pytest.mark.peer
@pytest.mark.skipif(which("openssl") is None, reason="openssl is not installed")
def test_over_tls_a_silent_or_plain_peer_does_not_hold_up_the_next(tmp_path):
    key, cert = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.load_verify_locations(cert)
    context.verify_mode = ssl.CERT_REQUIRED
    hub = Hub(ssl_context=context)
    silent, plain = raw(hub), raw(hub, association_request())
    client = ssl.create_default_context(cafile=cert)
    client.check_hostname = False
    client.load_cert_chain(cert, key)
    started = time.monotonic()
    association = hub.associate(tls_args=(client, "127.0.0.1"))
    assert association.is_established
    assert association.send_c_echo().Status == 0
    association.release()
    assert time.monotonic() - started < 1
    stranger = ssl.create_default_context(cafile=cert)
    stranger.check_hostname = False
    assert not hub.associate(tls_args=(stranger, "127.0.0.1")).is_established
    assert hub.asked == [("CT1", "127.0.0.1")]
    for peer in (silent, plain):
        peer.close()
    hub.server.shutdown(0)
