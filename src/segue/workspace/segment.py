"""A segment: one stretch of a run, from its start or a resume to its end or the next wait.

In: the record, the compiled graph, what to start or go on with. Out: the run as it stands, its record saved, its spans
on their way. Whatever ends it - the answer, a person who is asked, a budget, a cancel, an error - ends here, in order.
What to hand to the graph is decided in `resuming`, what an end makes of the record in `ending`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from segue.agents.run import Run, RunRecord
from segue.agents.runnable import Runnable
from segue.base.budget import Meter
from segue.base.errors import StoreError
from segue.base.finishing import to_the_end
from segue.base.principal import Principal
from segue.context.events import (
    Event,
    GenerationFinished,
    RunFinished,
    RunStarted,
    TextAdded,
    TextReset,
    ToolFinished,
)
from segue.context.run import RunContext, Services
from segue.graphs.edges import EdgeLog
from segue.graphs.recovery import recover
from segue.memory.locks import Held
from segue.tracing.spans import Span
from segue.tracing.tracer import About
from segue.workspace.ending import asked, failed, has_ended, reached
from segue.workspace.notes import Notes
from segue.workspace.records import RunRecords, cut_short
from segue.workspace.resuming import BRANCH, RUN_ID, input_of
from segue.workspace.run import RunHandle
from segue.workspace.telling import settle_and_tell
from segue.workspace.trajectory import add_step
from segue.workspace.turns import ThreadLost, ThreadTurns

_NO_LIMIT = 100_000
"""LangGraph's own bound on super-steps, out of the way: rounds, tasks and budgets are bounded by name."""
Change = tuple[dict[str, Any], str | Sequence[str]]
"""State keys to change before anything runs, and the nodes to run next; none for those that are next anyway."""
_log = logging.getLogger("segue.workspace")


