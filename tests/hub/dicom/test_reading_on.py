"""A data set in many PDUs: of each the heads are read along with the fragment before it."""

import socket
import time

import pytest

from tests.hub.dicom.listening import QUICK
from tests.hub.dicom.test_upper_layer import (
    DATASET,
    RELEASE_RP,
    STORE,
    abort,
    association,
    both,
    command,
    hub,
    pdu,
    pdv,
    read_pdu,
    theirs,
)

__all__ = ["hub", "theirs"]
# The last but one has no more bytes than an A-ABORT, the last has none.
PDUS = [pdu(pdv(0, DATASET[n : n + 50])) for n in range(0, len(DATASET), 50)]
PDUS += [pdu(pdv(0, b"")), pdu(pdv(2, b""))]
ALL = b"".join(PDUS)
CONVERSATIONS = {
    "one by one": [STORE[0], *PDUS],
    "in one packet": [STORE[0] + ALL],
    "cut anywhere": [STORE[0], *(ALL[n : n + 47] for n in range(0, len(ALL), 47))],
    "after a command in pieces": [
        pdu(pdv(1, command()[:9])), pdu(pdv(3, command()[9:])), *PDUS
    ],
    "of several values each": [
        STORE[0], pdu(pdv(0, DATASET[:9]), pdv(0, DATASET[9:50])), *PDUS[1:]
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CONVERSATIONS))
def test_it_is_taken_byte_for_byte_as_by_pynetdicom(hub, theirs, name):  # noqa: F811
    ours, others = both(hub, theirs, association(), CONVERSATIONS[name], 1)
    assert ours == others
    assert ours[-1] == RELEASE_RP


def test_a_peer_that_pauses_within_it_is_waited_for_as_between_messages(hub):  # noqa: F811
    hub.instances.clear()
    with socket.create_connection(("127.0.0.1", hub.port), timeout=5) as peer:
        peer.sendall(association() + STORE[0] + pdu(pdv(0, DATASET[:90])))
        assert read_pdu(peer)[:1] == b"\x02"
        # The heads in two pieces, and for each a longer pause than is made for them.
        rest = pdu(pdv(2, DATASET[90:]))
        for piece in (rest[:4], rest[4:]):
            time.sleep(QUICK.pdu_seconds * 0.6)
            peer.sendall(piece)
        # (0000,0900) Success
        assert b"\x00\x00\x00\x09\x02\x00\x00\x00\x00\x00" in read_pdu(peer)
    assert [bytes(one.dataset) for one in hub.instances] == [DATASET]


@pytest.mark.parametrize("is_closing", [True, False])
def test_an_abort_within_it_ends_the_association(hub, is_closing):  # noqa: F811
    hub.instances.clear()
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", hub.port), timeout=5) as peer:
        peer.sendall(association() + STORE[0] + pdu(pdv(0, DATASET[:90])) + abort(0, 0))
        if is_closing:
            peer.shutdown(socket.SHUT_WR)
        assert read_pdu(peer)[:1] == b"\x02"
        # AA-3: no word more
        assert peer.recv(4096) == b""
    assert time.monotonic() - started < 2
    assert hub.instances == []
