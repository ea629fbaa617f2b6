"""Alarms: many deadlines of one event loop behind one of its timers.

Nearly every deadline is called off: the call came back in time. A timer of the loop stays in its heap until its time
has come, also where it was cancelled, and every other one is sorted past it. An alarm that is called off is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf


class Alarm:
    """One deadline."""

    __slots__ = ("_held", "ring", "when")

    def __init__(self, when: float, ring: Callable[[], object], held: dict[Alarm, None]) -> None:
        self.when = when
        self.ring = ring
        self._held = held

    def cancel(self) -> None:
        """Call it off; where it has rung, or was called off before, nothing happens."""
        self._held.pop(self, None)
        self.ring = _nothing  # so that who holds it is not held by it


class Alarms:
    """The alarms of one event loop. Every method is called on that loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._held: dict[Alarm, None] = {}
        self._due = inf
        self._timer: asyncio.TimerHandle | None = None

    def set(self, when: float, ring: Callable[[], object]) -> Alarm:
        """Call `ring` at `when`, by the loop's clock, from the loop, unless it is called off before."""
        alarm = Alarm(when, ring, self._held)
        self._held[alarm] = None
        if when < self._due:
            self._wait(when)
        return alarm

    def _wait(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due, self._timer = when, self._loop.call_at(when, self._look)

    def _look(self) -> None:
        now = max(self._loop.time(), self._due)
        self._due, self._timer = inf, None
        due = [alarm for alarm in self._held if alarm.when <= now]
        for alarm in sorted(due, key=lambda each: each.when):
            self._loop.call_soon(self._ring, alarm)
        if later := [alarm.when for alarm in self._held if alarm.when > now]:
            self._wait(min(later))

    def _ring(self, alarm: Alarm) -> None:
        if alarm in self._held:
            del self._held[alarm]
            alarm.ring()


def _nothing() -> None: ...


def alarms(loop: asyncio.AbstractEventLoop) -> Alarms:
    """The alarms of a loop; they live as long as it does."""
    found: Alarms | None = getattr(loop, "_segue_alarms", None)
    if found is None:
        found = loop._segue_alarms = Alarms(loop)  # type: ignore[attr-defined]
    return found
