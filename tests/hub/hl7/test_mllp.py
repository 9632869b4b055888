"""MLLP over real sockets: nothing is lost, nobody waits for another, every end is clean."""

import asyncio
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hub.hl7.ack import read_ack
from hub.hl7.frames import FrameReader, FrameTooLarge, frame
from hub.hl7.mllp import (
    Limits,
    MllpConnection,
    MllpServer,
    NoAnswer,
    PortTaken,
    Unreachable,
)
from tests.hub.hl7 import samples
from tests.hub.hl7.peers import (
    acknowledge,
    echo,
    eventually,
    is_hung_up,
    raw_peer,
    receive,
)


def test_many_messages_go_over_one_connection_and_are_answered_in_order() -> None:
    async def slower_at_first(message: bytes, peer: str) -> bytes:
        await asyncio.sleep(0.05 if message == b"m0" else 0)
        return message

    with MllpServer(slower_at_first) as server, raw_peer(server.port) as peer:
        peer.sendall(b"".join(frame(b"m%d" % n) for n in range(50)))
        assert receive(peer, 50) == [b"m%d" % n for n in range(50)]
        assert server.connection_count == 1


def test_a_message_in_single_bytes_is_one_message() -> None:
    with MllpServer(echo) as server, raw_peer(server.port) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in frame("æøå".encode()):
            peer.sendall(bytes([byte]))
        assert receive(peer, 1) == ["echo æøå".encode()]


def test_a_message_of_15_megabytes_passes() -> None:
    message = b"MSH|" + b"x" * 15 * 1024 * 1024
    with MllpServer(lambda m, p: str(len(m)).encode()) as server:
        connection = MllpConnection("127.0.0.1", server.port, 20)
        assert connection.send(message) == str(len(message)).encode()
        connection.close()


def test_a_frame_without_its_last_byte_is_answered_after_a_moment() -> None:
    limits = Limits(carriage_return_seconds=0.1)
    with MllpServer(echo, limits=limits) as server, raw_peer(server.port) as peer:
        peer.sendall(b"\x0bone\x1c")
        assert receive(peer, 1) == [b"echo one"]
        peer.sendall(b"\r\x0btwo\x1c\r")
        assert receive(peer, 1) == [b"echo two"]


def test_a_message_cut_short_by_a_restart_is_not_mixed_with_the_next() -> None:
    reader = FrameReader()
    cut = b"\x0bMSH|^~\\&|A\rPID|1||4711\r"
    assert reader.feed(cut + frame(b"MSH|^~\\&|B\rPID|1||4712")) == [b"MSH|^~\\&|B\rPID|1||4712"]
    assert reader.junk_bytes > 0


def test_a_message_too_large_is_refused_by_its_control_id_and_the_next_is_taken() -> None:
    limits = Limits(max_bytes=1000)
    large = samples.orm().encode() + b"NTE|1||" + b"x" * 5000
    with MllpServer(acknowledge, limits=limits) as server, raw_peer(server.port) as peer:
        small = samples.msh("ORM^O01", control_id="S1").encode()
        peer.sendall(frame(small) + frame(large) + frame(small))
        answers = [read_ack(answer) for answer in receive(peer, 3)]
    assert [(a.code, a.control_id) for a in answers] == [
        ("AA", "S1"),
        ("AR", "RIS0001"),
        ("AA", "S1"),
    ]
    assert "1000 bytes" in answers[1].text


@pytest.mark.parametrize(
    ("sent", "first", "reason"),
    [
        (b"\x0bMSH|half", b"MSH|half", "without its end"),
        (b"MSH|bare\rPID|\r", b"MSH|bare", "outside a frame"),
        (frame(b"MSH|" + b"x" * 2000), b"MSH|xxx", "more than 1000 bytes"),
    ],
)
def test_what_is_no_whole_message_is_handed_over_with_the_reason(
    sent: bytes, first: bytes, reason: str
) -> None:
    broken: list[tuple[bytes, str, str]] = []

    def keep(head: bytes, why: str, peer: str) -> bytes:
        broken.append((head, why, peer))
        return b"refused"

    limits = Limits(max_bytes=1000)
    with MllpServer(echo, on_broken=keep, limits=limits) as server:
        with raw_peer(server.port) as peer:
            peer.sendall(frame(b"one") + sent)
            expected = 2 if sent.endswith(frame(b"")[1:]) else 1
            answers = receive(peer, expected)
        assert eventually(lambda: server.connection_count == 0)
    assert answers == [b"echo one", b"refused"][:expected]
    ((head, why, address),) = broken
    assert head.startswith(first)
    assert reason in why
    assert address == "127.0.0.1"


