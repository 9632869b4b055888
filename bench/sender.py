"""A sender faster than any scanner: prepared PDUs on a plain socket, pixels by sendfile.

    python -m bench.sender [--plain | --zeros BYTES] HOST PORT AE_TITLE FILE...

Prints `ready`, waits for a line, sends every file in one association (PS3.8 9.3, PS3.7 9.3.1) and
prints `done`. What it shows is the limit of the receiver, not of the sender. ``--plain`` sends the
same bytes to bench.tcpcopy, without DICOM. ``--zeros`` lets so many zero bytes follow each file,
whose last element they are the value of. Standard library alone: it has to start fast.
"""

from __future__ import annotations

import argparse
import os
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# PS3.8 9.3.1, 9.3.5, 9.3.6: types of PDUs.
_ASSOCIATE_RQ, _ASSOCIATE_AC, _P_DATA, _RELEASE_RQ = 1, 2, 4, 5
_APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
_CONTEXT = 1
_LARGEST = 131_072
_ZEROS = bytes(1 << 20)


class Refused(Exception):  # noqa: N818 (named by what failed)
    """The receiver did not take what was sent."""


@dataclass(frozen=True, slots=True)
class Part10:
    """A file of PS3.10: its UIDs, and where in it the data set begins."""

    path: Path
    sop_class_uid: bytes
    sop_instance_uid: bytes
    transfer_syntax_uid: bytes
    offset: int

    @property
    def size(self) -> int:
        """Bytes of the data set."""
        return self.path.stat().st_size - self.offset


def read(path: Path) -> Part10:
    """Read the file meta information (PS3.10 7.1)."""
    with path.open("rb") as file:
        head = file.read(2048)
    (length,) = struct.unpack_from("<L", head, 140)
    end, place = 144 + length, 144
    values: dict[int, bytes] = {}
    while place < end:
        _, element, vr, size = struct.unpack_from("<HH2sH", head, place)
        place += 8
        if vr == b"OB":
            (size,) = struct.unpack_from("<L", head, place)
            place += 4
        values[element] = head[place : place + size].rstrip(b"\0 ")
        place += size
    return Part10(path, values[0x02], values[0x03], values[0x10], end)


def associate(connection: socket.socket, ae_title: str, like: Part10) -> int:
    """Ask for an association with one presentation context; the longest PDU that may be sent."""
    items = _item(0x10, _APPLICATION_CONTEXT)
    syntaxes = _item(0x30, like.sop_class_uid) + _item(0x40, like.transfer_syntax_uid)
    items += _item(0x20, bytes([_CONTEXT, 0, 0, 0]) + syntaxes)
    user = _item(0x51, struct.pack(">L", _LARGEST)) + _item(0x52, b"1.2.826.0.1.3680043.8.498.9")
    items += _item(0x50, user)
    names = f"{ae_title:16}{'BENCH':16}".encode()
    body = struct.pack(">HH", 1, 0) + names + bytes(32) + items
    connection.sendall(struct.pack(">BBL", _ASSOCIATE_RQ, 0, len(body)) + body)
    kind, answer = _read_pdu(connection)
    accepted = answer.find(bytes([0x21, 0])) if kind == _ASSOCIATE_AC else -1
    if accepted < 0 or answer[accepted + 6] != 0:
        raise Refused(f"the association or its context was not accepted: PDU {kind}")
    place = answer.find(struct.pack(">BBH", 0x51, 0, 4))
    longest = struct.unpack_from(">L", answer, place + 4)[0] if place >= 0 else 0
    return min(longest or 1 << 20, 1 << 20)


def store(connection: socket.socket, longest: int, number: int, file: Part10, zeros: int) -> None:
    """Send one C-STORE-RQ (PS3.7 9.3.1.1) and wait for Success. Raises Refused."""
    command = _command(file, number)
    header = struct.pack(">BBLLBB", _P_DATA, 0, len(command) + 6, len(command) + 2, _CONTEXT, 3)
    connection.sendall(header + command, socket.MSG_MORE)
    with file.path.open("rb") as source:
        _send_data(connection, longest, source.fileno(), file, zeros)
    kind, answer = _read_pdu(connection)
    place = answer.find(struct.pack("<HHL", 0, 0x0900, 2))
    status = struct.unpack_from("<H", answer, place + 8)[0] if place >= 0 else None
    if kind != _P_DATA or status != 0:
        raise Refused(f"answered by PDU {kind} with status {status}")


def _send_data(
    connection: socket.socket, longest: int, source: int, file: Part10, zeros: int
) -> None:
    left = file.size + zeros
    offset, of_file = file.offset, file.size
    while left:
        count = min(left, longest - 6)
        left -= count
        control = 0 if left else 2  # PS3.8 E.2: bit 1 is set in the last fragment
        header = struct.pack(">BBLLBB", _P_DATA, 0, count + 6, count + 2, _CONTEXT, control)
        connection.sendall(header, socket.MSG_MORE)
        here = min(count, of_file)
        of_file -= here
        count -= here
        while here:
            sent = os.sendfile(connection.fileno(), source, offset, here)
            offset += sent
            here -= sent
        if count:
            connection.sendall(memoryview(_ZEROS)[:count])


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def _command(file: Part10, number: int) -> bytes:
    """The command set of a C-STORE-RQ, Implicit VR Little Endian (PS3.7 6.3.1, E.1)."""

    def element(tag: int, value: bytes) -> bytes:
        return struct.pack("<HHL", 0, tag, len(value)) + value

    def uid(value: bytes) -> bytes:
        return value + b"\0" * (len(value) % 2)

    elements = [(0x0002, uid(file.sop_class_uid))]
    for tag, value in ((0x0100, 1), (0x0110, number % 0xFFFF + 1), (0x0700, 0), (0x0800, 0)):
        elements.append((tag, struct.pack("<H", value)))
    elements.append((0x1000, uid(file.sop_instance_uid)))
    body = b"".join(element(tag, value) for tag, value in elements)
    return element(0, struct.pack("<L", len(body))) + body


def _read_pdu(connection: socket.socket) -> tuple[int, bytes]:
    kind, _, length = struct.unpack(">BBL", _read(connection, 6))
    return kind, _read(connection, length)


def _read(connection: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        piece = connection.recv(count - len(got))
        if not piece:
            raise Refused("the receiver hung up")
        got += piece
    return got


def send_dicom(connection: socket.socket, ae_title: str, files: list[Part10], zeros: int) -> None:
    """Send all files in one association and release it."""
    longest = associate(connection, ae_title, files[0])
    for number, file in enumerate(files):
        store(connection, longest, number, file, zeros)
    connection.sendall(struct.pack(">BBLL", _RELEASE_RQ, 0, 4, 0))
    _read_pdu(connection)


def send_plain(connection: socket.socket, files: list[Part10]) -> None:
    """Send the data sets alone, each with its length before it and a byte as answer."""
    for file in files:
        connection.sendall(struct.pack(">Q", file.size), socket.MSG_MORE)
        with file.path.open("rb") as source:
            offset = file.offset
            while sent := os.sendfile(connection.fileno(), source.fileno(), offset, file.size):
                offset += sent
        _read(connection, 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Send once told to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--zeros", type=int, default=0)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("ae_title")
    parser.add_argument("files", type=Path, nargs="+")
    options = parser.parse_args(arguments)
    files = [read(path) for path in options.files]
    print("ready", flush=True)
    sys.stdin.readline()
    with socket.create_connection((options.host, options.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if options.plain:
            send_plain(connection, files)
        else:
            send_dicom(connection, options.ae_title, files, options.zeros)
    print("done", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
