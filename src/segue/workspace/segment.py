"""A segment: one stretch of a run, from its start or a resume to its end or the next wait.

In: the record, the compiled graph, what to start or go on with. Out: the run as it stands, its record saved, its spans
on their way. Whatever ends it - the answer, a person who is asked, a budget, a cancel, an error - ends here, in order.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from segue.agents.run import Run, RunRecord
from segue.agents.runnable import Runnable
from segue.base.budget import Meter
from segue.base.errors import BadInput, RunStopped, StopReason, error_id_of
from segue.base.ids import derived_id
from segue.base.messages import text_of
from segue.base.principal import Principal
from segue.context.decisions import InterruptRequest
from segue.context.events import (
    Event,
    GenerationFinished,
    InterruptAsked,
    RunFinished,
    RunStarted,
    TextAdded,
    TextReset,
    ToolFinished,
)
from segue.context.run import RunContext, Services
from segue.graphs.edges import EdgeLog
from segue.graphs.plan import as_text
from segue.graphs.recovery import recover
from segue.graphs.running import with_context
from segue.router.errors import DeadlinePassed
from segue.tracing.spans import Span
from segue.tracing.tracer import About
from segue.workspace.records import RunRecords
from segue.workspace.run import RunHandle
from segue.workspace.telling import settle_and_tell

RUN_ID = "segue_run_id"
"""Stamped into the metadata of every checkpoint that a run writes."""
_NO_LIMIT = 100_000
"""LangGraph's own bound on super-steps, out of the way: rounds, tasks and budgets are bounded by name."""


