"""The MLLP server: keeps connections open and answers each message in order.

Bytes in, bytes out; what a message means is the caller's. hl7apy's server closes after each
message and reads byte by byte, python-hl7's knows one encoding and 64 KiB: hence our own.
No content is ever logged, only peers and sizes. The client (hub.hl7.connection) and the framing
(hub.hl7.frames) are offered here too.
"""

import asyncio
import errno
import inspect
import logging
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar, cast
from uuid import uuid4

from hub.hl7.ack import build_ack
from hub.hl7.connection import MllpConnection, NoAnswer, Unreachable
from hub.hl7.frames import MAX_BYTES, Answer, FrameReader, FrameTooLarge, frame

__all__ = [
    "FrameReader",
    "FrameTooLarge",
    "Limits",
    "MllpConnection",
    "MllpServer",
    "NoAnswer",
    "PortTaken",
    "Serving",
    "Unreachable",
    "serve",
]

log = logging.getLogger(__name__)

_HANDLER_THREADS = 8

_T = TypeVar("_T")
OnMessage = Callable[[bytes, str], Awaitable[Answer]]
# (the first bytes, what is wrong, the peer's address)
OnBroken = Callable[[bytes, str, str], Awaitable[Answer]]


class PortTaken(OSError):  # noqa: N818
    """Another program listens on this port."""

    def __init__(self, port: int) -> None:
        super().__init__(errno.EADDRINUSE, f"port {port} is taken by another program")
        self.port = port


@dataclass(frozen=True, slots=True)
class Limits:
    """What one peer may take of the server; memory is bounded by connections times max_bytes."""

    max_bytes: int = MAX_BYTES
    max_connections: int = 100
    max_connections_of_one: int = 50  # from one address, so that others find a free one
    idle_seconds: float = 3600.0  # between messages
    giving_way_seconds: float = 60.0  # between messages, while others find no free connection
    stall_seconds: float = 60.0  # inside a message, or for an answer that the peer does not take
    carriage_return_seconds: float = 2.0  # for the last byte of a frame, which some never send
    junk_bytes: int = 1024 * 1024  # outside frames, before the connection is closed


class Serving:
    """A listening MLLP server on the running event loop; end it with close()."""

    def __init__(
        self, on_message: OnMessage, limits: Limits, on_broken: OnBroken | None = None
    ) -> None:
        self._on_message = on_message
        self._on_broken = on_broken or _answer_only
        self._limits = limits
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], _Connection] = {}
        self._is_closing = False
        self.port = 0  # the one listened on, from start() on

    @property
    def connection_count(self) -> int:
        """Peers connected now."""
        return len(self._connections)

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Listen; raises PortTaken."""
        try:
            if host == "::" and socket.has_dualstack_ipv6():
                # asyncio would take peers with an IPv6 address only.
                both = socket.create_server(
                    (host, port), family=socket.AF_INET6, dualstack_ipv6=True
                )
                self._server = await asyncio.start_server(self._accept, sock=both, ssl=tls)
            else:
                self._server = await asyncio.start_server(self._accept, host, port, ssl=tls)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(port) from error
            raise
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = str((writer.get_extra_info("peername") or ("unknown",))[0])
        if self._is_closing or not self._has_room(peer):
            log.warning("mllp connection refused: %d are open", len(self._connections))
            writer.close()
            return
        connection = _Connection(reader, writer, peer, self._limits, self._on_broken)
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = connection
        try:
            await connection.run(self._on_message)
        except asyncio.CancelledError:
            # Only close() cancels; asyncio 3.11 would report a cancelled connection as an error.
            log.debug("mllp connection with %s ended by close", peer)
        finally:
            del self._connections[task]

    def _has_room(self, peer: str) -> bool:
        """Whether one more may come: one that has been quiet for long gives way to it.

        Otherwise one peer that opens a connection for each message and leaves it open would shut
        out every other hospital. One peer alone cannot have them all, however busy it is.
        """
        own = [pair for pair in self._connections.items() if pair[1].peer == peer]
        if len(own) >= self._limits.max_connections_of_one:
            return self._give_way(own)
        if len(self._connections) >= self._limits.max_connections:
            return self._give_way(list(self._connections.items()))
        return True

    def _give_way(self, among: "list[tuple[asyncio.Task[None], _Connection]]") -> bool:
        task, connection = max(among, key=lambda pair: pair[1].quiet_seconds)
        if connection.quiet_seconds < self._limits.giving_way_seconds:
            return False
        task.cancel()
        return True

    async def close(self, grace: float = 5.0) -> None:
        """Stop listening, let messages at hand be answered for `grace` seconds, hang up."""
        self._is_closing = True
        if self._server is not None:
            self._server.close()
        for task, connection in list(self._connections.items()):
            connection.is_closing = True
            if not connection.is_busy:
                task.cancel()
        tasks = list(self._connections)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


class _Connection:
    """One peer: its messages are handled one after the other, so answers keep their order."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        peer: str,
        limits: Limits,
        on_broken: OnBroken,
    ) -> None:
        self.is_busy = False
        self.is_closing = False
        self._reader = reader
        self._writer = writer
        self.peer = peer
        self._limits = limits
        self._on_broken = on_broken
        self._heard_at = time.monotonic()
        self._frames = FrameReader(limits.max_bytes, on_junk=self._report_junk)

    @property
    def quiet_seconds(self) -> float:
        """How long nothing has come; 0 while a message is under way."""
        is_quiet = not (self.is_busy or self._frames.is_inside)
        return time.monotonic() - self._heard_at if is_quiet else 0.0

    async def run(self, on_message: OnMessage) -> None:
        try:
            try:
                await self._converse(on_message)
            except TimeoutError:
                log.info("mllp peer %s was silent for too long", self.peer)
            except OSError as error:
                log.info("mllp connection with %s broke: %s", self.peer, error)
            await self._report_rest()
        except Exception:
            # The sender keeps what it got no answer for and sends it again; no other peer notices.
            log.exception("mllp message of %s could not be handled; hanging up", self.peer)
        finally:
            self._writer.close()

    async def _converse(self, on_message: OnMessage) -> None:
        while not self.is_closing and self._frames.junk_bytes <= self._limits.junk_bytes:
            data = await self._read()
            if data is None:
                return
            self.is_busy = True
            await self._handle(data, on_message)
            self.is_busy = False
            self._heard_at = time.monotonic()

    async def _read(self) -> bytes | None:
        """What came next; None when the peer has hung up."""
        limits = self._limits
        if self._frames.awaits_carriage_return:
            try:
                async with asyncio.timeout(limits.carriage_return_seconds):
                    return await self._reader.read(65536) or b"\r"
            except TimeoutError:
                return b"\r"
        seconds = limits.stall_seconds if self._frames.is_inside else limits.idle_seconds
        async with asyncio.timeout(seconds):
            return await self._reader.read(65536) or None

    async def _handle(self, data: bytes, on_message: OnMessage) -> None:
        while True:
            too_large: FrameTooLarge | None = None
            try:
                messages = self._frames.feed(data)
            except FrameTooLarge as error:
                messages, too_large = error.frames, error
            for message in messages:
                await self._answer(await on_message(message, self.peer))
            if too_large is None:
                return
            log.warning("mllp peer %s sent %s", self.peer, too_large)
            await self._answer(await self._on_broken(too_large.head, str(too_large), self.peer))
            data = b""

    async def _report_rest(self) -> None:
        """What came and was no message: without an answer, so that the sender sends it again."""
        if rest := self._frames.unfinished:
            await self._on_broken(rest, "a message without its end, 0x1C 0x0D", self.peer)
        if rest := self._frames.unframed:
            words = "a message outside a frame, 0x0B to 0x1C 0x0D"
            await self._on_broken(rest, words, self.peer)

    async def _answer(self, answer: Answer) -> None:
        messages = (answer,) if isinstance(answer, bytes) else answer
        if not messages:
            return
        self._writer.write(b"".join(map(frame, messages)))
        async with asyncio.timeout(self._limits.stall_seconds):
            await self._writer.drain()

    def _report_junk(self, count: int) -> None:
        log.warning("mllp peer %s sent %d bytes outside any message", self.peer, count)


