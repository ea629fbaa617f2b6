"""Turns: a thread in, the time during which one run alone has it out, across tasks, workspaces and processes.

Runs of one workspace queue for as long as their own deadlines allow. For a thread that another process or workspace
has, a run waits a bounded time and is refused then. Who holds a thread dies with its process.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from segue.base.errors import StoreError
from segue.memory.locks import FileLocks, Held, LockBusy, Locks


class ThreadTurns:
    """Who has which thread now."""

    def __init__(self, locks: Locks, wait_s: float | None) -> None:
        """`wait_s`: seconds that a run waits for another process or workspace; `None` for without end."""
        self._locks = locks
        self._wait_s = wait_s
        self._queues: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    def of(self, tenant: str, thread_id: str) -> AbstractAsyncContextManager[Held]:
        """Have the thread alone while inside; what goes on there is cancelled where the lock is lost.

        Raises:
            ThreadBusy: Another process or workspace had it for too long. Says which.
            StoreError: The lock cannot be had at all.
        """
        name = _name(tenant, thread_id)
        queue = self._queues.get(name)
        if queue is None:
            self._queues[name] = queue = asyncio.Lock()
        hold = self._locks.hold(name, deadline=self._wait_s)
        # with files it is not lost while this process lives
        return _Turn(thread_id, queue, hold, watched=not isinstance(self._locks, FileLocks))

    def held_now(self, tenant: str, thread_id: str) -> bool:
        """Whether a living process has the thread.

        Raises:
            StoreError: It cannot be told.
        """
        return self._locks.held_now(_name(tenant, thread_id))

    def busy(self, tenant: str, thread_id: str, waited_s: float) -> ThreadBusy:
        """The error for a run that stopped waiting, naming who has the thread as far as it is known."""
        name = _name(tenant, thread_id)
        holder = None
        with suppress(StoreError):
            holder = self._locks.holder_now(name)
        return ThreadBusy(thread_id, LockBusy(name, holder, waited_s))

    async def held(self, tenant: str, thread_id: str) -> bool:
        """Whether a living process has the thread."""
        return await self._locks.held(_name(tenant, thread_id))


class ThreadLost(StoreError):
    """The lock on a thread was lost while a run had it: the run stopped as if its process had died, and can go on."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(f"the lock on thread {thread_id} was lost while the run went on.", way_out="Resume the run.")


class ThreadBusy(StoreError):
    """Another process or workspace had the thread until the run stopped waiting for it. Nothing of the run was done."""

    severity = "warning"

    def __init__(self, thread_id: str, busy: LockBusy) -> None:
        who = str(busy.holder) if busy.holder else "somebody else"
        super().__init__(
            f"thread {thread_id} is held by {who}: a run there goes on.",
            way_out="Try again when it is done, raise thread_wait_s, or use another thread.",
        )
        self.holder = busy.holder


class _Turn(AbstractAsyncContextManager[Held]):
    """A thread while one run has it."""

    def __init__(
        self, thread_id: str, queue: asyncio.Lock, hold: AbstractAsyncContextManager[Held], *, watched: bool
    ) -> None:
        self._thread_id = thread_id
        self._queue = queue
        self._hold = hold
        self._watch: AbstractAsyncContextManager[None] | None = None
        self._watched = watched

    async def __aenter__(self) -> Held:
        await self._queue.acquire()
        try:
            held = await self._hold.__aenter__()
        except LockBusy as busy:
            self._queue.release()
            raise ThreadBusy(self._thread_id, busy) from busy
        except BaseException:
            self._queue.release()
            raise
        if self._watched:
            self._watch = _watched(held)
            await self._watch.__aenter__()
        return held

    async def __aexit__(self, *error: Any) -> None:
        try:
            try:
                if self._watch is not None:
                    await self._watch.__aexit__(*error)
            finally:
                await self._hold.__aexit__(None, None, None)
        finally:
            self._queue.release()


@asynccontextmanager
async def _watched(held: Held) -> AsyncIterator[None]:
    """Stops the task inside where the lock is lost, as can be with one that a connection holds."""
    inside = asyncio.current_task()

    async def wait() -> None:
        await held.lost.wait()
        if inside is not None:
            inside.cancel()

    watcher = asyncio.create_task(wait())
    try:
        yield
    finally:
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher


def _name(tenant: str, thread_id: str) -> str:
    return f"thread/{_quoted(tenant)}/{thread_id}"


@lru_cache(maxsize=256)
def _quoted(tenant: str) -> str:
    return quote(tenant, safe="")
