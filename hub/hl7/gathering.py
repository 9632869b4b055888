"""Hands what came on all connections to one plain function together: one commit, one thread.

For each message a thread of its own, and another to commit it, costs more in switching between
them than reading the message does. Here the event loop gathers, one thread works, and while it
works the loop gathers what comes next.

A batch costs nearly the same whether it holds one message or four. Peers that were just answered
send their next message at once, so where several were, the next batch waits a moment for them: else
one peer's message would for ever be a batch of its own while the others' wait for it.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from hub.hl7.frames import Answer

Arrived = tuple[bytes, str]  # a message and its peer's address
Handle = Callable[[Sequence[Arrived]], Sequence[Answer]]
_Waiting = tuple[Arrived, "asyncio.Future[Answer]"]

# How long peers that were answered have for their next message. A message that comes alone, as
# nearly all do, never waits.
_MOMENT_SECONDS = 0.002


class Gathering:
    """A coroutine function for MllpServer around `handle`, which answers each message in order.

    `handle` is never called twice at once. When it raises, all its messages go unanswered.
    """

    def __init__(
        self, handle: Handle, *, largest: int = 100, moment_seconds: float = _MOMENT_SECONDS
    ) -> None:
        self._handle = handle
        self._largest = largest
        self._moment_seconds = moment_seconds
        self._waiting: list[_Waiting] = []
        self._is_working = False
        # how many messages the next batch waits for, and until when
        self._awaited = 0
        self._timer: asyncio.TimerHandle | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mllp-messages")

    async def take(self, raw: bytes, peer: str) -> Answer:
        """The answer to one message, once the batch it is in has been handled."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append(((raw, peer), answer))
        if not self._is_working:
            self._is_working = True
            # Other connections whose messages came in the same moment are read first.
            loop.call_soon(self._work, loop)
        elif self._timer is not None and len(self._waiting) >= self._awaited:
            self._work(loop)
        return await answer

    def close(self) -> None:
        """Wait for what is being handled."""
        self._thread.shutdown()

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting:
            self._is_working = False
            return
        batch, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
        work = self._thread.submit(self._handle, [arrived for arrived, _ in batch])
        work.add_done_callback(
            lambda done: loop.call_soon_threadsafe(self._settle, loop, batch, done)
        )

    def _settle(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: list[_Waiting],
        done: "Future[Sequence[Answer]]",
    ) -> None:
        fault = done.exception()
        answers = [] if fault else done.result()
        for place, (_, future) in enumerate(batch):
            if future.cancelled():  # its connection is gone
                continue
            if fault:
                future.set_exception(fault)
            else:
                future.set_result(answers[place])
        self._awaited = min(len(batch) + len(self._waiting), self._largest)
        if self._awaited > 1 and len(self._waiting) < self._awaited:
            self._timer = loop.call_later(self._moment_seconds, self._work, loop)
        else:
            loop.call_soon(self._work, loop)
