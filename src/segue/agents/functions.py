"""Functions that people hand in: of one value, or of a value and the run's context, sync or async."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from segue.context.run import RunContext


async def called(function: Callable[..., Any], value: Any, ctx: RunContext[Any]) -> Any:
    """What the function makes of the value; it may take the context too. One that is not async runs in a thread."""
    given = (value, ctx) if len(inspect.signature(function).parameters) > 1 else (value,)
    if inspect.iscoroutinefunction(function):
        return await function(*given)
    found = await asyncio.to_thread(function, *given)
    return await found if inspect.isawaitable(found) else found
