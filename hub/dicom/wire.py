"""In charge of the bytes of one connection: whole pieces, in time, acknowledged at once."""

import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress

_QUICK_ACKNOWLEDGEMENT: int | None = getattr(socket, "TCP_QUICKACK", None)
_TIMEVAL = struct.Struct("@ll")
_DISCARDED_AT_ONCE = 1 << 16
_SHORT_SILENCE = 1.0


class WireClosed(Exception):  # noqa: N818 (named by what happened)
    """The peer is gone, or closed its side, before all that was waited for had come."""


class WireSilent(Exception):  # noqa: N818 (named by what happened)
    """The time is over and not all that was waited for has come."""


class Wire:
    """A connected TCP or TLS socket that blocks, read by one thread.

    The kernel waits until a piece is there as a whole (MSG_WAITALL) and keeps the time, so that
    a fragment of a data set costs one call; TLS is read in as many pieces as its records make.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._is_plain = not isinstance(connection, ssl.SSLSocket)
        self._seconds = self._sending_seconds = 0.0
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def shake_hands(self, seconds: float) -> None:
        """Make the TLS session, where there is to be one. Raises OSError, as ssl.SSLError is."""
        if isinstance(self._connection, ssl.SSLSocket):
            self._connection.settimeout(seconds)
            self._connection.do_handshake()

    def read_head_into(
        self,
        view: memoryview,
        least: int,
        seconds: float,
        on_silence: Callable[[], None] | None = None,
    ) -> int:
        """Read what a PDU begins with, `least` bytes or as many as are there; give how many.

        A view of no more than a whole PDU can be short of is filled in one call, mostly. Raises
        WireClosed, and WireSilent when it takes longer. `on_silence` is called once, where nothing
        at all has come for a while.
        """
        self._acknowledge_at_once()
        return self._read(view, least, seconds, on_silence, flags=0)

    def read_into(self, view: memoryview, seconds: float) -> None:
        """Fill a view. Raises WireClosed, and WireSilent when it takes longer."""
        self._read(view, len(view), seconds, None, flags=socket.MSG_WAITALL)

    def read_on(self, view: memoryview, ahead: memoryview, seconds: float) -> int:
        """Fill a view, and in the same call what must follow; give how much of that has come.

        All of it mostly. A peer that pauses there is waited for a moment, and what it began with
        is then in `ahead`. Raises as read_into() does, which is what TLS has instead.
        """
        if not self._is_plain:
            self.read_into(view, seconds)
            return 0
        self._acknowledge_at_once()
        got = self._read(
            view, len(view), seconds, None, flags=socket.MSG_WAITALL, ahead=ahead
        )
        return got - len(view)

    def _acknowledge_at_once(self) -> None:
        # A peer that leaves Nagle's algorithm on waits for our acknowledgement between the command
        # and the data set of each instance: 40 ms, unless it is sent at once. Linux forgets this.
        if _QUICK_ACKNOWLEDGEMENT is not None:
            self._connection.setsockopt(socket.IPPROTO_TCP, _QUICK_ACKNOWLEDGEMENT, 1)

    def _read(
        self,
        view: memoryview,
        least: int,
        seconds: float,
        on_silence: Callable[[], None] | None,
        *,
        flags: int,
        ahead: memoryview | None = None,
    ) -> int:
        # Half of it at most: who waits for what is ahead may not overrun the time of what was read.
        at_first = min(seconds / 2, _SHORT_SILENCE)
        try:
            if at_first != self._seconds:
                self._set_time(at_first)
            if ahead is not None:
                got = self._connection.recvmsg_into((view, ahead), 0, flags)[0]
            elif self._is_plain:
                got = self._connection.recv_into(view, 0, flags)
            else:
                got = self._connection.recv_into(view)
            if got >= least:
                return got
            return self._read_rest(view[:least], got, time.monotonic() + seconds)
        except (BlockingIOError, TimeoutError):
            if on_silence is not None:
                on_silence()
            return self._read_rest(view[:least], None, time.monotonic() + seconds - at_first)
        except OSError as error:
            raise WireClosed from error

    def _read_rest(self, view: memoryview, got: int | None, deadline: float) -> int:
        """Read on, after a first piece or after nothing at all, until the view is full."""
        done = got or 0
        try:
            while done < len(view):
                if got == 0:
                    raise WireClosed
                left = deadline - time.monotonic()
                if left <= 0:
                    raise WireSilent
                self._set_time(left)
                got = self._connection.recv_into(view[done:])
                done += got
        except (BlockingIOError, TimeoutError) as error:
            raise WireSilent from error
        except OSError as error:
            raise WireClosed from error
        return done

    def discard(self, seconds: float) -> None:
        """Read whatever comes until the peer closes or the time is over."""
        buffer, deadline = bytearray(_DISCARDED_AT_ONCE), time.monotonic() + seconds
        with suppress(OSError):
            while (left := deadline - time.monotonic()) > 0:
                self._set_time(left)
                if not self._connection.recv_into(buffer):
                    return

    def send(self, pdu: bytes, seconds: float) -> None:
        """Send one PDU in one piece. Raises WireClosed, also for a peer that does not read."""
        try:
            if not self._is_plain:
                self._set_time(seconds)
            elif seconds != self._sending_seconds:
                self._connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(seconds)
                )
                self._sending_seconds = seconds
            self._connection.sendall(pdu)
        except OSError as error:
            raise WireClosed from error

    def end_reading(self) -> None:
        """Let whoever reads find the wire closed; what came before is still read."""
        # Of the plain socket: SSLSocket would take its TLS session away from the thread using it.
        with suppress(OSError):
            socket.socket.shutdown(self._connection, socket.SHUT_RD)

    def hang_up(self) -> None:
        """Close both directions, from whichever thread."""
        with suppress(OSError):
            socket.socket.shutdown(self._connection, socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the socket back."""
        self.hang_up()
        self._connection.close()

    def _set_time(self, seconds: float) -> None:
        if self._is_plain:
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(seconds))
        else:
            self._connection.settimeout(max(seconds, 1e-6))
        self._seconds = seconds


def _timeval(seconds: float) -> bytes:
    # At least a microsecond: zero would mean to wait for ever.
    whole = int(seconds)
    return _TIMEVAL.pack(whole, max(int((seconds - whole) * 1e6), 1))
