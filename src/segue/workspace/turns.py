"""Turns: a thread in, the time during which one run alone has it out, across tasks, workspaces and processes.

Runs of one workspace queue for as long as their own deadlines allow. For a thread that another process or workspace
has, a run waits a bounded time and is refused then. Who holds a thread dies with its process.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
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

    @asynccontextmanager
    async def of(self, tenant: str, thread_id: str) -> AsyncIterator[Held]:
        """Have the thread alone while inside; what goes on there is cancelled where the lock is lost.

        Raises:
            ThreadBusy: Another process or workspace had it for too long. Says which.
            StoreError: The lock cannot be had at all.
        """
        name = _name(tenant, thread_id)
        queue = self._queues.setdefault(name, asyncio.Lock())
        async with queue:
            try:
                hold = self._locks.hold(name, deadline=self._wait_s)
                held = await hold.__aenter__()
            except LockBusy as busy:
                raise ThreadBusy(thread_id, busy) from busy
            try:
                if isinstance(self._locks, FileLocks):  # it is not lost while this process lives
                    yield held
                else:
                    async with _watched(held):
                        yield held
            finally:
                await hold.__aexit__(None, None, None)

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
    return f"thread/{quote(tenant, safe='')}/{thread_id}"
