"""Workspace: owns what runs need, and starts, resumes and finds runs.

Settings in, open connections while it is open, all of them closed at the end. One workspace belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

from segue.agents.run import Run, RunRecord
from segue.agents.runnable import Runnable
from segue.base.budget import Budget, Meter
from segue.base.errors import BadInput, SegueError, StoreError, UserError, names
from segue.base.ids import new_id
from segue.base.messages import Message, redacted
from segue.base.ports import Clock, SystemClock
from segue.base.principal import LOCAL, Principal
from segue.base.usage import Usage
from segue.context.decisions import Response, response_to_dict
from segue.context.events import RunFinished
from segue.context.run import RunContext, Services
from segue.guards.gate import authorize
from segue.memory.checkpoints import open_saver
from segue.router import RouterCore
from segue.tracing import About, ArtefactStore, TraceNode, TraceStore, build_tree
from segue.tracing.redaction import Redaction, redactor
from segue.tracing.spans import new_trace_id
from segue.workspace.checks import check_answers, request_of, thread_key, writable
from segue.workspace.records import RunRecords
from segue.workspace.routing import LazyRouter
from segue.workspace.run import RunHandle
from segue.workspace.segment import RUN_ID, Segment
from segue.workspace.settings import WorkspaceSettings, environment, read
from segue.workspace.telemetry import open_telemetry
from segue.workspace.telling import note_answers
from segue.workspace.watching import open_audit, open_logging, open_notifiers


class Workspace:
    """Where runs happen. Use it as a context manager: `async with Workspace.open() as ws`."""

    def __init__(
        self,
        folder: Path | str | None = None,
        *,
        data_dir: Path | str | None = None,
        router: RouterCore | None = None,
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
        self._graphs: weakref.WeakKeyDictionary[Runnable, Any] = weakref.WeakKeyDictionary()
        self._opened: weakref.WeakSet[Runnable] = weakref.WeakSet()
        self._openings: weakref.WeakKeyDictionary[Runnable, asyncio.Lock] = weakref.WeakKeyDictionary()
        self._threads: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._running: dict[str, RunHandle] = {}

    @classmethod
    def open(
        cls,
        folder: Path | str | None = None,
        *,
        data_dir: Path | str | None = None,
        router: RouterCore | None = None,
        clock: Clock | None = None,
        settings: WorkspaceSettings | None = None,
    ) -> Workspace:
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

    async def __aenter__(self) -> Workspace:
        """Read the settings and open the stores."""
        await self.ensure_open()
        return self

    async def __aexit__(self, *error: object) -> None:
        """Stop what still runs and close what was opened."""
        await self.close()

    async def ensure_open(self) -> None:
        """Open it, if that was not done yet."""
        async with self._opening:
            if self._stack is None:
                async with AsyncExitStack() as stack:
                    await self._open(stack)
                    self._stack = stack.pop_all()

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
        try:
            self.traces = TraceStore(self.data_dir / "traces.db", redact=redactor(self.settings.redaction.traces))
            stack.callback(self.traces.close)
            self.artefacts = ArtefactStore(self.data_dir / "artefacts.db")
            stack.callback(self.artefacts.close)
            self.records = RunRecords(self.data_dir / "runs.db")
            stack.callback(self.records.close)
        except Exception as error:
            raise StoreError(f"the stores in {self.data_dir} cannot be opened: {error}") from error
        telemetry = open_telemetry(self.settings, self.folder, self.traces)
        self.tracer, self.metrics, self.scores = telemetry.tracer, telemetry.metrics, telemetry.scores
        stack.push_async_callback(asyncio.to_thread, telemetry.close)
        environ, logged = environment(self.folder), self.settings.redaction.logs
        open_logging(self.settings.logging, logged, stack)
        self.notifier = open_notifiers(self.settings.notify, logged, environ, stack)
        self.audit = await open_audit(self.settings.audit, self.data_dir, environ, stack)
        self.saver = await stack.enter_async_context(
            open_saver(self.data_dir / "checkpoints.db", types=self.settings.checkpoint_types)
        )
        self.router: Any = self._given_router or LazyRouter(self.settings.router_settings(), environment(self.folder))
        stack.push_async_callback(self._close_agents)
        if self._given_router is None:
            stack.push_async_callback(self.router.aclose)
        self.services = Services(
            router=self.router,
            tracer=self.tracer,
            artefacts=self.artefacts,
            clock=self._clock,
            redact=redactor(self.settings.redaction.model),
            authorize=authorize,
            audit=self.audit,
            notifier=self.notifier,
        )

    async def _close_agents(self) -> None:
        opened = list(self._opened)
        self._opened.clear()
        self._graphs.clear()
        for agent in opened:
            await agent.close()

    def add(self, *agents: Runnable) -> None:
        """Make agents known by name, so that their runs can be resumed in this process."""
        for agent in agents:
            self._agents[agent.name] = agent

    async def run(self, agent: Runnable, request: Any, **options: Any) -> Run:
        """Run an agent or a team to its end, or until it waits for a person. Options as `start` takes them.

        Raises:
            UserError: Something is wired wrongly. What goes wrong while it runs is told by `run.status` instead.
        """
        await self.ensure_open()
        return await self._waited(self.start(agent, request, **options))

    def start(
        self,
        agent: Runnable,
        request: Any,
        *,
        thread_id: str | None = None,
        deps: Any = None,
        principal: Principal = LOCAL,
        budget: Budget | None = None,
        tags: Sequence[str] = (),
    ) -> RunHandle:
        """Start a run in the background.

        Args:
            agent: An agent or a team.
            request: Text, a message, or a list of messages (ours or LangChain's).
            thread_id: The conversation to go on with; `None` is a new one, named like the run. Runs on one thread go
                one after the other.
            deps: What tools read as `ctx.deps`.
            principal: On whose behalf; `None` is the single user of this machine.
            budget: The most it may spend; `None` is no limit.
            tags: What traces that leave the process find it by.

        Raises:
            UserError: The agent is none, `deps` is of the wrong type, or the request is no message.
        """
        self._check(agent, deps)
        messages = request_of(request)
        now, run_id = self._clock.now(), new_id("run")
        record = RunRecord(
            run_id=run_id,
            thread_id=thread_id or run_id,
            tenant=principal.tenant,
            user=principal.user,
            scopes=sorted(principal.scopes),
            agent=agent.name,
            source=agent.source,
            trace_id=new_trace_id(),
            request=[dict(message) for message in messages],
            started_at=now,
            updated_at=now,
            budget=(budget or Budget()).to_dict(),
            tags=list(tags),
        )
        return self._launch(agent, record, deps, answers=None, resumed=False)

    async def resume(
        self,
        run_id: str,
        answers: Mapping[str, Response] | None = None,
        *,
        agent: Runnable | None = None,
        deps: Any = None,
        principal: Principal = LOCAL,
    ) -> Run:
        """Go on with a run that waits, or that a crash cut short.

        Args:
            run_id: The run's id.
            answers: For a waiting run: a response for each interrupt, by its id; some or all of them.
            agent: The agent, where this process has not run it yet (or name it before by `add`).
            deps: As for `start`; they are not kept from the first segment.
            principal: Who answers. The run goes on acting for the one who started it.

        Raises:
            BadInput: No such run in this tenant, it does not wait, or an id names no interrupt of it.
        """
        await self.ensure_open()
        return await self._waited(await self.start_resume(run_id, answers, agent=agent, deps=deps, principal=principal))

    async def start_resume(
        self,
        run_id: str,
        answers: Mapping[str, Response] | None = None,
        *,
        agent: Runnable | None = None,
        deps: Any = None,
        principal: Principal = LOCAL,
    ) -> RunHandle:
        """`resume` in the background."""
        await self.ensure_open()
        record = self._record(run_id, principal)
        agent = agent or self._agents.get(record.agent)
        if agent is None:
            raise BadInput(
                f"run {run_id} belongs to the agent {record.agent!r}, which this process does not know.",
                way_out="Give it: ws.resume(run_id, …, agent=…), or ws.add(agent) before.",
            )
        self._check(agent, deps)
        given = dict(answers or {})
        check_answers(record, given, principal)
        if given:
            await self._check_newest(agent, record)
        await note_answers(self.services, record, given, principal)
        return self._launch(
            agent, record, deps, answers={key: response_to_dict(each) for key, each in given.items()}, resumed=True
        )

    async def _check_newest(self, agent: Runnable, record: RunRecord) -> None:
        """A run that waits can only go on from the newest checkpoint of its thread."""
        key = thread_key(record.tenant, record.thread_id)
        snapshot = await self._graph(agent).aget_state({"configurable": {"thread_id": key}})
        if (snapshot.metadata or {}).get(RUN_ID) == record.run_id:
            return
        record.status, record.stop_reason, record.interrupts = "stopped", "cancelled", []
        self.records.save(record)
        raise BadInput(
            f"run {record.run_id} does not wait any more: a later run went on with its thread.",
            way_out="Start a new run instead.",
        )

    def get(self, run_id: str, *, principal: Principal = LOCAL) -> Run:
        """A run by its id.

        Raises:
            BadInput: There is no such run in this tenant.
        """
        record = self._record(run_id, principal)
        known = self._agents.get(record.agent)
        return Run(record, known.output if known else None)

    def runs(self, *, principal: Principal = LOCAL, limit: int = 20, thread_id: str | None = None) -> list[Run]:
        """The newest runs of the tenant, newest first."""
        self._must_be_open()
        held = self.records.newest(principal.tenant, limit=limit, thread_id=thread_id)
        return [Run(record, agent.output if (agent := self._agents.get(record.agent)) else None) for record in held]

    async def trace(self, run_id: str, *, principal: Principal = LOCAL) -> list[TraceNode]:
        """The trace of a run as a tree."""
        record = self._record(run_id, principal)
        await asyncio.to_thread(self.tracer.flush)
        return build_tree(self.traces.spans(record.run_id, tenant=record.tenant))

    async def messages(self, thread_id: str, *, agent: Runnable, principal: Principal = LOCAL) -> list[Message]:
        """The conversation of a thread, oldest first; empty where there is none."""
        self._must_be_open()
        snapshot = await self._graph(agent).aget_state(
            {"configurable": {"thread_id": thread_key(principal.tenant, thread_id)}}
        )
        return list(snapshot.values.get("messages", ()))

    @asynccontextmanager
    async def borrowed(self, graph: Any, config: Any, deps: Any) -> AsyncIterator[RunContext[Any]]:
        """A run context for a graph that was started without one, with a trace of its own."""
        await self.ensure_open()
        run_id, trace_id = new_id("run"), new_trace_id()
        thread_id = str(((config or {}).get("configurable") or {}).get("thread_id") or run_id)
        self.tracer.runs.put(run_id, About(agent=graph.name, thread_id=thread_id, user=LOCAL.user))
        with self.tracer.start("run", graph.name, tenant=LOCAL.tenant, trace_id=trace_id, run_id=run_id) as span:
            yield RunContext(
                run_id=run_id, thread_id=thread_id, trace_id=trace_id, services=self.services, deps=deps,
                meter=Meter(), span_id=span.span_id,
            )  # fmt: skip

    def _launch(
        self, agent: Runnable, record: RunRecord, deps: Any, *, answers: dict[str, Any] | None, resumed: bool
    ) -> RunHandle:
        handle = RunHandle(record.run_id, record.thread_id)
        if record.run_id in self._running:
            raise BadInput(f"run {record.run_id} is running already")
        self.add(agent)
        self._running[record.run_id] = handle
        handle.begin(asyncio.get_running_loop().create_task(self._go(agent, record, deps, handle, answers, resumed)))
        return handle

    async def _go(
        self,
        agent: Runnable,
        record: RunRecord,
        deps: Any,
        handle: RunHandle,
        answers: dict[str, Any] | None,
        resumed: bool,
    ) -> Run:
        try:
            await self._ready(agent)
            answers = self._clean(record, answers)
            key = thread_key(record.tenant, record.thread_id)
            lock = self._threads.setdefault(key, asyncio.Lock())
            segment = Segment(
                agent=agent,
                graph=self._graph(agent),
                record=record,
                records=self.records,
                services=self.services,
                thread_key=key,
                deps=deps,
                handle=handle,
                meter=Meter(Budget(**record.budget), spent=Usage.from_dict(record.usage)),
            )
            return await segment.go(lock, answers=answers, resumed=resumed)
        except asyncio.CancelledError:
            if not handle.cancel_asked:  # a segment that was cancelled in order does not raise
                raise
            return self._never_began(agent, record, handle)
        finally:
            self._running.pop(record.run_id, None)

    def _clean(self, record: RunRecord, answers: dict[str, Any] | None) -> dict[str, Any] | None:
        """What a person said without keys and passwords, before any of it is kept; the same for their answers."""
        redact = self.services.redact
        record.request = [dict(redacted(cast(Message, message), redact)) for message in record.request]
        return None if answers is None else cast("dict[str, Any]", Redaction(redact).data(answers))

    async def _ready(self, agent: Runnable) -> None:
        """The stores are open, and what stands behind the agent's tools is connected, once."""
        await self.ensure_open()
        async with self._openings.setdefault(agent, asyncio.Lock()):
            if agent not in self._opened:
                await agent.open()
                self._opened.add(agent)

    def _never_began(self, agent: Runnable, record: RunRecord, handle: RunHandle) -> Run:
        record.status, record.stop_reason, record.updated_at = "stopped", "cancelled", self._clock.now()
        if self._stack is not None:
            self.records.save(record)
        handle.emit(RunFinished(run_id=record.run_id, at=record.updated_at, status="stopped", stop_reason="cancelled"))
        return Run(record, agent.output)

    async def _waited(self, handle: RunHandle) -> Run:
        try:
            return await handle
        except asyncio.CancelledError:
            with contextlib.suppress(asyncio.CancelledError, SegueError):
                await handle.cancel()
            raise

    def _graph(self, agent: Runnable) -> Any:
        found = self._graphs.get(agent)
        if found is None:
            found = agent.graph.copy({"checkpointer": self.saver})
            self._graphs[agent] = found
        return found

    def _check(self, agent: Any, deps: Any) -> None:
        if not isinstance(agent, Runnable):
            raise UserError(f"{agent!r} cannot be run.", way_out="Give an Agent or a Team.")
        if agent.deps_type is not None and not isinstance(deps, agent.deps_type):
            wanted = getattr(agent.deps_type, "__name__", agent.deps_type)
            raise UserError(f"{agent!r} wants deps of type {wanted}, and was given {type(deps).__name__}")

    def _must_be_open(self) -> None:
        if self._stack is None:
            raise UserError(
                "this workspace is not open.", way_out="Use it inside: async with Workspace.open() as ws: …"
            )

    def _record(self, run_id: str, principal: Principal) -> RunRecord:
        self._must_be_open()
        record = self.records.get(principal.tenant, run_id)
        if record is None:
            held = [each.run_id for each in self.records.newest(principal.tenant, limit=3)]
            raise BadInput(f"there is no run {run_id!r} here; the newest are: {names(held)}")
        return record
