"""What a server consists of while it serves: a workspace in; store, keys, events, dispatch out, closed at the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request

from segue.agents.run import RunRecord
from segue.agents.runnable import Runnable
from segue.base.errors import ConfigError, SegueError
from segue.evals.store import EvalStore, open_evals
from segue.jobs.jobs import Jobs
from segue.jobs.opening import open_jobs
from segue.jobs.planning import Planning
from segue.jobs.worker import Worker
from segue.memory.database import open_database
from segue.memory.locks import FileLocks, LockBusy, Locks
from segue.memory.postgres_locks import PostgresLocks
from segue.router import RouterCore
from segue.server.dispatch import Deps, Dispatch
from segue.server.errors import NotNow, NotThere
from segue.server.hub import Hub
from segue.server.keys import Key, Keys
from segue.server.presence import Presence
from segue.server.registry import Registry
from segue.server.rights import CurrentRights
from segue.server.store import DAY_S, ServerStore, place_of
from segue.workspace.sections import ServerSection
from segue.workspace.workspace import Workspace

_log = logging.getLogger("segue.server")
_RELOAD_S = 1.0
_GRACE_S = 3.0
"""How long another server may take to write the last events of a run."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What a server is made of, before it is."""

    workspace: Workspace | Path
    """One that is open, which stays open; or the folder of one."""
    agents: tuple[Runnable, ...] = ()
    deps: Deps | None = None
    settings: ServerSection | None = None
    """Instead of the workspace's."""
    login: bool = True
    reload: bool = False
    """Whether the folder's Python files are imported anew when they change."""
    jobs: bool = False
    """Whether jobs are worked off and schedules are fired in this process, too."""
    drain_s: float = 10.0
    """How long runs may take to their next checkpoint when the server ends."""


@dataclass(kw_only=True)
class Server:
    """What requests are answered with."""

    ws: Workspace
    settings: ServerSection
    store: ServerStore
    keys: Keys
    rights: CurrentRights
    registry: Registry
    hub: Hub
    dispatch: Dispatch
    evals: EvalStore
    drain_s: float
    stopping: bool = False
    working: asyncio.Future[Jobs] | None = None
    """The jobs, once they are open; `None` where none are worked off here."""

    async def planning(self) -> Planning:
        """The schedules; raises as `jobs`."""
        return Planning(await self.jobs())

    async def jobs(self) -> Jobs:
        """The queue.

        Raises:
            NotNow: No jobs are worked off here.
            StoreError: The queue cannot be reached.
        """
        if self.working is None:
            raise NotNow(
                "this server fires no schedules", way_out="Serve with jobs: segue serve, or app(…, jobs=True)."
            )
        return await asyncio.shield(self.working)

    async def close(self) -> None:
        """Take no more runs; those that go stop at their next checkpoint, and the next server goes on with them."""
        self.stopping = True
        await self.dispatch.close(self.drain_s)
        await self.hub.settle()

    def now(self) -> float:
        """Seconds since 1970."""
        return self.ws.services.clock.now()

    def run(self, run_id: str, key: Key) -> RunRecord:
        """A run of the key's tenant.

        Raises:
            NotThere: There is none.
        """
        if self.ws.records.get(key.tenant, run_id) is None:
            raise NotThere("run", run_id)
        return self.ws.get(run_id, principal=key.principal).record

    async def router(self) -> RouterCore:
        """The router, with its deployments and routes.

        Raises:
            EndpointError: OPENAI_BASE_URL names an endpoint that does not answer.
        """
        held = self.ws.router
        found: RouterCore = held if isinstance(held, RouterCore) else await held.core()
        return found

    async def thread(self, thread_id: str, key: Key) -> RunRecord | None:
        """The newest run of a thread; `None` for a thread that has none yet.

        Raises:
            NotThere: There is no such thread.
        """
        held = self.ws.records.newest(key.tenant, limit=1, thread_id=thread_id)
        if not held and await self.store.thread(key.tenant, thread_id) is None:
            raise NotThere("thread", thread_id)
        return held[0] if held else None