async def _answer_only(head: bytes, reason: str, _peer: str) -> bytes:
    return build_ack(
        head,
        code="AR",
        control_id=uuid4().hex[:20],
        at=datetime.now(UTC),
        text=reason,
        error=("MSH", 207),
    )


async def serve(
    *,
    host: str,
    port: int,
    on_message: OnMessage,
    on_broken: OnBroken | None = None,
    limits: Limits | None = None,
    tls: ssl.SSLContext | None = None,
) -> Serving:
    """Listen for MLLP peers; `on_message(message, peer's address)` gives what goes back.

    `on_broken(first bytes, reason, peer's address)` hears of a message that is too large, and
    gives its answer; and of one that is not in a frame, or only begun when the peer goes.

    When on_message raises, the connection is closed without an answer and the sender will send
    the message again. Raises PortTaken.
    """
    serving = Serving(on_message, limits or Limits(), on_broken)
    await serving.start(host, port, tls)
    return serving


class MllpServer:
    """A server on an event loop of its own in a thread, for commands and tests.

    `on_message` may be a coroutine function or a plain one; a plain one runs in a thread, so that
    it may wait for a database. Raises PortTaken. Ends with close() or as a context manager.
    """

    def __init__(
        self,
        on_message: Callable[[bytes, str], Answer | Awaitable[Answer]],
        *,
        on_broken: Callable[[bytes, str, str], Answer] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._threads = ThreadPoolExecutor(_HANDLER_THREADS, thread_name_prefix="mllp-message")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mllp", daemon=True)
        self._thread.start()
        try:
            self._serving = self._call(
                serve(
                    host=host,
                    port=port,
                    on_message=self._off_loop(on_message),
                    on_broken=self._off_loop(on_broken) if on_broken else None,
                    limits=limits,
                    tls=tls,
                )
            )
        except BaseException:
            self._stop()
            raise

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._serving.port

    @property
    def connection_count(self) -> int:
        """Peers connected now."""
        return self._serving.connection_count

    def is_turning(self, patience: float = 5.0) -> bool:
        """Whether the event loop gets to something new within `patience` seconds."""
        turned = threading.Event()
        try:
            self._loop.call_soon_threadsafe(turned.set)
        except RuntimeError:  # it is closed
            return False
        return turned.wait(patience)

    def close(self, grace: float = 5.0) -> None:
        """Stop listening; messages at hand get `grace` seconds to be answered."""
        if not self._thread.is_alive():
            return
        self._call(self._serving.close(grace))
        self._stop()

    def _off_loop(self, handler: Callable[..., Any]) -> Callable[..., Awaitable[Answer]]:
        if inspect.iscoroutinefunction(handler):
            return handler

        async def in_thread(*words: Any) -> Answer:
            loop = asyncio.get_running_loop()
            return cast("Answer", await loop.run_in_executor(self._threads, handler, *words))

        return in_thread

    def _call(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._threads.shutdown(wait=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
