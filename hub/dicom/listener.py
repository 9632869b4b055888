"""In charge of connections: each gets a thread at once, and none of them may hold up another."""

import errno
import logging
import selectors
import socket
import ssl
import threading
import time

from hub.dicom.upper_layer import Association, Terms

logger = logging.getLogger(__name__)

BACKLOG = 128
# What accept() runs out of comes back when a connection closes.
_SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_WAIT_SECONDS = 0.1
# Connections that ask for nothing hold a thread each until their time is up.
_MOST_SILENT = 256


class Listener:
    """Accepts connections, and knows those that are open."""

    def __init__(
        self, listening: socket.socket, terms: Terms, ssl_context: ssl.SSLContext | None
    ) -> None:
        self._listening = listening
        self._terms = terms
        self._ssl_context = ssl_context
        self._lock = threading.Lock()
        self._open: dict[Association, threading.Thread] = {}
        self._ending, self._wake = socket.socketpair()
        listening.setblocking(False)
        self.port = int(listening.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, name="dicom-listener", daemon=True)
        self._thread.start()

    @property
    def connections(self) -> dict[Association, threading.Thread]:
        """The connections that are open now, and the thread of each."""
        with self._lock:
            return dict(self._open)

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
                    # Gone again already, or another process on the same port was faster.
                    if error.errno in _SCARCE:
                        logger.error("dicom.cannot_accept why=%s", error)
                        time.sleep(_WAIT_SECONDS)
                    continue
                self._begin(connection, str(address[0]))

    def _begin(self, connection: socket.socket, address: str) -> None:
        try:
            connection.setblocking(True)
            if self._ssl_context is not None:
                connection = self._ssl_context.wrap_socket(
                    connection, server_side=True, do_handshake_on_connect=False
                )
            association = Association(connection, address, self._terms)
        except OSError as error:
            logger.warning("dicom.connection_failed peer=%s why=%r", address, error)
            connection.close()
            return
        thread = threading.Thread(
            target=self._run, args=(association,), name="dicom-association", daemon=True
        )
        self._hang_up_on_the_oldest_silent()
        with self._lock:
            self._open[association] = thread
        try:
            thread.start()
        except RuntimeError as error:
            logger.error("dicom.cannot_accept why=%s", error)
            with self._lock:
                del self._open[association]
            connection.close()

    def _run(self, association: Association) -> None:
        try:
            association.run()
        finally:
            with self._lock:
                del self._open[association]

    def _hang_up_on_the_oldest_silent(self) -> None:
        silent = [one for one in self.connections if not one.has_asked]
        if len(silent) >= _MOST_SILENT:
            logger.warning("dicom.hung_up address=%s why=too many silent", silent[0].address)
            silent[0].hang_up()
