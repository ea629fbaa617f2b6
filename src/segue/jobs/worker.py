"""Worker: jobs worked off in this process until it is asked to stop, or loses the lock by which others know it lives.

Asked to stop, it takes nothing new, has each run stop at its next checkpoint, and hands what is left to the others.
Once its lock is lost it stops everything where it stands, since others may begin with it at any moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from segue.base.errors import OperatorError, SegueError
from segue.jobs.jobs import Jobs
from segue.jobs.planning import Planning
from segue.jobs.port import Working
from segue.jobs.running import Load, Runner
from segue.jobs.store import stops
from segue.workspace.loading import load as load_agent

_log = logging.getLogger("segue.jobs")
_LOOK_S = 0.5
_IDLE_ROUNDS = 3
_ABORT_S = 2.0


class WorkerLost(OperatorError):
    """A worker lost the lock that tells that it lives. Its runs were stopped; nothing of them is lost."""

    def __init__(self) -> None:
        super().__init__(
            "this worker lost its connection, so others may take it for dead: all its runs were stopped.",
            way_out="Start it anew; the runs go on.",
        )


class Worker:
    """Works off the jobs of a workspace.

    Args:
        jobs: The jobs.
        load: Finds the agent at a source; `None` looks from the workspace's folder, as the command line does.
        slots: Runs at a time; `None` is what the settings say.
        schedules: Whether it fires schedules as well, in turn with other workers.
        on_lost: Called once its runs are stopped where its lock is lost, before anything is closed: what a process
            that begins anew has no time for.
    """

    def __init__(
        self,
        jobs: Jobs,
        *,
        load: Load | None = None,
        slots: int | None = None,
        schedules: bool = True,
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        self.jobs, self.on_lost = jobs, on_lost
        self.slots = slots or jobs.settings.concurrency
        self.schedules = schedules
        self.runner = Runner(
            jobs.ws, jobs.store, jobs.settings, load=load or self._load, rights=jobs.rights, locks=jobs.locks,
            cancelled=jobs.cancelled,
        )  # fmt: skip
        self.ready = asyncio.Event()
        """Set once it takes jobs."""
        self._stop = asyncio.Event()

    def _load(self, source: str) -> Any:
        return load_agent(source, self.jobs.ws.folder)

    def stop(self) -> None:
        """Ask it to stop; `run` returns when it has."""
        self._stop.set()

    async def run(self, *, once: bool = False) -> None:
        """Work until `stop`; with `once`, until nothing is left to begin.

        Raises:
            WorkerLost: It lost the lock that tells that it lives.
            StoreError: The queue cannot be reached at the start.
        """
        async with self.jobs.engine.work(self.runner, slots=self.slots) as working:
            self.ready.set()
            tasks = [asyncio.create_task(self._heed_switches(working))]
            if self.schedules:
                tasks.append(asyncio.create_task(Planning(self.jobs).run()))
            if once:
                tasks.append(asyncio.create_task(self._until_idle(working)))
            try:
                lost = await self._until_stopped(working)
                if not lost:
                    working.take(0)
                    await self.runner.drain(timeout_s=self.jobs.settings.drain_s)
                else:
                    await self._abort()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        if lost:
            raise WorkerLost()

    async def _abort(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_ABORT_S):
                await self.runner.abort()
        if self.on_lost is not None:
            self.on_lost()

    async def _until_stopped(self, working: Working) -> bool:
        """Whether it was the lock that ended it."""
        stop, lost = asyncio.create_task(self._stop.wait()), asyncio.create_task(_of(working.lost))
        try:
            await asyncio.wait({stop, lost}, return_when=asyncio.FIRST_COMPLETED)
            return lost.done() and not stop.done()
        finally:
            stop.cancel()
            lost.cancel()
            await asyncio.gather(stop, lost, return_exceptions=True)

    async def _heed_switches(self, working: Working) -> None:
        """Stop what a kill switch is for."""
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                switches = await self.jobs.switches()
            except SegueError as error:
                _log.warning("kill switches cannot be read: %s", error)
                continue
            for segment in working.busy().values():
                if stops(switches, segment.tenant):
                    self.runner.kill(segment.tenant, segment.run_id)

    async def _until_idle(self, working: Working) -> None:
        quiet = 0
        while quiet < _IDLE_ROUNDS:
            await asyncio.sleep(_LOOK_S)
            open_ = await self.jobs.engine.newest(None, states=["queued", "running"], limit=1)
            quiet = 0 if open_ or working.busy() else quiet + 1
        self.stop()


async def _of(awaitable: Awaitable[object]) -> None:
    await awaitable
