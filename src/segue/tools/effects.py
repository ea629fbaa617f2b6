"""Effects happen once: a call that writes in, its one result out, whatever was delivered or tried before.

A call is claimed in the ledger, runs, and is recorded. What was recorded is given back to its redelivery, and to any
other call with the same idempotency key. Where a claim was left without a record, nobody knows whether it took
effect: the tool's `reconcile` finds out, or it is safe to run it again, or a person is asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from segue.base.errors import RunStopped, SegueError, UserError
from segue.base.ids import new_id
from segue.base.messages import ToolCall
from segue.context.effects import Came, Effect, EffectState
from segue.context.run import RunContext
from segue.tools.asking import ask
from segue.tools.calls import Asked, Doubtful, Judged, Ready, ToolResult, failed, given, ledgered
from segue.tools.results import rendered
from segue.tools.running import Call, begin, bubbles, late, limit_of, outcome, reconciled, said, stops_the_run
from segue.tools.tool import Tool

_log = logging.getLogger("segue.tools.effects")
_T = TypeVar("_T")
_later: set[asyncio.Future[Any]] = set()


async def once(item: Ready, ctx: RunContext[Any], began: Callable[[], None]) -> ToolResult:
    """The result of a call that happens once; `began` is told where it runs now.

    Raises:
        StoreError: The ledger cannot be written. Before the claim, nothing ran; after it, the effect stays open.
    """
    effect, over = _claim_of(item, ctx), item.over
    until = asyncio.get_running_loop().time() + limit_of(item.tool, ctx)
    while (found := await ctx.ledger.claim(effect, over=over)) is not None:
        over = None
        try:
            at_rest = await _at_rest(found, until, ctx)
        except TimeoutError:
            return failed(item.call, item.tool, _under_way(found))
        if at_rest is None:
            continue
        met = await meet(at_rest, item, ctx)
        if isinstance(met, Doubtful):
            [met] = await ask([met], ctx)
        if isinstance(met, ToolResult):
            return met
        item, over = met, at_rest
    return await _performed(item, effect, ctx, began)


async def _at_rest(found: Effect, until: float, ctx: RunContext[Any]) -> Effect | None:
    """The effect once nobody works on it; `None` where it was released meanwhile. Raises `TimeoutError` at `until`."""
    while await ctx.ledger.busy(found):
        left = until - asyncio.get_running_loop().time()
        if left <= 0:
            raise TimeoutError
        await ctx.ledger.wait(found, left)
        rows = await ctx.ledger.find(found.tenant, keys=[found.key])
        if not rows:
            return None
        found = rows[0]
    return found


def _claim_of(item: Ready, ctx: RunContext[Any]) -> Effect:
    tool = item.tool
    return Effect(
        tenant=ctx.principal.tenant, key=key_of(item, ctx), delivery=item.delivery, claim=new_id("clm"),
        run_id=ctx.run_id, thread_id=ctx.thread_id, branch=ctx.branch, call_id=item.call["id"], agent=ctx.agent,
        task_id=ctx.task_id, tool=tool.name, effect=tool.effect, reach=tool.reach, arguments=item.raw,
        claimed_at=ctx.now(), approved_by=item.approved_by,
    )  # fmt: skip


def key_of(item: Ready, ctx: RunContext[Any]) -> str:
    """The idempotency key of a call; its delivery says of which run it is."""
    tenant = ctx.principal.tenant
    return item.tool.key_for("", item.delivery, item.arguments, tenant=tenant, branch=ctx.branch)


async def _performed(item: Ready, effect: Effect, ctx: RunContext[Any], began: Callable[[], None]) -> ToolResult:
    """Run the tool under a claim, and write down what came of it before anybody hears of it."""
    limit_s = limit_of(item.tool, ctx)
    try:
        began()
        call = begin(item.tool, item.arguments, ctx)
    except BaseException:
        await ctx.ledger.release(effect)
        raise
    try:
        await call.ended(limit_s, patient=True)
    except BaseException:
        await _finished(_cut_short(item, call, effect, ctx))
        raise
    if call.trusted:
        return await _finished(_kept(item, call, effect, ctx))
    await _left(item, call, effect, ctx)
    why = late(item.tool, limit_s) if call.told else f"{item.tool.name} cancelled itself"
    return failed(item.call, item.tool, f"{why}; whether it took effect is not known")


async def _cut_short(item: Ready, call: Call, effect: Effect, ctx: RunContext[Any]) -> None:
    """The run was cancelled: a call that had come to its end by then is recorded."""
    try:
        await (_kept if call.trusted else _left)(item, call, effect, ctx)
    except Exception as error:
        if not bubbles(error):
            _log.error("%s was cut short: %s", effect.key, error)


async def _kept(item: Ready, call: Call, effect: Effect, ctx: RunContext[Any]) -> ToolResult:
    """The result of a call that ended, recorded; or what it raised, with its claim released or left."""
    error = call.task.exception()
    if error is not None and bubbles(error):
        await ctx.ledger.release(effect)
        raise error
    if error is not None and (stops_the_run(error) or isinstance(error, TimeoutError)):
        await _left(item, call, effect, ctx)
        return outcome(item, call, ctx)
    try:
        result = outcome(item, call, ctx)
    except UserError as unreadable:
        told = failed(item.call, item.tool, f"{item.tool.name} ran, and what it returned is lost: {unreadable}")
        await _record(effect, "recorded", told.came(), ctx)
        raise
    await _record(effect, "recorded" if error is None else "failed", result.came(), ctx)
    return result


async def _record(effect: Effect, state: EffectState, came: Came, ctx: RunContext[Any]) -> None:
    if not await ctx.ledger.record(replace(effect, recorded_at=ctx.now()), state, came):
        _log.error("%s of run %s was taken over by another process while it ran", effect.key, effect.run_id)


async def _left(item: Ready, call: Call, effect: Effect, ctx: RunContext[Any]) -> None:
    """Nobody knows what came of it. A thread that goes on may still say so later."""
    try:
        await ctx.ledger.leave(effect)
    except SegueError as error:
        _log.error("that %s is open could not be written down: %s", effect.key, error)
    if call.thread is not None and not call.thread.done():
        call.thread.add_done_callback(lambda thread: _later_kept(thread, item, effect, ctx))


def _later_kept(thread: asyncio.Future[Any], item: Ready, effect: Effect, ctx: RunContext[Any]) -> None:
    """Record what a thread returned that was left behind, where nobody has looked into it meanwhile."""
    if thread.cancelled() or thread.exception() is not None or asyncio.iscoroutine(thread.result()):
        return

    async def keep() -> None:
        try:
            await _record(effect, "recorded", rendered(item.call, item.tool, thread.result(), ctx).came(), ctx)
        except Exception as error:
            _log.warning("what %s returned too late could not be recorded: %s", item.tool.name, error)

    task = asyncio.ensure_future(keep())
    _later.add(task)
    task.add_done_callback(_later.discard)


async def _finished(work: Awaitable[_T]) -> _T:
    """The result of work that is brought to its end also where this task is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled() and (lost := task.exception()) is not None:
            _log.error("%s", lost)
        raise cancelled
    return task.result()