@asynccontextmanager
async def serving(setup: Setup) -> AsyncIterator[Server]:
    """Open what a server needs, go on with what one before it had accepted, and stop in order at the end.

    Raises:
        ConfigError: Another server has the folder, or a setting is unusable.
        StoreError: A file cannot be opened.
    """
    async with AsyncExitStack() as stack:
        ws = setup.workspace
        if not isinstance(ws, Workspace):
            ws = await stack.enter_async_context(Workspace.open(ws))
        settings = setup.settings or ws.settings.server
        presence = await _present(ws, stack)
        store = ServerStore(await stack.enter_async_context(open_database(place_of(ws))))
        await store.open()
        registry = Registry(ws.folder, settings.agents, setup.agents)
        hub = Hub(
            store, record=ws.records.get, now=ws.services.clock.now, buffer_bytes=settings.stream_buffer_bytes,
            keep_alive_s=settings.keep_alive_s, grace_s=_GRACE_S if ws.database_url else 0.0,
        )  # fmt: skip
        deps = setup.deps or _deps(settings.deps)
        keys = Keys(store)
        rights = CurrentRights(ws.settings.jobs, keys, ws.services.clock.now)
        dispatch = Dispatch(
            ws, store, hub, registry, presence, rights=rights, deps=deps, most=settings.concurrent_runs,
            shared=bool(ws.database_url),
        )  # fmt: skip
        server = Server(
            ws=ws, settings=settings, store=store, keys=keys, rights=rights, registry=registry, hub=hub,
            dispatch=dispatch, evals=await stack.enter_async_context(open_evals(ws)), drain_s=setup.drain_s,
        )  # fmt: skip
        await store.forget(server.now() - settings.keep_events_days * DAY_S)
        await _in_background(hub.run(), stack)
        await _in_background(ws.watch_alerts(), stack)
        if setup.reload:
            await _in_background(_reload(registry), stack)
        await dispatch.recover()
        if ws.database_url:
            await _in_background(dispatch.run(), stack)
        if setup.jobs:
            await _working(server, stack)
        try:
            yield server
        finally:
            await server.close()


async def _present(ws: Workspace, stack: AsyncExitStack) -> Presence:
    """Be seen by other servers. One has a folder at a time; those that share a database live side by side."""
    locks: Locks = FileLocks(ws.data_dir / "locks")
    if ws.database_url:
        locks = await stack.enter_async_context(PostgresLocks(ws.database_url))
    else:
        await _alone(ws, locks, stack)
    presence, ready = Presence(locks), asyncio.Event()
    await _in_background(presence.hold(ready), stack)
    await ready.wait()
    return presence


async def _alone(ws: Workspace, locks: Locks, stack: AsyncExitStack) -> None:
    try:
        await stack.enter_async_context(locks.hold("server", deadline=1.0))
    except LockBusy as busy:
        who = busy.holder or "another process"
        raise ConfigError(
            f"another server has {ws.folder}: {who}.",
            way_out="End it, or serve another folder; with database_url many may serve.",
        ) from None


async def _in_background(work: Coroutine[Any, Any, None], stack: AsyncExitStack) -> None:
    task = asyncio.get_running_loop().create_task(work)

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(end)


async def _working(server: Server, stack: AsyncExitStack) -> None:
    """Open jobs and work them off; opening takes a while, and nothing but schedules waits for it."""
    opened: asyncio.Future[Jobs] = asyncio.get_running_loop().create_future()
    server.working, stop = opened, asyncio.Event()

    async def work() -> None:
        try:
            async with open_jobs(server.ws, rights=server.rights.of) as jobs:
                worker = Worker(jobs, load=server.registry.by_source)
                opened.set_result(jobs)
                stopping = asyncio.create_task(_stop(worker, stop))
                try:
                    await worker.run()
                finally:
                    stopping.cancel()
        except SegueError as error:
            _log.error("jobs are not worked off here: %s", error)
            if not opened.done():
                opened.set_exception(error)
                opened.exception()  # nobody may ask

    task = asyncio.get_running_loop().create_task(work())

    async def end() -> None:
        stop.set()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(end)


async def _stop(worker: Worker, stop: asyncio.Event) -> None:
    await stop.wait()
    worker.stop()


async def _reload(registry: Registry) -> None:
    while True:
        await asyncio.sleep(_RELOAD_S)
        if await asyncio.to_thread(registry.changed):
            registry.reload()


def _deps(source: str) -> Deps | None:
    if not source:
        return None
    module, _, name = source.partition(":")
    try:
        found: Deps = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"[server] deps = {source!r} is not there: {error}", way_out="Name it as module:function."
        ) from error
    return found


def server_of(request: Request) -> Server:
    """The server that a request is answered by."""
    found: Server = request.app.state.server
    return found


def key_of(request: Request) -> Key:
    """Whose request it is; the door has looked."""
    found: Key = request.state.key
    return found


Here = Annotated[Server, Depends(server_of)]
Who = Annotated[Key, Depends(key_of)]
