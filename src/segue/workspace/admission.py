"""Admission: runs that want to begin in, and let in as long as the event loop keeps up with those that run.

Runs that wait for models cost the loop next to nothing, so that thousands may run at a time. Where they keep it busy
instead, one more run makes all of them slower and holds memory meanwhile: then one is let in for each that ends, in the
order in which they came.
"""

from __future__ import annotations

import asyncio
from collections import deque
from weakref import WeakKeyDictionary

AT_ONCE = 32
"""Runs that are let in without a look at the loop, and so many more each moment while it keeps up."""
MOMENT_S = 0.01
LATE_S = 0.01
"""How late the loop may be with what was due, to be thought to keep up."""
LOOKS = 3
"""How often in a row it must keep up."""


class Admission:
    """The door of one event loop. Every method is called on its thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.inside = 0
        """Runs that were let in and have not left."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._due: float | None = None
        self._on_time = 0

    @property
    def waiting(self) -> int:
        """Runs that wait to be let in."""
        return len(self._waiting)

    async def enter(self) -> None:
        """Wait until the run may begin; whoever was let in leaves again by `leave`."""
        if self.inside >= AT_ONCE:
            await self._wait()
        else:
            self.inside += 1

    def leave(self) -> None:
        """A run has ended: the next one is let in."""
        self.inside -= 1
        self._open(1)

    async def _wait(self) -> None:
        turn = self._loop.create_future()
        self._waiting.append(turn)
        if self._due is None:
            self._look_later()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # let in, and gone at the same moment
                self.leave()
            raise

    def _look_later(self) -> None:
        self._due = self._loop.time() + MOMENT_S
        self._loop.call_at(self._due, self._look)

    def _look(self) -> None:
        due, self._due = self._due, None
        self._on_time = self._on_time + 1 if due is not None and self._loop.time() - due < LATE_S else 0
        if self._on_time == LOOKS:
            self._on_time = 0
            self._open(AT_ONCE)
        if self._waiting:
            self._look_later()

    def _open(self, most: int) -> None:
        while self._waiting and most:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self.inside += 1
                most -= 1


class Doors:
    """An admission for each event loop that runs are started on."""

    def __init__(self) -> None:
        self._doors: WeakKeyDictionary[asyncio.AbstractEventLoop, Admission] = WeakKeyDictionary()

    def here(self) -> Admission:
        """That of the running loop."""
        loop = asyncio.get_running_loop()
        found = self._doors.get(loop)
        if found is None:
            found = self._doors[loop] = Admission(loop)
        return found
