"""Tool execution: the tool calls of one generation in, one tool result each out.

A tool call is what the model asked for; a tool result is what the model reads next. Between the two stand argument
validation, the gate's verdict, a person's approval where one is needed, and the call's deadline. Where calls are
checkpointed and how a run waits is decided in `segue.graphs`, which lends `ctx.interrupt`.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from segue.base.errors import BadInput, OperatorError, RunStopped, SegueError, UserError, names
from segue.base.ids import derived_id
from segue.base.labels import Labels
from segue.base.labels import atoms as atoms_of
from segue.base.messages import Message, ToolCall, tool_result
from segue.base.usage import Usage
from segue.context.decisions import (
    Allow,
    Approve,
    Ask,
    Block,
    Decision,
    Edit,
    InterruptRequest,
    Reject,
    Response,
    Rewrite,
)
from segue.context.events import ToolCalled, ToolFinished
from segue.context.run import RunContext
from segue.tools.results import render
from segue.tools.tool import Tool
from segue.tracing.audit import decided

CANCEL_GRACE_S = 1.0
"""How long a tool that was told to stop may take to do so, before it is left behind."""


@dataclass(frozen=True, kw_only=True)
class ToolResult:
    """What came of one tool call."""

    call: ToolCall
    tool: Tool | None
    """`None` where the model invented the name."""
    content: str
    """What the model reads."""
    failed: bool = False
    atoms: tuple[tuple[str, str], ...] = ()
    artefact_id: str = ""
    """Where the whole of a value too large for the model lies."""

    def message(self) -> Message:
        """As it enters the conversation."""
        name = self.call["function"]["name"]
        trusted = self.tool is not None and self.tool.trusted and not self.failed
        labels = Labels(integrity="tool" if trusted else "untrusted", kind="tool_result", source=name)
        held = [list(atom) for atom in self.atoms]
        return tool_result(self.call["id"], self.content, name=name, failed=self.failed, labels=labels, atoms=held)


@dataclass(frozen=True, kw_only=True)
class _Ready:
    """A call whose tool exists and whose arguments fit."""

    call: ToolCall
    tool: Tool
    arguments: dict[str, Any]
    raw: dict[str, Any]
    reason: str = ""


_Prepared = _Ready | ToolResult


async def execute_tool_calls(
    calls: Sequence[ToolCall], tools: Sequence[Tool], ctx: RunContext[Any], *, max_parallel: int = 8
) -> list[ToolResult]:
    """Run every tool call of one generation and return the results in the order of the calls.

    All approvals are asked before anything runs. Then neighbouring reads run side by side, and each call that writes
    runs alone, after all before it and before all behind it, so that effects have the order in which the model
    asked for them. A call that names no tool, does not fit, is blocked or rejected, raises, or outlives its deadline
    yields a failed result, which the model reads and may act upon; it does not end the run.

    Raises:
        UserError: A tool is wired wrongly, or its return value cannot be serialised. The message names the tool.
        RunStopped: The budget does not allow all of the calls; none of them ran.
    """
    held = {tool.name: tool for tool in tools}
    prepared = [_prepare(call, held) for call in calls]
    judged = [await _judge(item, ctx) if isinstance(item, _Ready) else item for item in prepared]
    approved = await _ask(judged, ctx)
    with ctx.meter.reserve(tool_calls=sum(isinstance(item, _Ready) for item in approved)):
        pass  # all of them fit the budget, or none runs: one that ran beside one that may not would lose its result
    results: list[ToolResult] = []
    for group in _in_order(approved):
        results += await _side_by_side(group, ctx, max_parallel)
    return results


def _in_order(items: Sequence[_Prepared]) -> list[list[_Prepared]]:
    """Groups that run one after the other: neighbouring reads together, everything that writes alone."""
    groups: list[list[_Prepared]] = []
    together = False
    for item in items:
        reads = isinstance(item, ToolResult) or item.tool.effect == "read"
        if reads and together:
            groups[-1].append(item)
        else:
            groups.append([item])
        together = reads
    return groups


async def _side_by_side(items: list[_Prepared], ctx: RunContext[Any], max_parallel: int) -> list[ToolResult]:
    gate = asyncio.Semaphore(max_parallel)

    async def one(item: _Prepared) -> ToolResult:
        if isinstance(item, ToolResult):
            ctx.emit(ToolFinished(
                run_id=ctx.run_id, at=ctx.now(), agent=ctx.agent, call_id=item.call["id"],
                tool=item.call["function"]["name"], failed=True, result=item.content, duration_s=0.0,
                task_id=ctx.task_id,
            ))  # fmt: skip
            return item
        async with gate:
            return await _run(item, ctx)

    if len(items) == 1:
        return [await one(items[0])]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except BaseExceptionGroup as errors:
        raise _first(errors) from errors
    return [task.result() for task in tasks]


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that matters most of several calls'."""
    flat = [_first(error) if isinstance(error, BaseExceptionGroup) else error for error in errors.exceptions]
    return next((error for error in flat if isinstance(error, SegueError)), flat[0])


