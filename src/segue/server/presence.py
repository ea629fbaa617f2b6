"""Presence: a server's name, and a lock that dies with it; and who of the others is dead, by theirs.

A lock of a file is lost with its process alone. One of PostgreSQL is lost with its session, which a living server takes
anew: so another is taken for dead only after its lock was free several times in a row, or where its process is gone.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from segue.base.errors import StoreError
from segue.memory.locks import FileLocks, LockBusy, Locks, is_gone, process_name

_log = logging.getLogger("segue.server")
_SEEN_DEAD = 4
"""Looks at which a lock must be free that a living server can lose."""
_AGAIN_S = 0.5


class Presence:
    """This server among others."""

    def __init__(self, locks: Locks) -> None:
        self.name = process_name()
        self._locks = locks
        self._free: dict[str, int] = {}

    async def hold(self, ready: asyncio.Event) -> None:
        """Be seen to live, until cancelled; `ready` is set once that is so."""
        while True:
            with suppress(StoreError, LockBusy):  # busy: somebody looks at this very moment
                async with self._locks.hold(_lock(self.name), deadline=5.0) as held:
                    ready.set()
                    await held.lost.wait()
                _log.warning("the lock was lost by which other servers know that this one lives; it is taken anew")
            await asyncio.sleep(_AGAIN_S)

    async def is_dead(self, name: str) -> bool:
        """Whether another server has ended; to be asked again and again, about a second apart.

        Raises:
            StoreError: It cannot be told.
        """
        if name in ("", self.name):
            return name == ""
        if await self._locks.held(_lock(name)):
            self._free.pop(name, None)
            return False
        self._free[name] = self._free.get(name, 0) + 1
        needed = 1 if isinstance(self._locks, FileLocks) or is_gone(name) else _SEEN_DEAD
        return self._free[name] >= needed


def _lock(name: str) -> str:
    return f"server/{name}"