@dataclass(kw_only=True)
class Segment:
    """Everything that one stretch of a run needs."""

    agent: Runnable
    graph: Any
    record: RunRecord
    records: RunRecords
    services: Services
    thread_key: str
    deps: Any
    handle: RunHandle
    meter: Meter
    span: Span | None = field(default=None, init=False)
    """The run's span, from when the run has its thread."""
    text: str = field(default="", init=False)
    """What the model that answers has said so far, for a run that does not complete."""

    async def go(self, lock: asyncio.Lock, *, answers: dict[str, Any] | None, resumed: bool) -> Run:
        """Wait for the thread, then run."""
        record, clock = self.record, self.services.clock
        deadline = None if self.meter.budget.wall_s is None else clock.monotonic() + self.meter.budget.wall_s
        began = clock.monotonic()
        error: BaseException | None = None
        limit = asyncio.timeout(self.meter.budget.wall_s)
        try:
            async with limit, lock:
                record.status, record.updated_at, record.error, record.error_id = "running", clock.now(), "", ""
                self.records.save(record)
                self._emit(RunStarted(
                    run_id=record.run_id, at=clock.now(), thread_id=record.thread_id, agent=record.agent,
                    resumed=resumed,
                ))  # fmt: skip
                await self._invoke(answers, resumed, deadline)
        except BaseException as caught:
            error = caught
            await self._stopped(caught, timed_out=limit.expired())
        finally:
            self._told(error)
        record.duration_s += clock.monotonic() - began
        record.usage, record.updated_at = self.meter.spent.to_dict(), clock.now()
        self.records.save(record)
        await settle_and_tell(self.services, record, error)
        self._emit(RunFinished(
            run_id=record.run_id, at=clock.now(), status=record.status, stop_reason=record.stop_reason,
            usage=self.meter.spent, error=record.error,
        ))  # fmt: skip
        if isinstance(error, asyncio.CancelledError) and not self.handle.cancel_asked:
            raise error
        if error is not None and not isinstance(error, Exception | asyncio.CancelledError):
            raise error
        return Run(record, self.agent.output, error)

    async def _invoke(self, answers: dict[str, Any] | None, resumed: bool, deadline: float | None) -> None:
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
        )
        tracer = self.services.tracer
        tracer.runs.put(
            record.run_id,
            About(agent=record.agent, thread_id=record.thread_id, user=record.user, tags=tuple(record.tags)),
        )
        span = self.span = tracer.start(
            "run", record.agent, tenant=record.tenant, trace_id=record.trace_id, run_id=record.run_id
        )
        span.set(segue__thread_id=record.thread_id, segue__user=record.user, segue__resumed=resumed or None)
        config = self._config()
        given = await self._input(config, answers, resumed)
        goes_on = not isinstance(given, dict)
        log = EdgeLog(resumed=goes_on)
        if goes_on:
            await recover(self.graph, config, log)
        inside = with_context(config, ctx.at(span_id=span.span_id), log)
        result = await self.graph.ainvoke(given, inside, durability="sync", version="v2")
        self._ended(result, span)

    def _told(self, error: BaseException | None) -> None:
        """End the run's span, once it is known what came of the run."""
        span, record = self.span, self.record
        if span is None:
            return
        span.set(segue__run_status=record.status, segue__stop_reason=record.stop_reason)
        came = record.output if record.status == "completed" else record.partial
        span.payload(input=record.request, output=came)
        span.__exit__(type(error) if error is not None else None, error, None)

    def _config(self) -> RunnableConfig:
        return {
            "configurable": {"thread_id": self.thread_key},
            "metadata": {RUN_ID: self.record.run_id, "segue_agent": self.record.agent},
            "recursion_limit": _NO_LIMIT,
        }

    async def _input(self, config: Any, answers: dict[str, Any] | None, resumed: bool) -> Any:
        """What to hand to the graph: the request, the answers, or nothing where a checkpoint says where it was.

        Resuming with nothing is only right where the newest checkpoint carries this run's id; else the run never
        reached its first checkpoint, and starts with its request.
        """
        fresh = {"messages": list(self.record.request), **self.agent.fresh_input()}
        if not resumed:
            return fresh
        snapshot = await self.graph.aget_state(config)
        mine = (snapshot.metadata or {}).get(RUN_ID) == self.record.run_id
        if not answers:
            return None if mine else fresh
        if not mine:
            raise BadInput(
                f"run {self.record.run_id} does not wait any more: a later run went on with its thread.",
                way_out="Start a new run instead.",
            )
        resume: dict[str, Any] = {}
        for interrupt in snapshot.interrupts:
            requests = self._requests(interrupt)
            chosen = {each["id"]: answers[each["id"]] for each in requests if each["id"] in answers}
            if chosen:
                resume[interrupt.id] = chosen if _is_ours(interrupt) else chosen[requests[0]["id"]]["value"]
        return Command(resume=resume)

    def _requests(self, interrupt: Any) -> list[dict[str, Any]]:
        """What an interrupt asks; one that a LangGraph graph raised by itself is a question, answered by its value."""
        if _is_ours(interrupt):
            return list(interrupt.value)
        value = interrupt.value
        question = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
        asked = derived_id("int", self.record.run_id, interrupt.id)
        return [InterruptRequest(id=asked, kind="question", question=question).to_dict()]

    def _ended(self, result: Any, span: Span) -> None:
        record = self.record
        if result.interrupts:
            record.status = "waiting"
            span.status = "waiting"
            record.interrupts = [request for interrupt in result.interrupts for request in self._requests(interrupt)]
            for request in map(lambda each: InterruptRequest(**each), record.interrupts):  # noqa: C417
                self._emit(InterruptAsked(
                    run_id=record.run_id, at=self.services.clock.now(), interrupt_id=request.id, kind=request.kind,
                    agent=request.agent, tool=request.tool, arguments=request.arguments, question=request.question,
                    reason=request.reason,
                ))  # fmt: skip
            return
        record.interrupts, record.partial = [], ""
        if blocked := result.value.get("blocked"):
            record.status, record.stop_reason, record.error = "stopped", "blocked", blocked
            return
        record.status, record.output = "completed", result.value.get("output")

    async def _stopped(self, error: BaseException, *, timed_out: bool) -> None:
        record = self.record
        reason = _stop_reason(error, timed_out)
        if reason is not None:
            record.status, record.stop_reason = "stopped", reason
            record.error = str(error) if isinstance(error, RunStopped) else ""
        else:
            record.status, record.error = "failed", f"{error}" or type(error).__name__
            record.error_id = error_id_of(error)
            if not hasattr(error, "category"):
                record.error = f"{type(error).__name__}: {error}"
        record.interrupts = []
        record.partial = await self._reached()

    async def _reached(self) -> str:
        """What the run came to: finished tasks, else what was said so far."""
        try:
            async with asyncio.timeout(5):
                snapshot = await self.graph.aget_state(self._config())
        except Exception:
            return self.text
        if (snapshot.metadata or {}).get(RUN_ID) != self.record.run_id:
            return self.text
        if results := snapshot.values.get("results"):
            return as_text(list(results.values()))
        said = [text_of(each) for each in snapshot.values.get("messages", ()) if each["role"] == "assistant"]
        return self.text or (said[-1] if said else "")

    def _emit(self, event: Event) -> None:
        match event:
            case TextAdded(text=text, task_id=""):
                self.text += text
            case TextReset(task_id=""):
                self.text = ""
            case GenerationFinished():
                self.record.trajectory.append({
                    "type": "generation", "agent": event.agent, "task_id": event.task_id, "model": event.model,
                    "text": event.text, "tool_calls": event.tool_calls,
                })  # fmt: skip
            case ToolFinished():
                self.record.trajectory.append({
                    "type": "tool_result", "agent": event.agent, "task_id": event.task_id, "call_id": event.call_id,
                    "tool": event.tool, "failed": event.failed, "result": event.result,
                })  # fmt: skip
            case _:
                pass
        self.handle.emit(event)


def _is_ours(interrupt: Any) -> bool:
    value = interrupt.value
    return isinstance(value, list) and all(isinstance(each, dict) and {"id", "kind"} <= each.keys() for each in value)


def _stop_reason(error: BaseException, timed_out: bool) -> StopReason | None:
    if isinstance(error, RunStopped):
        return error.reason
    if isinstance(error, DeadlinePassed) or (timed_out and isinstance(error, TimeoutError)):
        return "deadline"
    return "cancelled" if isinstance(error, asyncio.CancelledError) else None
