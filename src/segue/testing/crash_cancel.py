"""One cancel: a scenario is played, its run is cancelled at an await, gone on with or not, and its thread has a turn.

In: the scenario, its place and the number of the await. Out: an `Outcome` that also says who went on regardless: a task
that did not end, an effect that was done by code which had been cancelled, a run that completed all the same.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any

from segue.testing.crash_play import Outcome, Place, Player, in_loop
from segue.testing.crash_scenario import Scenario
from segue.testing.crash_watch import Point, Watched, Watcher

_PASSES = 50
_WENT_ON = ("tool_called", "task_started", "plan_made")


def cancelled(scenario: Scenario, place: Place, number: int) -> Outcome:
    """Play, cancel the run at this await, and have a next turn on its thread.

    After every other cancel, the run that was cancelled is gone on with first: it must end as if nothing had stopped
    it.
    """
    return in_loop(scenario, *_Cancel(scenario, place, number).parts())


class _Cancel:
    """One cancel: counts awaits, cancels at one of them, and sees who goes on regardless."""

    def __init__(self, scenario: Scenario, place: Place, number: int) -> None:
        self._scenario = scenario
        self._place = place
        self._number = number
        self._watcher = Watcher(self._reached)
        self._watcher.on_cancel = self._before_step
        self._watcher.after_cancelled = self._after_step
        self._player: Player | None = None
        self._played: asyncio.Task[None] | None = None
        self._ended: asyncio.Task[Any] | None = None
        self._out = Outcome()
        self._seen: Counter[Hashable] | None = None
        self._threads = _Threads()
        self._at = 0.0

    def parts(self) -> tuple[Watcher, Callable[[Outcome], Any]]:
        """The watcher, and what runs in the loop."""
        return self._watcher, self._whole

    async def _whole(self, out: Outcome) -> None:
        self._out = out
        self._threads.watch(asyncio.get_running_loop())
        async with self._scenario.open(self._place.world, self._place.data) as ws:
            player = self._player = Player(self._scenario, ws, self._place.world, out)
            self._played = asyncio.create_task(player.play())
            self._watcher.on = self._watcher.playing = True
            await asyncio.wait({self._played})
            self._watcher.on = False
            if self._ended is not None:
                await self._after(player)
            self._played.cancelled() or self._played.result()
        player.look()

    def _reached(self, point: Point) -> None:
        player = self._player
        if point.kind != "await" or point.number < self._number or self._ended is not None or player is None:
            return
        running = player.handle is not None and not player.handle.done
        if self._scenario.play is None and not running:
            return  # between two runs there is nothing to cancel: the next await is taken
        self._out.cancelled_at = str(point)
        self._at = time.time()
        player.stopped = True
        work = player.handle.cancel() if running else self._cancel_play()
        self._watcher.on = False
        self._ended = asyncio.get_running_loop().create_task(work)
        self._watcher.on = True

    async def _cancel_play(self) -> None:
        assert self._played is not None
        self._played.cancel()
        await asyncio.wait({self._played})

    async def _after(self, player: Player) -> None:
        """The run ended; see what it left, and take the next turn."""
        assert self._ended is not None
        run = await self._ended
        await self._settled()
        for task in self._watcher.tasks:
            if task.cancelled and not task.done:
                self._out.late.append(
                    f"what was cancelled at {task.cancelled_at} goes on after the run has ended, at {task.where()}"
                )
        player.stopped = False
        if run is None:
            await player.play()
            return
        await self._ended_in_order(run, player)
        if self._number % 2:
            self._out.resumed = True
            await player.play()
        again = await player.turn(self._scenario.next_request)
        if again.status != "completed":
            self._out.error = f"the turn after a cancelled one is {again.status}: {again.stop_reason or again.error}"

    async def _settled(self) -> None:
        """Give those who were cancelled the moment that they may take."""
        for _ in range(_PASSES):
            if all(task.done for task in self._watcher.tasks if task.cancelled):
                return
            await asyncio.sleep(0.001)

    async def _ended_in_order(self, run: Any, player: Player) -> None:
        if run.status == "completed":
            went_on = [
                event.type async for event in player.handle.events()
                if event.at > self._at and event.type in _WENT_ON
            ]  # fmt: skip
            if went_on:
                self._out.late.append(f"the run went on to its end after it was cancelled: {', '.join(went_on)}")
        elif run.status == "failed" or (run.status, run.stop_reason) not in (
            ("stopped", "cancelled"),
            ("waiting", None),
        ):
            self._out.error = f"the cancelled run is {run.status}: {run.stop_reason or run.error}"

    def _before_step(self, task: Watched) -> None:
        self._threads.mark()
        self._seen = self._done()

    def _after_step(self, task: Watched) -> None:
        before, now = self._seen, self._done()
        self._threads.mark()
        if before is None or now is None or self._threads.moved():
            return  # a thread that is in the middle of its work cannot be cancelled
        for effect in (now - before).elements():
            self._out.late.append(f"{effect!r} was done by what had been cancelled at {task.cancelled_at}")

    def _done(self) -> Counter[Hashable] | None:
        try:
            return Counter(self._scenario.effects(self._place.world))
        except Exception:  # the world is in the middle of a write
            return None


class _Threads:
    """Whether work went on in threads meanwhile."""

    def __init__(self) -> None:
        self._running = 0
        self._begun = 0
        self._marks: list[tuple[int, int]] = []

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """See what the loop hands to its threads."""
        run_in_executor = loop.run_in_executor

        def counted(executor: Any, fn: Any, *args: Any) -> Any:
            def run() -> Any:
                self._running += 1
                self._begun += 1
                try:
                    return fn(*args)
                finally:
                    self._running -= 1

            return run_in_executor(executor, run)

        loop.run_in_executor = counted  # type: ignore[method-assign,assignment]

    def mark(self) -> None:
        """Note how things stand: before the first look at the world, and after the second."""
        self._marks = [*self._marks[-1:], (self._running, self._begun)]

    def moved(self) -> bool:
        """Whether anything ran between the last two marks."""
        return any(running for running, _ in self._marks) or len({begun for _, begun in self._marks}) > 1
