"""Calls in threads of their own that can be given up: in goes a function, out comes what it returns.

A thread pool would be used up by a few functions that never return, and is waited for when the program ends; these
threads are daemons and are left behind, up to a number. Time limits are the caller's.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

ReturnT = TypeVar("ReturnT")
MOST_LEFT_BEHIND = 16


class NeverReturned(RuntimeError):
    """So many earlier calls still hang that no further one is begun."""


class Threads:
    """The calls of one rail."""

    def __init__(self, most_left_behind: int = MOST_LEFT_BEHIND) -> None:
        self._most = most_left_behind
        self._left_behind = 0
        self._lock = threading.Lock()

    async def call(self, fn: Callable[..., ReturnT], *args: Any) -> ReturnT:
        """Call it in a new thread, with this task's context variables; cancelling leaves the thread to itself.

        Raises:
            NeverReturned: Too many calls that were left behind have not returned.
        """
        if self._left_behind >= self._most:
            raise NeverReturned(f"{self._left_behind} earlier calls have not returned")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[ReturnT] = loop.create_future()
        call = _Call(loop, future)
        context = contextvars.copy_context()
        thread = threading.Thread(target=call.run, args=(context, fn, args), name="segue-rail", daemon=True)
        thread.start()
        try:
            return await future
        except asyncio.CancelledError:
            self._leave(call)
            raise

    def _leave(self, call: _Call) -> None:
        with self._lock:
            self._left_behind += 1
        call.when_over(self._come_back)

    def _come_back(self) -> None:
        with self._lock:
            self._left_behind -= 1


class _Call:
    def __init__(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any]) -> None:
        self._loop, self._future = loop, future
        self._lock = threading.Lock()
        self._over = False
        self._then: Callable[[], None] | None = None

    def run(self, context: contextvars.Context, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """In the thread: call it, and tell the loop."""
        result: Any = None
        error: Exception | None = None
        try:
            result = context.run(fn, *args)
        except StopIteration as raised:  # a future cannot hold it
            error = RuntimeError(f"raised {type(raised).__name__}")
        except BaseException as raised:
            error = raised if isinstance(raised, Exception) else RuntimeError(f"raised {type(raised).__name__}")
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            self._loop.call_soon_threadsafe(self._tell, result, error)
        with self._lock:
            self._over = True
            then = self._then
        if then is not None:
            then()

    def when_over(self, then: Callable[[], None]) -> None:
        """Call this when the function has returned, at once if it has."""
        with self._lock:
            self._then = then
            over = self._over
        if over:
            then()

    def _tell(self, result: Any, error: Exception | None) -> None:
        if self._future.done():
            return
        if error is None:
            self._future.set_result(result)
        else:
            self._future.set_exception(error)
