"""Tool execution: the tool calls of one generation in, one tool result each out.

A tool call is what the model asked for; a tool result is what the model reads next. Between the two stand argument
validation and the gate's verdict (`judging`), a person's answers (`asking`), the ledger that lets what writes happen
once (`effects`), and the call's deadline (`running`). Where calls are checkpointed and how a run waits is decided in
`segue.graphs`, which lends `ctx.interrupt`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from segue.base.errors import SegueError
from segue.base.messages import ToolCall
from segue.base.usage import Usage
from segue.context.decisions import Ask, Block
from segue.context.effects import Effect
from segue.context.events import ToolCalled, ToolFinished
from segue.context.run import RunContext
from segue.tools.asking import ask, asked_together
from segue.tools.calls import Judged, Prepared, Ready, ToolResult, deliveries, failed, is_keyed
from segue.tools.effects import key_of, known, look_up, once, recall
from segue.tools.judging import fitted, judge, prepare
from segue.tools.running import bubbles, repeatable
from segue.tools.tool import Tool
from segue.tracing.spans import Span

_ONE_CALL = Usage(tool_calls=1)


async def execute_tool_calls(
    calls: Sequence[ToolCall], tools: Sequence[Tool], ctx: RunContext[Any], *, max_parallel: int = 8
) -> list[ToolResult]:
    """Run every tool call of one generation and return the results in the order of the calls.

    All approvals are asked before anything runs. Then neighbouring reads run side by side, and each call that writes
    runs alone, after all before it and before all behind it, so that effects have the order in which the model
    asked for them. A call that names no tool, does not fit, is blocked or rejected, raises, or outlives its deadline
    yields a failed result, which the model reads and may act upon; it does not end the run. A call that writes and
    was delivered before is not run again: what was recorded of it is given back, and what is not known is found out,
    or asked.

    Raises:
        UserError: A tool is wired wrongly, or its return value cannot be serialised. The message names the tool.
        RunStopped: The budget does not allow all of the calls; none of them ran.
        StoreError: The effect ledger cannot be read or written.
    """
    held = {tool.name: tool for tool in tools}
    keyed = any(is_keyed(held.get(call["function"]["name"])) for call in calls)  # else none goes through the ledger
    names = deliveries(calls, ctx) if keyed else [call["id"] for call in calls]
    begun = await recall(calls, names, held, ctx) if keyed else {}
    judged: list[Judged] = []
    for call, name in zip(calls, names, strict=True):
        judged.append(await _judged(call, name, held, begun.get(name), ctx))
    approved = await ask(await look_up(judged, begun, ctx) if keyed else judged, ctx)
    if len(approved) == 1:
        return [await _one(approved[0], ctx)]
    if approved:
        with ctx.meter.reserve(tool_calls=sum(isinstance(item, Ready) for item in approved)):
            pass  # all of them fit the budget, or none runs: one that ran beside one that may not would lose its result
    results: list[ToolResult] = []
    for group in _in_order(approved):
        results += await _side_by_side(group, ctx, max_parallel)
    return results


async def _judged(
    call: ToolCall, delivery: str, held: dict[str, Tool], begun: Effect | None, ctx: RunContext[Any]
) -> Judged:
    """A call that was begun before has passed the gate: its record is its result, or its arguments run again."""
    if begun is not None and (done := known(call, held.get(begun.tool), begun)):
        return done
    item = prepare(call, delivery, held)
    if begun is not None and isinstance(item, Ready):
        item = fitted(item.but(approved_by=begun.approved_by), begun.arguments)
    return await judge(item, ctx, approved=begun is not None) if isinstance(item, Ready) else item


def _in_order(items: Sequence[Prepared]) -> list[list[Prepared]]:
    """Groups that run one after the other: neighbouring reads together, everything that writes alone."""
    groups: list[list[Prepared]] = []
    together = False
    for item in items:
        reads = isinstance(item, ToolResult) or item.tool.effect == "read"
        if reads and together:
            groups[-1].append(item)
        else:
            groups.append([item])
        together = reads
    return groups


async def _side_by_side(items: list[Prepared], ctx: RunContext[Any], max_parallel: int) -> list[ToolResult]:
    if len(items) == 1:
        return [await _one(items[0], ctx)]
    gate = asyncio.Semaphore(max_parallel)

    async def one(item: Prepared) -> ToolResult | Exception:
        try:
            async with gate:
                return await _one(item, ctx)
        except Exception as error:
            if not bubbles(error):
                raise
            return error  # a person is asked: those beside it come to their end, or ask too

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except BaseExceptionGroup as errors:
        raise _first(errors) from errors
    ended = [task.result() for task in tasks]
    if waits := [each for each in ended if isinstance(each, Exception)]:
        raise asked_together(waits)
    return [each for each in ended if isinstance(each, ToolResult)]


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that matters most of several calls'."""
    flat = [_first(error) if isinstance(error, BaseExceptionGroup) else error for error in errors.exceptions]
    return next((error for error in flat if isinstance(error, SegueError)), flat[0])