def _prepare(call: ToolCall, held: dict[str, Tool]) -> _Prepared:
    name = call["function"]["name"]
    tool = held.get(name)
    if tool is None:
        return _failed(call, None, f"no tool named {name!r} on this agent; it has: {names(held)}")
    try:
        raw = json.loads(call["function"]["arguments"] or "{}")
    except ValueError as error:
        return _failed(call, tool, f"the arguments of {name} are not JSON: {error}")
    if not isinstance(raw, dict):
        return _failed(call, tool, f"the arguments of {name} are a JSON object, not {type(raw).__name__}")
    return _validate(call, tool, raw)


def _validate(call: ToolCall, tool: Tool, raw: dict[str, Any]) -> _Prepared:
    try:
        return _Ready(call=call, tool=tool, arguments=tool.validate(raw), raw=raw)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'arguments'}: {item['msg']}"
            for item in error.errors(include_url=False, include_context=False)
        )
        return _failed(call, tool, f"the arguments of {tool.name} do not fit: {wrong}")


async def _judge(item: _Ready, ctx: RunContext[Any], *, approved: bool = False) -> _Ready | ToolResult | _Asked:
    railed = await _railed(item, ctx, approved=approved)
    if not isinstance(railed, _Ready):
        return railed
    item = railed
    decision = await _decide(item, ctx)
    _note(item, decision, ctx)
    match decision:
        case Allow(reason=reason):
            return replace(item, reason=reason)
        case Rewrite(value=arguments, reason=reason):
            again = _validate(item.call, item.tool, arguments)
            return replace(again, reason=reason) if isinstance(again, _Ready) else again
        case Block(reason=reason):
            return _failed(item.call, item.tool, f"{item.tool.name} was blocked: {reason}")
        case Ask(reason=reason):
            return replace(item, reason=f"approved: {reason}") if approved else _Asked(item, reason)


async def _railed(item: _Ready, ctx: RunContext[Any], *, approved: bool) -> _Ready | ToolResult | _Asked:
    """The call as the rails want it; the gate judges what comes out."""
    if ctx.inspect is None:
        return item
    tool = item.tool
    call = ctx.at(tool_call_id=item.call["id"])
    text = json.dumps(item.raw, ensure_ascii=False)
    found = await ctx.inspect(call, "tool_call", text, item.raw, tool.name, tool.effect)
    if isinstance(found.verdict, Block):
        return _failed(item.call, tool, f"{tool.name} was blocked: {found.verdict.reason}")
    if found.value != item.raw:
        again = _validate(item.call, tool, found.value)
        if isinstance(again, ToolResult):
            return again
        item = again
    if isinstance(found.verdict, Ask) and not approved:
        return _Asked(item, found.verdict.reason)
    return item


