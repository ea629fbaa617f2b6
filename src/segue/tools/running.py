"""Running: a tool's function and its arguments in, what it returned, raised or left unknown out.

A function that is not async runs in a thread. What is past its deadline is told to stop and left behind after a grace;
a thread cannot be told, so it is waited for as long and then goes on by itself.
"""

from __future__ import annotations

import asyncio
import contextvars
import dis
import inspect
import itertools
import types
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from segue.base.alarms import alarms
from segue.base.errors import OperatorError, RunStopped, UserError
from segue.context.run import RunContext
from segue.tools.calls import Ready, ToolResult, failed
from segue.tools.reconciling import named, takes_ctx
from segue.tools.results import rendered
from segue.tools.tool import Tool

CANCEL_GRACE_S = 1.0
"""How long a tool that was told to stop may take to do so, before it is left behind."""
_TURN_EVERY = 8
"""After so many calls that took no turn of the loop, others have theirs: models may answer at once, too."""
_AT_ONCE = itertools.count(1)
_BUBBLES = frozenset({"GraphInterrupt", "GraphBubbleUp", "NodeInterrupt", "ParentCommand", "GraphDrained"})
"""LangGraph's own signals: an agent used as a tool may wait for a person."""


class Call:
    """One call of a function, under way from when it is made. Await `ended`, then see `trusted`."""

    def __init__(self, fn: Callable[..., Any], args: tuple[Any, ...], arguments: dict[str, Any], *, awaited: bool):
        self.thread: asyncio.Future[Any] | None = None
        """What runs in a thread; it cannot be stopped."""
        self.told = False
        """Whether it was told to stop while it ran: what it returns then says nothing."""
        self._waiter: asyncio.Future[None] | None = None
        self.task: asyncio.Future[Any]
        if awaited and never_waits(fn) and not _is_cancelled():
            self.task = _at_once(fn, args, arguments)
            return
        work = self._awaited if awaited else self._in_thread
        self.task = asyncio.get_running_loop().create_task(work(fn, args, arguments))

    async def _awaited(self, fn: Callable[..., Any], args: tuple[Any, ...], arguments: dict[str, Any]) -> Any:
        try:
            return await fn(*args, **arguments)
        finally:
            self._let_go()

    async def _in_thread(self, fn: Callable[..., Any], args: tuple[Any, ...], arguments: dict[str, Any]) -> Any:
        run = contextvars.copy_context().run
        call: Callable[[], Any] = lambda: run(lambda: fn(*args, **arguments))  # noqa: E731
        try:
            self.thread = asyncio.get_running_loop().run_in_executor(None, call)
            value = await asyncio.shield(self.thread)
            return await value if asyncio.iscoroutine(value) else value
        finally:
            self._let_go()

    @property
    def trusted(self) -> bool:
        """Whether it came to its end by itself."""
        return self.task.done() and not self.told and not self.task.cancelled()

    async def ended(self, limit_s: float, *, patient: bool = False) -> bool:
        """Wait until it ended, or the limit; `False` where it was told to stop. Cancelled, it is told so too.

        With `patient` a thread is given the grace to come to its own end.
        """
        if self.task.done():
            if not next(_AT_ONCE) % _TURN_EVERY:
                await asyncio.sleep(0)
            return self.trusted
        try:
            await self._waited(limit_s)
        except asyncio.CancelledError:
            await self._stop(patient)
            raise
        if not self.task.done():
            await self._stop(patient)
        return self.trusted

    async def _waited(self, limit_s: float) -> None:
        """Until it is at its end or the limit: told by its last step, the wait is over a turn of the loop sooner."""
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        alarm = alarms(loop).set(loop.time() + limit_s, self._let_go)
        self.task.add_done_callback(self._let_go)  # it may be cancelled before its first step
        try:
            await self._waiter
        finally:
            alarm.cancel()
            self.task.remove_done_callback(self._let_go)

    def _let_go(self, _: object = None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _stop(self, patient: bool) -> None:
        if patient and self.thread is not None and not self.task.done():
            await asyncio.wait({self.task}, timeout=CANCEL_GRACE_S)
        if self.task.done():
            return
        self.told = True
        self.task.cancel()
        await asyncio.wait({self.task}, timeout=CANCEL_GRACE_S)
        self.task.add_done_callback(lambda late: late.cancelled() or late.exception())
        if self.thread is not None:
            self.thread.add_done_callback(lambda late: late.cancelled() or late.exception())


def _is_cancelled() -> bool:
    """Whether somebody asked for an end of what goes on here, which it learns of at its next `await` only."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def never_waits(fn: Callable[..., Any]) -> bool:
    """Whether it is async and has not one `await` in it: then a task of its own and a deadline would be for nothing."""
    code = getattr(fn, "__code__", None) if isinstance(fn, types.FunctionType | types.MethodType) else None
    return code is not None and _is_plain(code)


@lru_cache(maxsize=1_000)
def _is_plain(code: types.CodeType) -> bool:
    if not code.co_flags & inspect.CO_COROUTINE:
        return False
    return all(each.opname not in ("YIELD_VALUE", "SEND") for each in dis.get_instructions(code))


def _at_once(fn: Callable[..., Any], args: tuple[Any, ...], arguments: dict[str, Any]) -> asyncio.Future[Any]:
    """What came of a function that never waits, in variables of its own as a task would have them."""
    ended = asyncio.get_running_loop().create_future()
    try:
        contextvars.copy_context().run(fn(*args, **arguments).send, None)
    except StopIteration as returned:
        ended.set_result(returned.value)
    except asyncio.CancelledError:
        ended.cancel()
    except Exception as error:
        ended.set_exception(error)
    return ended


def begin(tool: Tool, arguments: dict[str, Any], ctx: RunContext[Any]) -> Call:
    """Call the tool's function: awaited where it is async, in a thread where it is not."""
    return Call(tool.fn, (ctx,) if tool.takes_ctx else (), arguments, awaited=tool.is_async)


async def reconciled(tool: Tool, raw: dict[str, Any], ctx: RunContext[Any]) -> Any:
    """What the tool's `reconcile` says of a call with these arguments, as JSON data.

    Raises:
        Exception: It cannot say; or the arguments do not fit the tool any more, or it ran past the tool's deadline.
    """
    assert tool.reconcile is not None
    fn, limit_s = tool.reconcile, limit_of(tool, ctx)
    awaited = inspect.iscoroutinefunction(fn)
    arguments = named(fn, tool.validate(raw))
    call = Call(fn, (ctx,) if takes_ctx(fn) else (), arguments, awaited=awaited)
    if not await call.ended(limit_s):
        raise TimeoutError(f"it did not finish within {limit_s:g} s")
    return call.task.result()


def limit_of(tool: Tool, ctx: RunContext[Any]) -> float:
    """Seconds that a call of this tool may take now."""
    left = ctx.seconds_left()
    return tool.timeout_s if left is None else min(tool.timeout_s, left)


def late(tool: Tool, limit_s: float) -> str:
    """What a call past its deadline is told as."""
    if limit_s < tool.timeout_s:
        return f"{tool.name} did not finish before the deadline of its run, {limit_s:.3g} s away, and was cancelled"
    return f"{tool.name} did not finish within its deadline of {limit_s:g} s and was cancelled"


async def repeatable(item: Ready, ctx: RunContext[Any]) -> ToolResult:
    """Run a call that may run again: one that only reads."""
    limit_s = limit_of(item.tool, ctx)
    call = begin(item.tool, item.arguments, ctx)
    if not await call.ended(limit_s):
        return failed(item.call, item.tool, late(item.tool, limit_s))
    return outcome(item, call, ctx)


def outcome(item: Ready, call: Call, ctx: RunContext[Any]) -> ToolResult:
    """The result of a call that came to its end by itself.

    Raises:
        BaseException: What ends the run or makes it wait: `stops_the_run` says which. Anything else is a result.
    """
    error = call.task.exception()
    if error is None:
        return rendered(item.call, item.tool, call.task.result(), ctx)
    if stops_the_run(error):
        raise error
    if isinstance(error, TimeoutError):
        return failed(item.call, item.tool, str(error) or f"{item.tool.name} ran past its own deadline")
    return failed(item.call, item.tool, ctx.services.redact(f"{item.tool.name} failed: {said(error)}"))


def said(error: BaseException) -> str:
    """An error as a model reads it."""
    return f"{type(error).__name__}: {error}"


def stops_the_run(error: BaseException) -> bool:
    """Whether it is no failure of the tool: wired wrongly, an operator's, a budget, or one of LangGraph's signals."""
    ends = isinstance(error, UserError | OperatorError | RunStopped) or not isinstance(error, Exception)
    return ends or bubbles(error)


def bubbles(error: BaseException) -> bool:
    """Whether it is a signal of LangGraph's: the node will start over, and nothing has failed."""
    return bool(getattr(error, "bubbles", False)) or type(error).__name__ in _BUBBLES