async def _one(item: Prepared, ctx: RunContext[Any]) -> ToolResult:
    return await (_told(item, ctx) if isinstance(item, ToolResult) else _run(item, ctx))


async def _told(result: ToolResult, ctx: RunContext[Any]) -> ToolResult:
    """A result that is there without a run: from the ledger, or a failure before it."""
    if result.source:
        with _span(result.call, result.tool, ctx, result.reason) as span:
            result = await _looked_at(result, ctx.at(span_id=span.span_id, tool_call_id=result.call["id"]))
            _say(span, result)
    _finish(result, ctx, 0.0)
    return result


async def _run(item: Ready, ctx: RunContext[Any]) -> ToolResult:
    tool, call = item.tool, item.call
    started = ctx.services.clock.monotonic()
    if item.ledgered and ctx.services.audit is not None:
        await ctx.services.audit.settle()  # no effect without the decision that let it pass being written down
    with ctx.meter.reserve(tool_calls=1) as held, _span(call, tool, ctx, item.reason) as span:
        span.payload(input=item.raw)

        def began() -> None:
            ctx.emit(ToolCalled(
                run_id=ctx.run_id, at=ctx.now(), agent=ctx.agent, call_id=call["id"], tool=tool.name,
                effect=tool.effect, arguments=item.raw, reason=item.reason, task_id=ctx.task_id,
            ))  # fmt: skip
            held.settle(_ONE_CALL)

        key = key_of(item, ctx) if is_keyed(tool) else ""
        inside = ctx.at(
            span_id=span.span_id, tool_call_id=call["id"], tool_name=tool.name, tool_arguments=item.raw,
            idempotency_key=key,
        )  # fmt: skip
        if item.ledgered:
            result = await once(item, inside, began)
        else:
            began()
            result = await repeatable(item, inside)
        held.settle(_ONE_CALL)
        result = await _looked_at(result, inside)
        _say(span, result)
    _finish(result, ctx, ctx.services.clock.monotonic() - started)
    return result


def _span(call: ToolCall, tool: Tool | None, ctx: RunContext[Any], reason: str) -> Span:
    name = call["function"]["name"]
    span = ctx.services.tracer.start(
        "tool", name, tenant=ctx.principal.tenant, trace_id=ctx.trace_id, run_id=ctx.run_id, parent_id=ctx.span_id
    )
    span.set(
        gen_ai__tool__name=name, gen_ai__tool__call__id=call["id"], segue__effect=tool.effect if tool else None,
        segue__verdict="allow", segue__reason=reason, segue__agent=ctx.agent,
    )  # fmt: skip
    return span


async def _looked_at(result: ToolResult, ctx: RunContext[Any]) -> ToolResult:
    """The result as the rails let the model read it, at each delivery."""
    tool = result.tool
    if ctx.inspect is None or tool is None or result.failed:
        return result
    found = await ctx.inspect(ctx, "tool_result", result.content, None, tool.name, tool.effect)
    if isinstance(found.verdict, Block | Ask):
        withheld = failed(result.call, tool, f"the result of {tool.name} was withheld: {found.verdict.reason}")
        return replace(withheld, source=result.source, reason=result.reason)
    if found.text != result.content:
        return replace(result, content=found.text, atoms=(), artefact_id="")
    return result


def _say(span: Span, result: ToolResult) -> None:
    span.payload(output=result.content)
    span.set(
        segue__result_chars=len(result.content),
        segue__failed=result.failed or None,
        segue__result_source=result.source or None,
        segue__artefact_id=result.artefact_id or None,
    )
    if result.sources:
        span.set(
            segue__sources=[each.text() for each in result.sources],
            segue__retrieval__scores=[each.score for each in result.sources if each.score is not None] or None,
        )
    if result.source:
        span.set(segue__reason=result.reason)
    if result.failed:
        span.status = "error"


def _finish(result: ToolResult, ctx: RunContext[Any], took_s: float) -> None:
    ctx.emit(ToolFinished(
        run_id=ctx.run_id, at=ctx.now(), agent=ctx.agent, call_id=result.call["id"],
        tool=result.call["function"]["name"], failed=result.failed, result=result.content, duration_s=took_s,
        task_id=ctx.task_id, reason=result.reason,
    ))  # fmt: skip


__all__ = ["ToolResult", "execute_tool_calls"]
