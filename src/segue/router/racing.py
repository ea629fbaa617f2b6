"""Hedging: a second deployment is asked, too, when the first token of the first one is late.

In: the one that is asked, and who could be asked beside it. Out: the answer of whoever gives a first token first; the
other is given up, and of its pieces nothing is shown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from segue.router.errors import AttemptError
from segue.router.placing.fleet import Placement
from segue.router.steps import Go, Hedges
from segue.router.types import Reply

HEDGE_LATE = 4.0
"""A first token counts as late when it takes that much longer than foreseen."""
HEDGE_LEAST_S = 1.0


class Race:
    """One request at one deployment or two."""

    def __init__(
        self,
        hedges: Hedges,
        *,
        ask: Callable[[Go], Awaitable[Reply]],
        beside: Callable[[float], Go | None],
        lost: Callable[[AttemptError], None],
    ) -> None:
        """`lost` is told of one that failed while the other goes on."""
        self._hedges = hedges
        self._ask = ask
        self._beside = beside
        self._lost = lost
        self._runs: dict[Placement, asyncio.Task[Reply]] = {}

    def shows(self, placement: Placement) -> bool:
        """Whether the pieces of this one are shown."""
        return not self._runs or placement in self._runs

    def first_token(self, placement: Placement) -> None:
        """It gave the first token: the other one is given up."""
        if placement not in self._runs:
            return
        for other, task in list(self._runs.items()):
            if other is not placement:
                del self._runs[other]
                task.cancel()

    async def run(self, first: Go) -> tuple[Go, Reply]:
        """The answer, and who gave it.

        Raises:
            AttemptError: That of the last one which failed.
        """
        self._hedges.requests += 1
        late_s = max(HEDGE_LEAST_S, HEDGE_LATE * first.placement.pick.first_token_s)
        tasks = {self._begin(first): first}
        try:
            done, _ = await asyncio.wait(tasks, timeout=late_s)
            if not done and first.placement.placed.first_at is None and self._hedges.allow(first.step.hedge):
                second = self._beside(time.monotonic())
                if second is not None:
                    self._hedges.made += 1
                    tasks[self._begin(second)] = second
            return await self._winner(first, tasks)
        finally:
            self._runs = {}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, go: Go) -> asyncio.Task[Reply]:
        task = asyncio.ensure_future(self._ask(go))
        self._runs[go.placement] = task
        return task

    async def _winner(self, first: Go, tasks: dict[asyncio.Task[Reply], Go]) -> tuple[Go, Reply]:
        left = dict(tasks)
        while left:
            done, _ = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                go = left.pop(task)
                error = None if task.cancelled() else task.exception()
                if not task.cancelled() and error is None:
                    self._hedges.won += go is not first
                    return go, task.result()
                if error is not None and not any(each.placement in self._runs for each in left.values()):
                    raise error  # what is left was given up
                if isinstance(error, AttemptError):
                    self._lost(error)
        raise asyncio.CancelledError  # all were cancelled from within
