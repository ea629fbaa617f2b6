"""For callers without an event loop: a coroutine or an async stream, run on a loop of its own, in a thread of its own.

In: something to await or to iterate over. Out: its result, or its items one by one. The context variables of the
caller hold there, too. Whoever leaves a stream early has it cancelled before they go on.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing, suppress
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
_THREAD = "segue-router"


def result_of(asked: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns."""
    with ThreadPoolExecutor(1, thread_name_prefix=_THREAD) as thread:
        return thread.submit(contextvars.copy_context().run, asyncio.run, asked).result()


def items_of(stream: AsyncGenerator[T]) -> Iterator[T]:
    """What the stream gives, as it comes."""
    items: SimpleQueue[tuple[T] | None] = SimpleQueue()
    running: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = Future()

    async def fill() -> None:
        running.set_result((asyncio.get_running_loop(), asyncio.ensure_future(read())))
        await running.result()[1]

    async def read() -> None:
        try:
            async with aclosing(stream):
                async for item in stream:
                    items.put((item,))
        finally:
            items.put(None)

    with ThreadPoolExecutor(1, thread_name_prefix=_THREAD) as thread:
        done = thread.submit(contextvars.copy_context().run, asyncio.run, fill())
        try:
            while (item := items.get()) is not None:
                yield item[0]
            done.result()
        finally:
            loop, task = running.result()
            with suppress(RuntimeError):  # its loop is closed: it is over already
                loop.call_soon_threadsafe(task.cancel)
            with suppress(asyncio.CancelledError, Exception):
                done.result()
