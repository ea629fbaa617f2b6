"""A worker on DBOS: segments out of its queue, each worked off on the caller's event loop, the outcome kept by DBOS.

DBOS claims, keeps outcomes and fences; it never notices a dead process. So each worker holds a lock that dies with it,
and hands back to the queue what belongs to a worker whose lock is free. Three things of DBOS that are not public are
used here and nowhere else: `_recover_pending_workflows`, `reenqueue_for_recovery`, and `get_queue` of its database
object, which is where the number of slots of this very process is put in. The chaos test notices when one changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from segue.base.errors import StoreError
from segue.jobs.dbos_engine import APPLICATION, PROTOCOL, QUEUE, WORKFLOW, engine_errors, place
from segue.jobs.port import JobError, Outcome, Segment, Work, Working
from segue.memory.locks import FileLocks, LockBusy, is_gone, process_name

if TYPE_CHECKING:
    from segue.jobs.dbos_engine import DbosEngine

_log = logging.getLogger("segue.jobs")
_REAP_S = 0.5
_SEEN_DEAD = 4
"""Rounds in which a worker's lock must be free, where a lock can be lost by a living worker, which stops by then."""
_STUCK = 12
"""Rounds after which a segment that is claimed for this worker and never began is handed back."""
_AGAIN_S = 1.0
_POOL = 5


class Dead(Exception):
    """A segment failed for good; what DBOS keeps of it is the reason and the error's id."""

    def __init__(self, reason: str, error_id: str) -> None:
        super().__init__(reason)
        self.error_id = error_id


