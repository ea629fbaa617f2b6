"""Starting: runs begun and gone on with, each as a task of its own behind a handle; and all of them drained."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, cast

from segue.agents.run import Run, RunRecord
from segue.agents.runnable import Runnable
from segue.base.budget import Budget, Meter
from segue.base.errors import BadInput, OperatorError, SegueError, UserError
from segue.base.ids import new_id
from segue.base.messages import Message, redacted
from segue.base.principal import LOCAL, Principal
from segue.context.events import RunFinished
from segue.tracing.redaction import Redaction
from segue.tracing.spans import new_trace_id
from segue.workspace.checks import request_of
from segue.workspace.finding import Finding
from segue.workspace.notes import Notes
from segue.workspace.run import RunHandle
from segue.workspace.segment import Change, Segment


class Draining(OperatorError):
    """The workspace is being drained: it takes no new runs, and goes on with none."""

    severity = "warning"

    def __init__(self) -> None:
        super().__init__(
            "this workspace is draining: no run can be started here.", way_out="Start it in another process."
        )


class Starting(Finding):
    """Runs that are started, resumed, waited for and drained."""

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
        checkpoint_id: str | None = None,
        deps: Any = None,
        principal: Principal = LOCAL,
        budget: Budget | None = None,
        tags: Sequence[str] = (),
        traceparent: str | None = "",
    ) -> RunHandle:
        """Start a run in the background.

        Args:
            agent: An agent or a team.
            request: Text, a message, or a list of messages (ours or LangChain's).
            thread_id: The conversation to go on with; `None` is a new one, named like the run. Runs on one thread go
                one after the other.
            checkpoint_id: The checkpoint of the thread to go on from; `None` is its newest. What came after it stays,
                and the thread goes on from this run.
            deps: What tools read as `ctx.deps`.
            principal: On whose behalf; `None` is the single user of this machine.
            budget: The most it may spend; `None` is no limit.
            tags: What traces that leave the process find it by.
            traceparent: The span that its trace hangs under, as W3C's header has it; empty for OpenTelemetry's current
                one, where there is one; `None` for a trace of its own. What is no such header is passed over.

        Raises:
            UserError: The agent is none, `deps` is of the wrong type, or the request is no message.
            Draining: The workspace takes no new runs any more.
        """
        self._check(agent, deps)
        if checkpoint_id and not thread_id:
            raise BadInput(f"checkpoint_id={checkpoint_id!r} without a thread_id; say whose checkpoint it is")
        messages = request_of(request)
        record = self._new_record(agent, [dict(each) for each in messages], thread_id, principal, budget, tags)
        record.trace_id, record.parent_span_id = self._trace(traceparent)
        record.starts_at = checkpoint_id or ""
        return self._launch(agent, record, deps)

    def _new_record(
        self,
        agent: Runnable,
        request: list[dict[str, Any]],
        thread_id: str | None,
        principal: Principal,
        budget: Budget | None,
        tags: Sequence[str],
    ) -> RunRecord:
        now, run_id = self._clock.now(), new_id("run")
        return RunRecord(
            run_id=run_id,
            thread_id=thread_id or run_id,
            tenant=principal.tenant,
            user=principal.user,
            scopes=sorted(principal.scopes),
            agent=agent.name,
            source=agent.source,
            trace_id=new_trace_id(),
            request=request,
            started_at=now,
            updated_at=now,
            budget=(budget or Budget()).to_dict(),
            tags=list(tags),
        )

    def _launch(
        self,
        agent: Runnable,
        record: RunRecord,
        deps: Any,
        answers: dict[str, Any] | None = None,
        *,
        change: Change | None = None,
    ) -> RunHandle:
        """`answers`: for a run that goes on; `None` for a new one. `change`: for a fork."""
        if self._draining:
            raise Draining()
        if record.run_id in self._running:
            raise BadInput(f"run {record.run_id} is running already")
        handle = RunHandle(record.run_id, record.thread_id)
        self.add(agent)
        self._running[record.run_id] = handle
        handle.begin(asyncio.get_running_loop().create_task(self._go(agent, record, deps, handle, answers, change)))
        for look in self._watchers:
            look(record.tenant, handle)
        return handle

    def watch(self, look: Callable[[str, RunHandle], None]) -> None:
        """Call this with the tenant and the handle of every run that is begun or gone on with here from now on."""
        self._watchers.append(look)

    async def _go(
        self,
        agent: Runnable,
        record: RunRecord,
        deps: Any,
        handle: RunHandle,
        answers: dict[str, Any] | None,
        change: Change | None,
    ) -> Run:
        handle.started = True
        door, came = self._doors.here(), self._clock.monotonic()
        entered = False
        try:
            await door.enter()
            entered = True
            await self._ready(agent)
            redact = Redaction(self.services.redact)
            self._clean(record)
            notes = Notes(self.records, record.tenant, record.run_id)
            segment = Segment(
                agent=agent,
                graph=self._graph(agent, record.tenant),
                record=record,
                records=self.records,
                services=self.services,
                place=self._place(record.thread_id),
                deps=deps,
                handle=handle,
                meter=Meter.resumed(
                    Budget(**record.budget), record.usage,
                    on_spent=notes.spent,
                ),
                notes=notes,
                resumed=answers is not None,
                change=change,
                answers=cast("dict[str, Any]", redact.data(answers or {})),
                expires_s=self.settings.approval_expires_s,
                waited_s=self._clock.monotonic() - came,
            )  # fmt: skip
            return await segment.go(self.turns)
        except asyncio.CancelledError:
            if not handle.cancel_asked or handle.begun:  # a segment that was cancelled in order does not raise
                raise
            return await self._never_began(agent, record, handle, resumed=answers is not None)
        finally:
            self._running.pop(record.run_id, None)
            if entered:
                door.leave()

    def _clean(self, record: RunRecord) -> None:
        """What a person said without keys and passwords, before any of it is kept."""
        redact = self.services.redact
        record.request = [dict(redacted(cast(Message, message), redact)) for message in record.request]

    async def _ready(self, agent: Runnable) -> None:
        """The stores are open, and what stands behind the agent's tools is connected, once."""
        if self._stack is not None and agent in self._opened:
            return
        await self.ensure_open()
        async with self._openings.setdefault(agent, asyncio.Lock()):
            if agent not in self._opened:
                await agent.open()
                self._opened.add(agent)

    async def _never_began(self, agent: Runnable, record: RunRecord, handle: RunHandle, *, resumed: bool) -> Run:
        """It was stopped before its stores were open. One that was to go on stays as it was."""
        if not resumed:
            record.status, record.updated_at = "stopped", self._clock.now()
            record.stop_reason = "drained" if handle.drain_asked else "cancelled"
            if self._stack is not None:
                await self.records.keep(record)
        handle.emit(
            RunFinished(
                run_id=record.run_id, at=record.updated_at, status=record.status, stop_reason=record.stop_reason
            )
        )
        return Run(record, agent.output, None, self._clock.now())

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
