"""Writes that wait: each task's writes in, one transaction for all that came within 2 ms, or the next checkpoint's.

A checkpoint that follows takes the writes of its parent along, and then they need not repeat what it stores. Whoever
wrote is answered when they are durable, either way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from segue.memory.savers.draft import Task
from segue.memory.savers.live import Place
from segue.memory.sqlite_commits import GROUP_S

Store = Callable[[Sequence[Task]], Awaitable[None]]


@dataclass(eq=False, slots=True)
class Waiting:
    """One task's writes and whom to tell."""

    task: Task
    done: asyncio.Future[None]


class Pending:
    """What waits in one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, store: Store) -> None:
        self.loop = loop
        self._store = store
        self._waiting: dict[tuple[Place, str], list[Waiting]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def put(self, task: Task) -> None:
        """Until the writes are durable; cancelled before, they are left out."""
        item = Waiting(task, self.loop.create_future())
        self._waiting.setdefault((task.place, task.checkpoint_id), []).append(item)
        if self._timer is None:
            self._timer = self.loop.call_later(GROUP_S, self._begin)
        await item.done

    def take(self, place: Place, checkpoint_id: str | None) -> list[Waiting]:
        """The writes that wait on a checkpoint; the taker settles them or gives them back."""
        if not self._waiting or checkpoint_id is None:
            return []
        return [item for item in self._waiting.pop((place, checkpoint_id), ()) if not item.done.done()]

    def give_back(self, items: Sequence[Waiting]) -> None:
        """They are unwritten still."""
        for item in items:
            self._waiting.setdefault((item.task.place, item.task.checkpoint_id), []).append(item)
        if items and self._timer is None:
            self._timer = self.loop.call_later(GROUP_S, self._begin)

    async def flush(self) -> None:
        """Store all that waits, and tell each."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        items = [item for held in self._waiting.values() for item in held if not item.done.done()]
        self._waiting = {}
        if not items:
            return
        try:
            await self._store([item.task for item in items])
        except asyncio.CancelledError:
            self.give_back(items)
            raise
        except Exception as error:
            settle(items, error)
        else:
            settle(items)

    async def close(self) -> None:
        """Store what waits, and wait for what is under way."""
        await self.flush()
        while self._running:
            await asyncio.wait(self._running)

    def _begin(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        task = self.loop.create_task(self.flush())
        self._running.add(task)
        task.add_done_callback(self._running.discard)


def settle(items: Sequence[Waiting], error: Exception | None = None) -> None:
    """Tell those who wait."""
    for item in items:
        if item.done.done():
            continue
        if error is None:
            item.done.set_result(None)
        else:
            item.done.set_exception(error)