async def recall(
    calls: Sequence[ToolCall], names: Sequence[str], held: dict[str, Tool], ctx: RunContext[Any]
) -> dict[str, Effect]:
    """What the ledger knows of these deliveries; it is asked only where a call may be one that writes."""
    wanted = [name for call, name in zip(calls, names, strict=True) if ledgered(held.get(call["function"]["name"]))]
    if not wanted:
        return {}
    return {each.delivery: each for each in await ctx.ledger.find(ctx.principal.tenant, deliveries=wanted)}


def known(call: ToolCall, tool: Tool | None, found: Effect) -> ToolResult | None:
    """The result of a call that came to its end before a stop; `None` where it did not."""
    if found.came is None or found.state == "claimed" or found.came.told == "not_done":
        return None
    return given(call, tool, found.came, "redelivered", "it ran before the run was stopped")


async def look_up(judged: Sequence[Judged], begun: dict[str, Effect], ctx: RunContext[Any]) -> list[Judged]:
    """Before a person is asked: what is done already is not asked about; what is doubtful is asked with the rest."""
    waiting = {index: entry.item if isinstance(entry, Asked) else entry for index, entry in enumerate(judged)}
    items = {index: item for index, item in waiting.items() if isinstance(item, Ready) and item.ledgered}
    if not items:
        return list(judged)
    keys = {index: key_of(item, ctx) for index, item in items.items() if item.tool.idempotency_key}
    rows = {each.key: each for each in await ctx.ledger.find(ctx.principal.tenant, keys=list(set(keys.values())))}
    out, seen = list(judged), set[str]()
    for index, item in items.items():
        found = begun.get(item.delivery) or rows.get(keys.get(index, ""))
        if found is None or found.key in seen or await ctx.ledger.busy(found):
            continue
        seen.add(found.key)
        met = await meet(found, item, ctx)
        if not isinstance(met, Ready):
            out[index] = met
        elif not isinstance(judged[index], Asked):
            out[index] = replace(met, over=found)
    return out


async def meet(found: Effect, item: Ready, ctx: RunContext[Any]) -> Ready | ToolResult | Doubtful:
    """What an effect that nobody works on means for a call: its result, a question, or that it may run."""
    own, came = found.delivery == item.delivery, found.came
    if came is None:
        return await _find_out(found, item, ctx)
    if own and (result := known(item.call, item.tool, found)):
        return result
    match found.state, came.told:
        case ("recorded", _) | ("settled", "done"):
            return given(
                item.call,
                item.tool,
                came,
                "replayed",
                f"run {found.run_id} did it with the same key, as {found.call_id}",
            )
        case "settled", "not_done":
            return item
        case "failed", _ if item.tool.reconcile is None:
            return item
        case _:
            return await _find_out(found, item, ctx)


async def _find_out(found: Effect, item: Ready, ctx: RunContext[Any]) -> Ready | ToolResult | Doubtful:
    tool = item.tool
    if tool.reconcile is None:
        return item if tool.retry_safe else Doubtful(item, found, _doubt(found))
    try:
        value = await reconciled(tool, found.arguments, ctx.at(idempotency_key=found.key))
    except Exception as error:
        if bubbles(error) or isinstance(error, RunStopped):
            raise
        return Doubtful(item, found, f"{_doubt(found)} (reconcile said: {ctx.services.redact(said(error))})")
    if value is None:
        return item
    came = rendered(item.call, tool, value, ctx).came()
    await _finished(ctx.ledger.record(replace(found, recorded_at=ctx.now()), "recorded", came))
    return given(item.call, tool, came, "reconciled", f"{tool.name} had taken effect in run {found.run_id}")


def _doubt(found: Effect) -> str:
    at = f"{datetime.fromtimestamp(found.claimed_at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return (
        f"{found.tool} was begun at {at} in run {found.run_id} with the key {found.key}, "
        "and whether it took effect is not known"
    )


def _under_way(found: Effect) -> str:
    return f"the same effect is still under way in run {found.run_id} (key {found.key}); it was waited for in vain"