class DbosWorking:
    """A worker at work; see `Working`."""

    def __init__(self, engine: DbosEngine, work: Work, slots: int) -> None:
        self.name = process_name()
        self.engine = engine
        self._work = work
        self._slots = slots
        self._loop = asyncio.get_running_loop()
        self._busy: dict[str, Segment] = {}
        self._lost: asyncio.Event = asyncio.Event()
        self._seen: dict[str, int] = {}

    @property
    def lost(self) -> Awaitable[Any]:
        """Done when the lock is lost by which others know that this worker lives."""
        return self._lost.wait()

    def take(self, slots: int) -> None:
        """See `Working.take`."""
        self._slots = slots

    def busy(self) -> Mapping[str, Segment]:
        """See `Working.busy`."""
        return dict(self._busy)

    async def run(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Work off one segment; called by DBOS, on DBOS's loop."""
        future = asyncio.run_coroutine_threadsafe(self._run(Segment.from_dict(data)), self._loop)
        outcome = await asyncio.wrap_future(future)
        if outcome.state == "queued":  # handed back: another worker ends it
            await asyncio.Event().wait()
        return {"state": outcome.state, "reason": outcome.reason, "error_id": outcome.error_id}

    async def _run(self, segment: Segment) -> Outcome:
        key = place(segment.tenant, segment.id)
        self._busy[key] = segment
        try:
            outcome = await self._work(segment)
            if outcome.then is not None:
                await self._put(outcome.then, outcome.delay_s)
            if outcome.state == "queued":
                await self._hand_back(key)
            return outcome
        finally:
            del self._busy[key]

    async def _put(self, segment: Segment, delay_s: float) -> None:
        """However long it takes: an outcome without what comes next would lose the job."""
        while True:
            try:
                await self.engine.put(segment, delay_s=delay_s)
                return
            except StoreError as error:
                _log.warning("what comes next for run %s cannot be queued yet: %s", segment.run_id, error)
            await asyncio.sleep(_AGAIN_S)

    async def _hand_back(self, key: str) -> None:
        """Into the queue again, for any other worker; where that fails, they notice when this one has gone."""
        with suppress(Exception):
            await asyncio.to_thread(_system().reenqueue_for_recovery, key, [self.name], QUEUE)

    async def watch(self, lost: asyncio.Event) -> None:
        """Learn at once that the lock is lost."""
        await lost.wait()
        self._slots = 0
        self._lost.set()

    async def reap(self) -> None:
        """Hand back what dead workers had, for as long as this one lives."""
        while not self._lost.is_set():
            await asyncio.sleep(_REAP_S)
            try:
                await self._reap_once()
            except StoreError as error:
                _log.warning("dead workers cannot be looked for: %s", error)

    async def _reap_once(self) -> None:
        pending = await self.engine.pending()
        others = {worker for _, worker in pending if worker != self.name}
        stuck = [key for key, worker in pending if worker == self.name and key not in self._busy]
        self._seen = {name: self._seen.get(name, 0) for name in (*others, *stuck)}
        for worker in others:
            await self._reap_worker(worker)
        for key in stuck:
            self._seen[key] += 1
            if self._seen[key] >= _STUCK:
                await self._hand_back(key)

    async def _reap_worker(self, worker: str) -> None:
        needed = 1 if isinstance(self.engine.locks, FileLocks) or is_gone(worker) else _SEEN_DEAD
        with suppress(LockBusy):
            async with self.engine.locks.hold(lock_of(worker), deadline=0):
                self._seen[worker] += 1
                if self._seen[worker] >= needed:
                    await asyncio.to_thread(_recover, worker)
                    _log.warning("worker %s is dead: what it had is queued again", worker)
                return
        self._seen[worker] = 0

    def launch(self) -> None:
        """Start DBOS; in a thread without an event loop, so that DBOS keeps to a loop of its own."""
        from dbos import DBOS, DBOSConfig
        from dbos import _dbos as singleton

        from segue.jobs.dbos_json import JsonSerializer

        if singleton._dbos_global_instance is not None:
            raise JobError(
                "DBOS is in use in this process already.", way_out="Start the worker in a process of its own."
            )
        config: DBOSConfig = {
            "name": APPLICATION, "system_database_url": self.engine.url, "executor_id": self.name,
            "application_version": PROTOCOL, "sys_db_pool_size": _POOL, "run_migrations": False,
            "serializer": JsonSerializer(), "scheduler_polling_interval_sec": 3600.0, "log_level": "WARNING",
            "enable_otlp": False,
        }  # fmt: skip
        DBOS(config=config)

        @DBOS.step(name="segment", preemptible=True)
        async def segment(data: dict[str, Any]) -> dict[str, Any]:
            return await self.run(data)

        async def segue_segment(data: dict[str, Any]) -> dict[str, Any]:
            outcome = await segment(data)
            if outcome["state"] == "dead":
                raise Dead(outcome["reason"], outcome["error_id"])
            return outcome

        DBOS.workflow(name=WORKFLOW, max_recovery_attempts=self.engine.max_deliveries)(segue_segment)
        DBOS.listen_queues([QUEUE])
        DBOS.launch()
        self._put_in_slots(_system())

    def _put_in_slots(self, system: Any) -> None:
        """How much this process takes is its own affair; DBOS reads one number for all from the queue's row."""
        read = system.get_queue

        def get_queue(name: str, **more: Any) -> Any:
            queue = read(name, **more)
            if queue is not None and name == QUEUE:
                queue._worker_concurrency = self._slots
                queue._polling_interval_sec = self.engine.poll_s
                queue._partition_concurrency = self.engine.tenant_slots or None
            return queue

        system.get_queue = get_queue


def lock_of(worker: str) -> str:
    """The name of the lock that a worker holds while it lives."""
    return f"jobs/worker/{worker}"


@asynccontextmanager
async def working(engine: DbosEngine, work: Work, *, slots: int) -> AsyncIterator[Working]:
    """Work segments off while inside. What still runs at the end is cancelled and queued again.

    Raises:
        JobError: This process has a worker, or a DBOS of its own, already.
        StoreError: The queue's database cannot be reached.
    """
    import langgraph.graph  # noqa: F401 - seconds of imports come before the first claim, and not with it held

    worker = DbosWorking(engine, work, slots)
    async with AsyncExitStack() as stack:
        held = await stack.enter_async_context(engine.locks.hold(lock_of(worker.name), deadline=5))
        stack.push_async_callback(_stop, worker)
        with engine_errors(engine.url):
            await asyncio.to_thread(worker.launch)
        tasks = [asyncio.create_task(worker.watch(held.lost)), asyncio.create_task(worker.reap())]
        stack.push_async_callback(_end, tasks)
        yield worker


async def _stop(worker: DbosWorking) -> None:
    """Take nothing more, hand back what is left, and stop DBOS."""
    from dbos import DBOS

    worker.take(0)
    with suppress(Exception):
        await asyncio.to_thread(_recover, worker.name)
    await asyncio.to_thread(DBOS.destroy, destroy_registry=True)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _recover(worker: str) -> None:
    from dbos import DBOS

    DBOS._recover_pending_workflows([worker])


def _system() -> Any:
    from dbos import _dbos as singleton

    found = singleton._dbos_global_instance
    if found is None:
        raise JobError("the worker has stopped.")
    return found._sys_db
