"""Group commit: transactions of many writers in, one commit of SQLite for all who came within 2 ms.

Who is in a hurry commits at once and takes along all who wait. A transaction is run as a whole inside one call, so that
nobody's pause ever holds the file's lock. Where one of a group fails, the others are run by themselves. While another
process writes, the queue tries again, without blocking the loop, for up to `BUSY_S` seconds from when one came.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from segue.base.stores import BUSY_S
from segue.memory.database import Row, Statement

GROUP_S = 0.002
"""Seconds that a transaction which is in no hurry waits for company."""
_PAUSE_S = 0.005
Results = list[list[Row]]
RunAll = Callable[[Sequence[Sequence[Statement]], float], list[Results]]
"""Runs several transactions under one commit; raises what SQLite raises, having written nothing. The second is how many
seconds ago the file may have been looked for in its place."""


def is_busy(error: BaseException) -> bool:
    """Whether another connection holds what was wanted, so that it may go later."""
    return isinstance(error, sqlite3.OperationalError) and ("locked" in str(error) or "busy" in str(error))


@dataclass(eq=False, slots=True)
class _Waiting:
    statements: Sequence[Statement]
    done: asyncio.Future[Results]
    seen_s: float = 0.0
    since: float = field(default_factory=time.monotonic)

    def settle(self, results: Results) -> None:
        if not self.done.done():
            self.done.set_result(results)

    def fail(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class CommitQueue:
    """The queue of one event loop. Every method is called on that loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, run_all: RunAll) -> None:
        self.loop = loop
        self._run_all = run_all
        self._waiting: list[_Waiting] = []
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    async def put(self, statements: Sequence[Statement], *, soon: bool, seen_s: float = 0.0) -> Results:
        """Run the statements as one transaction with the next commit; cancelled before it, they are left out."""
        item = _Waiting(statements, self.loop.create_future(), seen_s)
        self._waiting.append(item)
        if soon:
            self.flush()
        elif self._timer is None:
            self._timer = self.loop.call_later(GROUP_S, self.flush)
        return await item.done

    def flush(self) -> None:
        """Run and commit what waits; what has to wait for another process is tried again by itself."""
        self._unschedule()
        items = [item for item in self._waiting if not item.done.done()]
        self._waiting = []
        if not items:
            return
        try:
            found = self._run_all([item.statements for item in items], min(item.seen_s for item in items))
        except Exception as error:
            self._after(error, items)
            return
        for item, results in zip(items, found, strict=True):
            item.settle(results)

    def close(self, error: Exception) -> None:
        """Fail whatever could not be written."""
        self._unschedule()
        for item in self._waiting:
            item.fail(error)
        self._waiting = []

    def _after(self, error: Exception, items: list[_Waiting]) -> None:
        if is_busy(error):
            self._wait_for_the_lock(error, items)
        elif isinstance(error, sqlite3.IntegrityError) and len(items) > 1:
            self._one_by_one(items)
        else:
            for item in items:
                item.fail(error)

    def _wait_for_the_lock(self, error: Exception, items: list[_Waiting]) -> None:
        """Back into the queue, for a while; those who waited for long enough are told."""
        ends = time.monotonic() - BUSY_S
        for item in items:
            if item.since < ends:
                item.fail(error)
        self._waiting[:0] = [item for item in items if not item.done.done()]
        if self._waiting:
            self._unschedule()
            self._timer = self.loop.call_later(_PAUSE_S, self.flush)

    def _one_by_one(self, items: list[_Waiting]) -> None:
        for at, item in enumerate(items):
            try:
                item.settle(self._run_all([item.statements], 0.0)[0])
            except Exception as error:
                if is_busy(error):
                    self._wait_for_the_lock(error, items[at:])
                    return
                item.fail(error)

    def _unschedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