def test_noise_is_not_handed_over_as_a_message() -> None:
    broken: list[bytes] = []
    with MllpServer(echo, on_broken=lambda head, *_: broken.append(head)) as server:
        with raw_peer(server.port) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\n" + frame(b"one") + b"\r\n")
            assert receive(peer, 1) == [b"echo one"]
        assert eventually(lambda: server.connection_count == 0)
    assert broken == []


def test_an_oversized_frame_keeps_what_came_before_it() -> None:
    reader = FrameReader(10)
    with pytest.raises(FrameTooLarge) as caught:
        reader.feed(frame(b"a") + frame(b"x" * 11) + frame(b"b"))
    assert caught.value.frames == [b"a"]
    assert reader.feed(b"") == [b"b"]


def test_garbage_of_one_peer_harms_no_other() -> None:
    limits = Limits(junk_bytes=1000)
    with (
        MllpServer(echo, limits=limits) as server,
        raw_peer(server.port) as good,
        raw_peer(server.port) as bad,
    ):
        bad.sendall(b"GET / HTTP/1.1\r\n" * 1000)
        assert is_hung_up(bad)
        good.sendall(frame(b"still here"))
        assert receive(good, 1) == [b"echo still here"]


def test_junk_between_frames_is_passed_over() -> None:
    with MllpServer(echo) as server, raw_peer(server.port) as peer:
        peer.sendall(b"junk\r\n" + frame(b"one") + b"\x00\x1c\r" + frame(b"two"))
        assert receive(peer, 2) == [b"echo one", b"echo two"]


def test_a_message_that_cannot_be_handled_is_left_with_its_sender() -> None:
    def fail(message: bytes, peer: str) -> bytes:
        if message == b"bad":
            raise RuntimeError("the database is away")
        return b"ok"

    with MllpServer(fail) as server, MllpConnection("127.0.0.1", server.port, 5) as connection:
        assert connection.send(b"good") == b"ok"
        with pytest.raises(NoAnswer):
            connection.send(b"bad")
        assert connection.send(b"good") == b"ok"


def test_nothing_of_a_message_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with MllpServer(lambda m, p: 1 / 0) as server, raw_peer(server.port) as peer:
        peer.sendall(b"junk4711" + frame(b"PID|4711"))
        assert receive(peer, 1) == []
    assert "could not be handled" in caplog.text
    assert "4711" not in caplog.text


@pytest.mark.parametrize("sent", [b"", b"\x0bMSH|half"])
def test_a_silent_peer_is_hung_up_on(sent: bytes) -> None:
    limits = Limits(idle_seconds=0.1, stall_seconds=0.1)
    with MllpServer(echo, limits=limits) as server, raw_peer(server.port) as peer:
        peer.sendall(sent)
        assert peer.recv(1) == b""
        assert eventually(lambda: server.connection_count == 0)


def test_connections_are_bounded_and_a_place_comes_free() -> None:
    limits = Limits(max_connections=1)
    with MllpServer(echo, limits=limits) as server:
        with raw_peer(server.port) as first:
            first.sendall(frame(b"one"))
            assert receive(first, 1) == [b"echo one"]
            with raw_peer(server.port) as second:
                assert second.recv(1) == b""
        assert eventually(lambda: server.connection_count == 0)
        with MllpConnection("127.0.0.1", server.port, 5) as third:
            assert third.send(b"three") == b"echo three"


def test_who_has_been_quiet_for_long_gives_way_to_who_comes_new() -> None:
    limits = Limits(max_connections=2, giving_way_seconds=0.2)
    with (
        MllpServer(echo, limits=limits) as server,
        raw_peer(server.port) as quiet,
        raw_peer(server.port) as begun,
    ):
        begun.sendall(b"\x0bhalf ")
        time.sleep(0.4)
        with raw_peer(server.port) as new:
            new.sendall(frame(b"new"))
            assert receive(new, 1) == [b"echo new"]
            assert is_hung_up(quiet)
            begun.sendall(b"a message\x1c\r")
            assert receive(begun, 1) == [b"echo half a message"]


