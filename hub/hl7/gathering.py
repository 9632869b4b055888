"""Hands what came on all connections to one plain function together: one commit, one thread.

For each message a thread of its own, and another to commit it, costs more in switching between
them than reading the message does. Here the event loop gathers, one thread works, and while it
works the loop gathers what comes next.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

Arrived = tuple[bytes, str]  # a message and its peer's address
Handle = Callable[[Sequence[Arrived]], Sequence[bytes | None]]
_Waiting = tuple[Arrived, "asyncio.Future[bytes | None]"]


class Gathering:
    """A coroutine function for MllpServer around `handle`, which answers each message in order.

    `handle` is never called twice at once. When it raises, all its messages go unanswered.
    """

    def __init__(self, handle: Handle, *, largest: int = 100) -> None:
        self._handle = handle
        self._largest = largest
        self._waiting: list[_Waiting] = []
        self._is_working = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mllp-messages")

    async def take(self, raw: bytes, peer: str) -> bytes | None:
        """The answer to one message, once the batch it is in has been handled."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes | None] = loop.create_future()
        self._waiting.append(((raw, peer), answer))
        if not self._is_working:
            self._is_working = True
            # Other connections whose messages came in the same moment are read first.
            loop.call_soon(self._work, loop)
        return await answer

    def close(self) -> None:
        """Wait for what is being handled."""
        self._thread.shutdown()

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        batch, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
        work = self._thread.submit(self._handle, [arrived for arrived, _ in batch])
        work.add_done_callback(
            lambda done: loop.call_soon_threadsafe(self._settle, loop, batch, done)
        )

    def _settle(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: list[_Waiting],
        done: "Future[Sequence[bytes | None]]",
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
        if self._waiting:
            loop.call_soon(self._work, loop)
        else:
            self._is_working = False
