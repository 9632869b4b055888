"""The physical limit of a receiver: bytes from a socket to a file, and a byte as answer.

    python -m bench.tcpcopy FOLDER

Prints the port it listens on. A thread for each connection, no DICOM, nothing synced.
"""

from __future__ import annotations

import itertools
import os
import socket
import struct
import sys
import threading
from pathlib import Path

_numbers = itertools.count()


def serve(connection: socket.socket, folder: Path) -> None:
    """Write all that comes, one file for each length."""
    buffer = bytearray(1 << 20)
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while head := connection.recv(8, socket.MSG_WAITALL):
            (size,) = struct.unpack(">Q", head)
            buffer.extend(bytes(max(size - len(buffer), 0)))
            view = memoryview(buffer)[:size]
            if connection.recv_into(view, size, socket.MSG_WAITALL) < size:
                return
            file = os.open(folder / f"{next(_numbers)}", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                os.write(file, view)
            finally:
                os.close(file)
                view.release()
            connection.sendall(b"\0")


def main() -> int:
    """Listen until killed."""
    folder = Path(sys.argv[1])
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, folder), daemon=True).start()


if __name__ == "__main__":
    raise SystemExit(main())