def test_one_peer_cannot_have_every_connection() -> None:
    limits = Limits(max_connections=3, max_connections_of_one=2)
    with (
        MllpServer(echo, limits=limits, host="0.0.0.0") as server,
        raw_peer(server.port) as first,
        raw_peer(server.port) as second,
    ):
        for peer in (first, second):
            peer.sendall(frame(b"one"))
            assert receive(peer, 1) == [b"echo one"]
        with raw_peer(server.port) as third:
            assert third.recv(1) == b""
        other = socket.create_connection(
            ("127.0.0.1", server.port), timeout=5, source_address=("127.0.0.2", 0)
        )
        with other:
            other.sendall(frame(b"other"))
            assert receive(other, 1) == [b"echo other"]


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_a_listener_on_every_ipv6_address_takes_peers_with_ipv4_too() -> None:
    with MllpServer(echo, host="::") as server:
        for host in ("127.0.0.1", "::1"):
            with MllpConnection(host, server.port, 5) as peer:
                assert peer.send(b"one") == b"echo one"


def test_closing_lets_the_message_at_hand_be_answered() -> None:
    begun = threading.Event()

    def slow(message: bytes, peer: str) -> bytes:
        begun.set()
        time.sleep(0.3)
        return b"done"

    server = MllpServer(slow)
    with raw_peer(server.port) as busy, raw_peer(server.port) as idle:
        busy.sendall(frame(b"work"))
        assert begun.wait(5)
        server.close(grace=5)
        assert receive(busy, 1) == [b"done"]
        assert idle.recv(1) == b""
    with pytest.raises(Unreachable):
        MllpConnection("127.0.0.1", server.port, 1).send(b"late")


def test_closing_does_not_wait_longer_than_its_grace() -> None:
    async def never(message: bytes, peer: str) -> bytes | None:
        await asyncio.sleep(60)
        return None

    server = MllpServer(never)
    with raw_peer(server.port) as peer:
        peer.sendall(frame(b"work"))
        assert eventually(lambda: server.connection_count == 1)
        time.sleep(0.05)
        started = time.monotonic()
        server.close(grace=0.1)
        assert time.monotonic() - started < 2


def test_a_taken_port_is_named() -> None:
    with MllpServer(echo) as server, pytest.raises(PortTaken) as caught:
        MllpServer(echo, port=server.port)
    assert caught.value.port > 0
    assert str(caught.value.port) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(samples.orm(), "latin-1"), (samples.omi(), "utf-8"), (samples.omg(), "latin-1")],
)
def test_an_independent_sender_gets_its_acknowledgement(
    text: str, encoding: str, tmp_path: Path
) -> None:
    arrived: list[tuple[bytes, str]] = []

    def keep(message: bytes, peer: str) -> bytes:
        arrived.append((message, peer))
        return acknowledge(message, peer)

    path = tmp_path / "order.hl7"
    path.write_bytes(text.encode(encoding))
    with MllpServer(keep) as server:
        command = [Path(sys.executable).with_name("mllp_send"), "-p", str(server.port)]
        answer = subprocess.run(
            [*command, "--loose", "-f", str(path), "127.0.0.1"],
            capture_output=True,
            check=True,
            timeout=30,
        )
    assert b"MSA|AA|RIS000" in answer.stdout
    ((message, peer),) = arrived
    assert message.replace(b"\n", b"\r").strip() == text.encode(encoding).strip()
    assert peer == "127.0.0.1"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for localhost and its key, in one file."""
    path = tmp_path / "peer.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(path), "-out", f"{path}.crt"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    subprocess.run([*command, *subject, *files], check=True, capture_output=True, timeout=30)
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


def test_messages_go_over_tls_and_plain_peers_are_turned_away(certificate: Path) -> None:
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate)
    theirs = ssl.create_default_context(cafile=str(certificate))
    peers: list[str] = []

    def keep(message: bytes, peer: str) -> bytes:
        peers.append(peer)
        return echo(message, peer)

    with MllpServer(keep, tls=ours) as server:
        with MllpConnection("localhost", server.port, 5, tls=theirs) as connection:
            assert connection.send(b"one") == b"echo one"
            assert connection.send(b"two") == b"echo two"
            assert server.connection_count == 1
        with pytest.raises(Unreachable):
            MllpConnection("localhost", server.port, 5, tls=ssl.create_default_context()).send(b"x")
        with pytest.raises(NoAnswer):
            MllpConnection("localhost", server.port, 5).send(b"plain")
    assert len(peers) == 2
