"""Functions that people hand in: of one value, or of a value and the run's context, sync or async."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from segue.context.run import RunContext

Called = Callable[[Any, RunContext[Any]], Awaitable[Any]]


def callable_with(function: Callable[..., Any]) -> Called:
    """The function as one of a value and the context, awaited. One that is not async runs in a thread."""
    takes_ctx = len(inspect.signature(function).parameters) > 1
    is_async = inspect.iscoroutinefunction(function)

    async def call(value: Any, ctx: RunContext[Any]) -> Any:
        given = (value, ctx) if takes_ctx else (value,)
        if is_async:
            return await function(*given)
        found = await asyncio.to_thread(function, *given)
        return await found if inspect.isawaitable(found) else found

    return call