@dataclass(kw_only=True)
class Segment:
    """Everything that one stretch of a run needs."""

    agent: Runnable
    graph: Any
    record: RunRecord
    records: RunRecords
    services: Services
    place: dict[str, Any]
    """Where the thread's checkpoints lie, as LangGraph is told."""
    deps: Any
    handle: RunHandle
    meter: Meter
    notes: Notes
    resumed: bool
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What people answered just now, by interrupt id."""
    change: Change | None = None
    """For a fork: what it begins with, instead of a request."""
    waited_s: float = 0.0
    """Seconds that it waited to be let in; they count as the run's."""
    expires_s: float | None = None
    """Seconds that a person has for an approval that says nothing itself; `None` for no end."""
    span: Span | None = field(default=None, init=False)
    """The run's span, from when the run has its thread."""
    text: str = field(default="", init=False)
    """What the model that answers has said so far, for a run that does not complete."""
    error: BaseException | None = field(default=None, init=False)

    async def go(self, turns: ThreadTurns) -> Run:
        """Wait for the thread, then run to the end of this stretch.

        Raises:
            ThreadBusy: A run that was to go on could not have its thread; it is as it was. A new run fails by this.
            CancelledError: The task was cancelled, other than by the run's handle; the run has ended in order.
        """
        record, began = self.record, self.services.clock.monotonic()
        wall_s = self.meter.budget.wall_s
        limit = asyncio.timeout(None if wall_s is None else max(0.0, wall_s - self.waited_s))
        try:
            async with limit, turns.of(record.tenant, record.thread_id) as held:
                await self._turn(limit, held)
                # kept before the next run of the thread begins
                await to_the_end(self._end(began, limit), at_once=self.error is None)
        except BaseException as caught:
            if self.handle.begun:
                raise
            await self._never_had_it(caught, turns, began, limit)
        error = self.error
        if isinstance(error, asyncio.CancelledError) and not self.handle.cancel_asked:
            raise error
        if error is not None and not isinstance(error, Exception | asyncio.CancelledError):
            raise error
        return Run(record, self.agent.output, error, self.services.clock.now())

    async def _never_had_it(
        self, error: BaseException, turns: ThreadTurns, began: float, limit: asyncio.Timeout
    ) -> None:
        """The thread was not to be had. A run that was to go on stays as it was; a new one ends here."""
        record, self.error = self.record, error
        late = limit.expired() and isinstance(error, TimeoutError)
        busy = turns.busy(record.tenant, record.thread_id, self.services.clock.monotonic() - began) if late else error
        if self.resumed and not isinstance(error, asyncio.CancelledError):
            raise busy from error
        if self.resumed:
            self._say_finished()
            return
        await to_the_end(self._end(began, limit, why=str(busy) if late else ""))

    async def _turn(self, limit: asyncio.Timeout, held: Held) -> None:
        """The thread is ours: run, and keep what ended it. The deadline is over then."""
        record, clock = self.record, self.services.clock
        self.handle.begun = True
        wall_s = self.meter.budget.wall_s
        try:
            record.status, record.updated_at, record.error, record.error_id = "running", clock.now(), "", ""
            record.stop_reason = None
            record.answers |= self.answers
            await self.records.keep(record, noted=self.resumed)
            if self.resumed:
                await self._forget_notes(soon=True)
            if not self._fresh():
                await self._bury_the_dead()
            self._emit(RunStarted(
                run_id=record.run_id, at=clock.now(), thread_id=record.thread_id, agent=record.agent,
                resumed=self.resumed,
            ))  # fmt: skip
            await self._invoke(None if wall_s is None else clock.monotonic() + self._left(limit, wall_s))
        except BaseException as caught:
            self.error = caught
            if isinstance(caught, asyncio.CancelledError):
                self.error = ThreadLost(record.thread_id) if held.lost.is_set() else caught
                self.error = TimeoutError() if limit.expired() else self.error
            elif isinstance(caught, StoreError):
                with suppress(asyncio.CancelledError):  # whoever sees that it is lost cancels too
                    await held.look()
                self.error = ThreadLost(record.thread_id) if held.lost.is_set() else caught
        if limit.when() is not None and not limit.expired():
            limit.reschedule(None)

    async def _forget_notes(self, *, soon: bool) -> None:
        """The record holds by now what was noted with checkpoints."""
        if (drop := getattr(self.graph.checkpointer, "drop_notes", None)) is not None:
            await drop(self.record.thread_id, self.record.run_id, soon=soon)

    async def _bury_the_dead(self) -> None:
        """Whatever is written down as running on this thread has lost its process: the thread is ours now."""
        for other in self.records.running(self.record.tenant, thread_id=self.record.thread_id):
            if other.run_id != self.record.run_id:
                await self.records.keep(cut_short(other))

    def _left(self, limit: asyncio.Timeout, wall_s: float) -> float:
        when = limit.when()
        return wall_s if when is None else max(0.0, when - asyncio.get_running_loop().time())

    async def _invoke(self, deadline: float | None) -> None:
        record = self.record
        ctx: RunContext[Any] = RunContext(
            run_id=record.run_id,
            thread_id=record.thread_id,
            trace_id=record.trace_id,
            services=self.services,
            deps=self.deps,
            principal=Principal(record.tenant, record.user, record.scopes),
            meter=self.meter,
            emit=self._emit,
            deadline=deadline,
            branch=record.branch,
        )
        span = self._begin_span()
        config = self._config()
        if not record.starts_at and not self._fresh():
            from segue.workspace.upgrade import migrated

            await migrated(self.graph, config, record)
        given, begins = await input_of(self.graph, config, record, self.agent.fresh_input(), resumed=self.resumed)
        if self.change is not None:
            values, goto = self.change
            given = Command(update=values or None, goto=goto)
        goes_on = not isinstance(given, dict)
        if record.starts_at and begins:
            config["configurable"]["checkpoint_id"] = record.starts_at
        log = EdgeLog(resumed=goes_on)
        if goes_on:
            await recover(self.graph, config, log)
        result = await self.graph.run(
            given, config, ctx.at(span_id=span.span_id), log, control=self.handle.control, notes=self.notes,
            fresh=self._fresh(),
        )  # fmt: skip
        if result.interrupts:
            span.status = "waiting"
            for event in asked(record, result.interrupts, self.services.clock.now(), self.expires_s):
                self._emit(event)
        else:
            has_ended(record, result.value)

    def _fresh(self) -> bool:
        """Whether the thread is this run's own, and the run new: then it has no checkpoint."""
        return not self.resumed and self.change is None and self.record.thread_id == self.record.run_id

    def _begin_span(self) -> Span:
        record, tracer = self.record, self.services.tracer
        tracer.runs.put(
            record.run_id,
            About(agent=record.agent, thread_id=record.thread_id, user=record.user, tags=tuple(record.tags)),
        )
        span = self.span = tracer.start(
            "run", record.agent, tenant=record.tenant, trace_id=record.trace_id, run_id=record.run_id,
            parent_id=record.parent_span_id,
        )  # fmt: skip
        span.set(
            segue__thread_id=record.thread_id, segue__user=record.user, segue__resumed=self.resumed or None,
            segue__branch=record.branch or None,
        )  # fmt: skip
        return span

    async def _end(self, began: float, limit: asyncio.Timeout, *, why: str = "") -> None:
        """Say in the record what came of it, keep it, and tell those who must know."""
        record, clock, error = self.record, self.services.clock, self.error
        if error is not None:
            drained = self.handle.drain_asked
            failed(record, error, timed_out=limit.expired(), drained=drained)
            record.error = record.error or why
            said = self.text or getattr(error, "partial", "")
            record.partial = await reached(self.graph, self._config(), record, said)
        if self.span is not None:
            self._end_span(self.span, error)
        record.duration_s += clock.monotonic() - began
        record.usage, record.updated_at = self.meter.spending(), clock.now()
        try:
            if not isinstance(error, ThreadLost):  # somebody else may have the run by now: its record is theirs
                await self.records.keep(record, noted=self.resumed or self.notes.beside)
                await self._forget_notes(soon=False)
        except StoreError as lost:  # what came of it is told; the store still says `running`, and it can be resumed
            _log.error("run %s ended as %r, which cannot be kept: %s", record.run_id, record.status, lost)
            if error is None and record.status != "completed":
                self.error = lost
                failed(record, lost, timed_out=False, drained=False)
        await settle_and_tell(self.services, record, self.error)
        self._say_finished()

    def _say_finished(self) -> None:
        record = self.record
        self._emit(RunFinished(
            run_id=record.run_id, at=self.services.clock.now(), status=record.status, stop_reason=record.stop_reason,
            usage=self.meter.spent, error=record.error,
        ))  # fmt: skip

    def _end_span(self, span: Span, error: BaseException | None) -> None:
        record = self.record
        span.set(segue__run_status=record.status, segue__stop_reason=record.stop_reason)
        came = record.output if record.status == "completed" else record.partial
        span.payload(input=record.request, output=came)
        span.__exit__(type(error) if error is not None else None, error, None)

    def _config(self) -> RunnableConfig:
        metadata = {RUN_ID: self.record.run_id, "segue_agent": self.record.agent}
        if self.record.branch:
            metadata[BRANCH] = self.record.branch
        return {
            "configurable": dict(self.place["configurable"]),
            "metadata": metadata,
            "recursion_limit": _NO_LIMIT,
        }

    def _emit(self, event: Event) -> None:
        match event:
            case TextAdded(text=text, task_id=""):
                self.text += text
            case TextReset(task_id=""):
                self.text = ""
            case GenerationFinished():
                self._add_step({
                    "type": "generation", "agent": event.agent, "task_id": event.task_id, "model": event.model,
                    "text": event.text, "tool_calls": event.tool_calls,
                })  # fmt: skip
            case ToolFinished():
                self._add_step({
                    "type": "tool_result", "agent": event.agent, "task_id": event.task_id, "call_id": event.call_id,
                    "tool": event.tool, "failed": event.failed, "result": event.result,
                })  # fmt: skip
            case _:
                pass
        self.handle.emit(event)

    def _add_step(self, step: dict[str, Any]) -> None:
        add_step(self.record.trajectory, step)
        self.notes.step(step)
