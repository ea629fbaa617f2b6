"""Functions that people hand in: of one value, or of a value and the run's context, sync or async."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from segue.context.run import RunContext

Called = Callable[[Any, RunContext[Any]], Awaitable[Any]]


def callable_with(function: Callable[..., Any]) -> Called:
    """The function as one of a value and the context, awaited. One that is not async runs in a thread.

    It is given the context as its second argument where it needs one, or has one that is called `ctx` or typed
    `RunContext`; an option of its own, such as of `str.split`, is left alone.
    """
    takes_ctx = _takes_ctx(function)
    is_async = inspect.iscoroutinefunction(function)

    async def call(value: Any, ctx: RunContext[Any]) -> Any:
        given = (value, ctx) if takes_ctx else (value,)
        if is_async:
            return await function(*given)
        found = await asyncio.to_thread(function, *given)
        return await found if inspect.isawaitable(found) else found

    return call


def _takes_ctx(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return False  # some of Python's own do not say
    given = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    if len(given) < 2:
        return False
    second = given[1]
    return second.default is second.empty or second.name == "ctx" or "RunContext" in str(second.annotation)