@dataclass(frozen=True)
class _Asked:
    """A call that a person must look at first."""

    item: _Ready
    reason: str

    def request(self, ctx: RunContext[Any]) -> InterruptRequest:
        """As the person is asked; the id is the same at each delivery."""
        return InterruptRequest(
            id=derived_id("int", ctx.run_id, self.item.call["id"]),
            kind="approval",
            tool=self.item.tool.name,
            arguments=self.item.raw,
            reason=self.reason,
            agent=ctx.agent,
            call_id=self.item.call["id"],
            scopes=sorted(self.item.tool.scopes),
        )


async def _decide(item: _Ready, ctx: RunContext[Any]) -> Decision:
    if ctx.services.authorize is not None:
        return await ctx.services.authorize(item.tool, item.arguments, ctx)
    return own_rules(item.tool, item.arguments, ctx)


def _note(item: _Ready, decision: Decision, ctx: RunContext[Any]) -> None:
    """Write the gate's verdict down in the audit log."""
    if ctx.services.audit is not None:
        ctx.services.audit.record(
            decided(
                ctx, "gate", type(decision).__name__.lower(), rule=decision.rule, place="tool_call",
                tool=item.tool.name, effect=item.tool.effect, call_id=item.call["id"], subject=item.raw,
            )
        )  # fmt: skip


def own_rules(tool: Tool, arguments: dict[str, Any], ctx: RunContext[Any]) -> Decision:
    """What the tool itself declares: scopes that the principal must hold, and its approval rule."""
    missing = tool.scopes - ctx.principal.scopes
    if missing and "*" not in ctx.principal.scopes:
        return Block(f"{ctx.principal.user} lacks the scope {names(missing)}", rule="scopes")
    if tool.needs_approval(arguments):
        return Ask(f"{tool.name} has the effect {tool.effect!r} and wants a person's approval", rule="approval")
    return Allow(f"{tool.effect} needs no approval" if tool.effect != "read" else "it only reads", rule="effect")


async def _ask(judged: Sequence[_Ready | ToolResult | _Asked], ctx: RunContext[Any]) -> list[_Prepared]:
    asked = {entry.request(ctx).id: entry for entry in judged if isinstance(entry, _Asked)}
    responses: dict[str, Response] = {}
    while open_ids := [key for key in asked if key not in responses]:
        if ctx.interrupt is None:
            break
        responses |= ctx.interrupt([asked[key].request(ctx) for key in open_ids])
    out: list[_Prepared] = []
    for entry in judged:
        if isinstance(entry, _Asked):
            out.append(await _answered(entry, responses.get(entry.request(ctx).id), ctx))
        else:
            out.append(entry)
    return out


async def _answered(entry: _Asked, response: Response | None, ctx: RunContext[Any]) -> _Prepared:
    item = entry.item
    match response:
        case Approve():
            pass
        case Edit(arguments=arguments):
            edited = _validate(item.call, item.tool, arguments)
            if isinstance(edited, ToolResult):
                return edited
            item = edited
        case Reject(reason=reason):
            because = f": {reason}" if reason else ""
            return _failed(item.call, item.tool, f"a person rejected {item.tool.name}{because}")
        case None:
            return _failed(item.call, item.tool, f"{item.tool.name} needs a person's approval, and nobody can be asked")
        case _:
            raise BadInput(f"an approval is answered by Approve, Edit or Reject, not {type(response).__name__}")
    judged = await _judge(item, ctx, approved=True)
    return judged if not isinstance(judged, _Asked) else judged.item


