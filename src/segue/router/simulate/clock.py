"""Virtual time: things to do at some moment in, done in their order, without any waiting."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any


class VirtualClock:
    """The time of a simulation, in seconds from its start."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to do."""
        return not self._due

    def at(self, moment: float, do: Callable[..., None], *arguments: Any) -> None:
        """Have it done then; of the same moment, what was asked for first is done first."""
        self._number += 1
        heapq.heappush(self._due, (max(moment, self.now), self._number, do, arguments))

    def run(self) -> None:
        """Until nothing is left to do."""
        due = self._due
        while due:
            self.now, _, do, arguments = heapq.heappop(due)
            do(*arguments)
