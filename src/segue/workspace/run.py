"""RunHandle: a run that still goes; what came of it is a `Run`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

from langgraph.runtime import RunControl

from segue.agents.run import Run
from segue.context.events import Event, RunFinished


class RunHandle:
    """A run that goes in the background. Await it for the `Run`."""

    def __init__(self, run_id: str, thread_id: str) -> None:
        self.id = run_id
        self.thread_id = thread_id
        self.cancel_asked = False
        self.control = RunControl()
        """What tells the graph, and the graphs inside it, to stop at the next checkpoint."""
        self.started = False
        """Whether its task took its first step; set by the run."""
        self.begun = False
        """Whether it has its thread; set by the run."""
        self._events: list[Event] = []
        self._more = asyncio.Event()
        self._task: asyncio.Task[Run] | None = None
        self._listeners: list[Callable[[Event], None]] = []

    def begin(self, task: asyncio.Task[Run]) -> None:
        """Called once by the workspace."""
        self._task = task
        task.add_done_callback(lambda _: self._more.set())

    def emit(self, event: Event) -> None:
        """Called by the run."""
        self._events.append(event)
        self._more.set()
        for hear in self._listeners:
            hear(event)

    @property
    def done(self) -> bool:
        """Whether the run, or this segment of it, has ended."""
        return self._task is not None and self._task.done()

    @property
    def drain_asked(self) -> bool:
        """Whether the run was told to stop at its next checkpoint."""
        return self.control.drain_requested

    async def events(self) -> AsyncIterator[Event]:
        """Every event from the start, then as they come, to the last one; a late subscriber misses nothing."""
        seen = 0
        while True:
            while seen < len(self._events):
                event = self._events[seen]
                seen += 1
                yield event
                if isinstance(event, RunFinished):
                    return
            if self.done:
                return
            self._more.clear()
            await self._more.wait()

    def listen(self, hear: Callable[[Event], None]) -> None:
        """Call this with every event so far, and with each as it comes; it must not raise, and must not wait."""
        for event in self._events:
            hear(event)
        self._listeners.append(hear)

    async def cancel(self) -> Run:
        """Stop the run in order and wait for it; its thread can take a next turn. An ended run stays as it is."""
        again, self.cancel_asked = self.cancel_asked, True
        if self._task is not None and not again:
            if not self.started:
                await asyncio.sleep(0)  # a task that never took its first step could not end in order
            self._task.cancel()
        return await self

    async def drain(self, *, timeout_s: float | None = None) -> Run:
        """Have the run stop at its next checkpoint, and wait for that; `ws.resume(run.id)` goes on with it.

        Args:
            timeout_s: Seconds after which it is stopped where it stands; `None` waits for as long as its step takes.
        """
        self.control.request_drain()
        if not self.begun:  # it waits for its thread or for a connection: nothing of it was done yet
            return await self.cancel()
        try:
            async with asyncio.timeout(timeout_s):
                return await self
        except TimeoutError:
            return await self.cancel()

    def __await__(self) -> Generator[Any, None, Run]:
        if self._task is None:  # pragma: no cover - the workspace begins every handle that it gives out
            raise RuntimeError("this run was never started")
        return asyncio.shield(self._task).__await__()
