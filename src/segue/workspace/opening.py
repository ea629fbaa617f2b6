"""What a workspace owns: settings in; open stores, router and services out, all of them closed at the end.

One workspace belongs to one event loop. How runs are started in it and found again stands in the modules beside.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from segue.agents.runnable import Runnable
from segue.base.errors import SegueError, StoreError, UserError
from segue.base.ports import Clock, SystemClock
from segue.context.run import Services
from segue.guards.gate import authorizer
from segue.router import RouterCore
from segue.router.rollout import Shares
from segue.tools.ledger import open_ledger
from segue.tracing.bridge import Parent, parent_in
from segue.tracing.redaction import redactor
from segue.tracing.spans import new_trace_id
from segue.workspace.admission import Doors
from segue.workspace.checks import writable
from segue.workspace.keeping import database_url, open_state, open_stores
from segue.workspace.routing import LazyRouter
from segue.workspace.run import RunHandle
from segue.workspace.settings import WorkspaceSettings, environment, read
from segue.workspace.spending import FILE, Spending
from segue.workspace.sweeping import swept
from segue.workspace.telemetry import open_telemetry
from segue.workspace.turns import ThreadTurns
from segue.workspace.watching import open_audit, open_logging, open_notifiers

if TYPE_CHECKING:
    from segue.router.router import Router


class OpenWorkspace:
    """The connections of a workspace, while it is open."""

    def __init__(
        self,
        folder: Path | str | None = None,
        *,
        data_dir: Path | str | None = None,
        router: RouterCore | Router | None = None,
        clock: Clock | None = None,
        settings: WorkspaceSettings | None = None,
    ) -> None:
        """Name the folder; nothing is read or opened yet. See `open`."""
        self.folder = Path(folder or ".").absolute()
        self._data_dir = None if data_dir is None else Path(data_dir)
        self._given_router = router
        self._clock = clock or SystemClock()
        self._settings = settings
        self._stack: AsyncExitStack | None = None
        self._opening = asyncio.Lock()
        self._agents: dict[str, Runnable] = {}
        self._graphs: weakref.WeakKeyDictionary[Runnable, dict[str, Any]] = weakref.WeakKeyDictionary()
        """By agent and tenant: each compiled graph with the saver of its tenant."""
        self._opened: weakref.WeakSet[Runnable] = weakref.WeakSet()
        self._openings: weakref.WeakKeyDictionary[Runnable, asyncio.Lock] = weakref.WeakKeyDictionary()
        self._draining = False
        self._running: dict[str, RunHandle] = {}
        self._doors = Doors()
        self._watchers: list[Callable[[str, RunHandle], None]] = []

    @classmethod
    def open(
        cls,
        folder: Path | str | None = None,
        *,
        data_dir: Path | str | None = None,
        router: RouterCore | Router | None = None,
        clock: Clock | None = None,
        settings: WorkspaceSettings | None = None,
    ) -> Self:
        """A workspace on a folder, to be entered with `async with`.

        Args:
            folder: The folder with `segue.toml` and `.env`, both optional; `None` is the current one.
            data_dir: Where checkpoints, traces and artefacts lie; `None` is what the settings say, `.segue` at first.
            router: Instead of the one that the settings describe.
            clock: Instead of the machine's.
            settings: Instead of reading them from the folder.

        Raises:
            ConfigError: On entering: a setting is unusable.
            StoreError: On entering: a file cannot be opened.
        """
        return cls(folder, data_dir=data_dir, router=router, clock=clock, settings=settings)

    async def __aenter__(self) -> Self:
        """Read the settings and open the stores."""
        await self.ensure_open()
        return self

    async def __aexit__(self, *error: object) -> None:
        """Stop what still runs and close what was opened."""
        await self.close()

    async def ensure_open(self) -> None:
        """Open it, if that was not done yet."""
        if self._stack is not None:
            return
        async with self._opening:
            if self._stack is None:
                async with AsyncExitStack() as stack:
                    await self._open(stack)
                    self._stack = stack.pop_all()
                _keep_what_is_loaded()

    async def close(self) -> None:
        """Cancel what still runs, in order, then close the stores; a second call does nothing."""
        for handle in list(self._running.values()):
            with contextlib.suppress(SegueError, asyncio.CancelledError):
                await handle.cancel()
        stack, self._stack = self._stack, None
        if stack is not None:
            await stack.aclose()

    async def _open(self, stack: AsyncExitStack) -> None:
        if not self.folder.is_dir():
            raise UserError(f"there is no folder {self.folder}.", way_out="Name the folder that holds segue.toml.")
        self.settings = self._settings or read(self.folder)
        self.data_dir = writable(self._data_dir or self.folder / self.settings.data_dir)
        environ, logged = environment(self.folder), self.settings.redaction.logs
        self.database_url = database_url(self.settings, environ)
        seen = redactor(self.settings.redaction.traces)
        try:
            stores = await open_stores(self.database_url, self.data_dir, seen, stack)
        except (SegueError, asyncio.CancelledError):
            raise
        except Exception as error:
            raise StoreError(f"the stores in {self.data_dir} cannot be opened: {error}") from error
        self.traces, self.artefacts, self.records = stores.traces, stores.artefacts, stores.records
        telemetry = open_telemetry(self.settings, self.folder, self.traces)
        self.tracer, self.metrics, self.scores = telemetry.tracer, telemetry.metrics, telemetry.scores
        stack.push_async_callback(asyncio.to_thread, telemetry.close)
        await swept(self.settings.tracing, self.traces, self._clock, stack)
        open_logging(self.settings.logging, logged, stack)
        self.notifier = open_notifiers(self.settings.notify, logged, environ, stack)
        self.audit = await open_audit(self.settings.audit, self.data_dir, environ, stack)
        self.saver, locks = await open_state(
            self.settings, self.database_url, self.folder, self.data_dir, environ, stack
        )
        saver = self.saver
        if hasattr(saver, "notes_now"):
            self.records.noted = lambda tenant, thread, run: saver.for_tenant(tenant).notes_now(thread, run)
        self.turns = ThreadTurns(locks, self.settings.thread_wait_s)
        self.ledger = await open_ledger(self.saver, self.data_dir, stack)
        spent = Spending(self.database_url or self.data_dir / FILE) if self.settings.router.budgets else None
        if spent is not None:
            stack.push_async_callback(spent.close)
        self.router: Any = self._given_router or LazyRouter(
            self.settings.router_settings(), environ, shares=Shares(self.data_dir / "rollouts.json"), spent=spent
        )
        stack.push_async_callback(self._close_agents)
        if self._given_router is None:
            stack.push_async_callback(self.router.aclose)
        self.documents = self.settings.documents.open(environ, self.folder, otherwise=self.database_url)
        if self.documents is not None:
            stack.push_async_callback(self.documents.close)
        asked: Any = self.router if self._given_router is None else _core_of(self._given_router)
        self.services = Services(
            router=asked,
            tracer=self.tracer,
            artefacts=self.artefacts,
            clock=self._clock,
            redact=redactor(self.settings.redaction.model),
            authorize=authorizer(self.settings.guards.gate, self.settings.guards.tools),
            audit=self.audit,
            notifier=self.notifier,
            ledger=self.ledger,
            documents=self.documents,
        )

    async def _close_agents(self) -> None:
        opened = list(self._opened)
        self._opened.clear()
        self._graphs.clear()
        for agent in opened:
            await agent.close()

    def _trace(self, traceparent: str | None = "") -> Parent:
        """The trace of a new run: under the span that is named, else that is current, else one of its own.

        `None` is one of its own whatever is current.
        """
        if traceparent is None:
            return Parent(new_trace_id(), "")
        bridge = self.tracer.bridge if self._stack is not None else None
        found = parent_in(traceparent) if traceparent else None
        if found is None and bridge is not None:
            found = bridge.around()
        return found or Parent(new_trace_id(), "")

    def _must_be_open(self) -> None:
        if self._stack is None:
            raise UserError(
                "this workspace is not open.", way_out="Use it inside: async with Workspace.open() as ws: …"
            )


@cache
def _keep_what_is_loaded() -> None:
    """Once in a process: modules and what they hold are for good, and a full garbage collection need not look at them.

    It takes a tenth of a second otherwise, during which every run of the process stands still.
    """
    if not gc.get_freeze_count():  # else the program sees to that itself
        gc.freeze()


def _core_of(router: Any) -> Any:
    """What a router that was handed over asks: as a LangChain chat model it has its core behind it."""
    return getattr(router, "core", router)
