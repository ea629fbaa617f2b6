"""Starting: runs begun and gone on with, each as a task of its own behind a handle."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

from segue.agents.run import Run, RunRecord
from segue.agents.runnable import Runnable
from segue.base.budget import Budget, Meter
from segue.base.errors import BadInput, SegueError, UserError
from segue.base.ids import new_id
from segue.base.messages import Message, redacted
from segue.base.principal import LOCAL, Principal
from segue.base.usage import Usage
from segue.context.decisions import Response, response_to_dict
from segue.context.events import RunFinished
from segue.tracing.redaction import Redaction
from segue.tracing.spans import new_trace_id
from segue.workspace.checks import check_answers, request_of, thread_key
from segue.workspace.finding import Finding
from segue.workspace.run import RunHandle
from segue.workspace.segment import RUN_ID, Segment
from segue.workspace.telling import note_answers


class Starting(Finding):
    """Runs that are started, resumed and waited for."""

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

    def _check(self, agent: Any, deps: Any) -> None:
        if not isinstance(agent, Runnable):
            raise UserError(f"{agent!r} cannot be run.", way_out="Give an Agent or a Team.")
        if agent.deps_type is not None and not isinstance(deps, agent.deps_type):
            wanted = getattr(agent.deps_type, "__name__", agent.deps_type)
            raise UserError(f"{agent!r} wants deps of type {wanted}, and was given {type(deps).__name__}")
