"""In charge of accepting connections, at once and one after the other."""

import errno
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

_BACKLOG = 128
# What accept() runs out of comes back when a connection closes.
_SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_WAIT_SECONDS = 0.1


class PortTaken(OSError):  # noqa: N818 (named by what failed)
    """Something else listens on the port already."""

    def __init__(self, port: int) -> None:
        super().__init__(errno.EADDRINUSE, f"port {port} is taken by another program")
        self.port = port

    def __str__(self) -> str:
        return f"Port {self.port} is taken by another program; choose another or stop that one."


class Listener:
    """Accepts connections, in a thread of its own, and hands each with its address to `begin`.

    Port 0 asks for any. Raises PortTaken, and OSError where the address cannot be listened on for
    another reason. `begin` must not block, raises nothing, and closes the connection in the end.
    """

    def __init__(
        self, bind: str, port: int, begin: Callable[[socket.socket, str], None]
    ) -> None:
        self._listening = _opened(bind, port)
        self._begin = begin
        self._ending, self._wake = socket.socketpair()
        self._listening.setblocking(False)
        self.port = int(self._listening.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, name="dicom-listener", daemon=True)
        self._thread.start()

    @property
    def is_accepting(self) -> bool:
        """Whether the thread that takes connections lives; the system would queue them anyway."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Take no more connections. May be called twice."""
        if self._thread.is_alive():
            self._wake.send(b"\0")
            self._thread.join()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector, self._listening, self._ending, self._wake:
            selector.register(self._listening, selectors.EVENT_READ)
            selector.register(self._ending, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._ending in ready:
                    return
                try:
                    connection, address = self._listening.accept()
                except OSError as error:
                    # Or it is gone again already.
                    if error.errno in _SCARCE:
                        logger.error("dicom.cannot_accept why=%s", error)
                        time.sleep(_WAIT_SECONDS)
                    continue
                self._begin(connection, str(address[0]))


def _opened(bind: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(bind, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(port) from error
        raise