async def _run(item: _Ready, ctx: RunContext[Any]) -> ToolResult:
    tool, call = item.tool, item.call
    key = tool.key_for(ctx.run_id, call["id"], item.arguments, tenant=ctx.principal.tenant)
    span = ctx.services.tracer.start(
        "tool", tool.name, tenant=ctx.principal.tenant, trace_id=ctx.trace_id, run_id=ctx.run_id, parent_id=ctx.span_id
    )
    span.set(
        gen_ai__tool__name=tool.name, gen_ai__tool__call__id=call["id"], segue__effect=tool.effect,
        segue__verdict="allow", segue__reason=item.reason, segue__agent=ctx.agent,
    )  # fmt: skip
    at = {"run_id": ctx.run_id, "agent": ctx.agent, "call_id": call["id"], "tool": tool.name, "task_id": ctx.task_id}
    started = ctx.services.clock.monotonic()
    if tool.effect != "read" and ctx.services.audit is not None:
        await ctx.services.audit.settle()  # no effect without the decision that let it pass being written down
    with span, ctx.meter.reserve(tool_calls=1) as held:
        ctx.emit(ToolCalled(at=ctx.now(), effect=tool.effect, arguments=item.raw, reason=item.reason, **at))
        held.settle(Usage(tool_calls=1))
        span.payload(input=item.raw)
        inside = ctx.at(span_id=span.span_id, tool_call_id=call["id"], idempotency_key=key)
        result = await _outcome(item, inside)
        span.payload(output=result.content)
        span.set(segue__result_chars=len(result.content), segue__failed=result.failed or None)
        if result.failed:
            span.status = "error"
    took = ctx.services.clock.monotonic() - started
    ctx.emit(ToolFinished(at=ctx.now(), failed=result.failed, result=result.content, duration_s=took, **at))
    return result


async def _outcome(item: _Ready, ctx: RunContext[Any]) -> ToolResult:
    tool, call = item.tool, item.call
    limits = [limit for limit in (tool.timeout_s, ctx.seconds_left()) if limit is not None]
    try:
        value = await _within(min(limits), invoke(tool, item.arguments, ctx), tool.name)
    except (UserError, OperatorError, RunStopped, asyncio.CancelledError):
        raise
    except TimeoutError as error:
        return _failed(call, tool, str(error) or f"{tool.name} ran past its own deadline")
    except Exception as error:
        if getattr(error, "bubbles", False) or type(error).__name__ in _BUBBLES:
            raise
        return _failed(call, tool, ctx.services.redact(f"{tool.name} failed: {type(error).__name__}: {error}"))
    rendered = render(tool.name, value, ctx)
    if ctx.inspect is not None:
        found = await ctx.inspect(ctx, "tool_result", rendered.text, None, tool.name, tool.effect)
        if isinstance(found.verdict, Block | Ask):
            return _failed(call, tool, f"the result of {tool.name} was withheld: {found.verdict.reason}")
        if found.text != rendered.text:
            return ToolResult(call=call, tool=tool, content=found.text)
    held = tuple((pointer, text) for pointer, text in atoms_of(rendered.value))
    return ToolResult(call=call, tool=tool, content=rendered.text, atoms=held, artefact_id=rendered.artefact_id)


_BUBBLES = frozenset({"GraphInterrupt", "GraphBubbleUp", "NodeInterrupt", "ParentCommand", "GraphDrained"})
"""LangGraph's own signals: an agent used as a tool may wait for a person."""


async def invoke(tool: Tool, arguments: dict[str, Any], ctx: RunContext[Any]) -> Any:
    """Call the tool's function: awaited where it is async, in a thread where it is not."""
    args = (ctx,) if tool.takes_ctx else ()
    if tool.is_async:
        return await tool.fn(*args, **arguments)
    run = contextvars.copy_context().run
    call: Callable[[], Any] = lambda: run(lambda: tool.fn(*args, **arguments))  # noqa: E731
    value = await asyncio.get_running_loop().run_in_executor(None, call)
    return await value if asyncio.iscoroutine(value) else value


async def _within(limit_s: float, work: Any, name: str) -> Any:
    """The result of `work`, or TimeoutError; a tool that ignores its cancellation is left behind after a grace."""
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=limit_s)
    except asyncio.CancelledError:
        await _stop(task)
        raise
    if done:
        return task.result()
    await _stop(task)
    raise TimeoutError(f"{name} did not finish within its deadline of {limit_s:g} s and was cancelled")


async def _stop(task: asyncio.Future[Any]) -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=CANCEL_GRACE_S)
    if not task.done():
        task.add_done_callback(lambda late: late.cancelled() or late.exception())


def _failed(call: ToolCall, tool: Tool | None, why: str) -> ToolResult:
    return ToolResult(call=call, tool=tool, content=f"error: {why}", failed=True)
