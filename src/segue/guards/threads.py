"""A call in a thread of its own that can be given up: in goes a function, out comes what it returns.

A thread pool would be used up by a few functions that never return, and is waited for when the program ends; these
threads are daemons and are left behind. Time limits are the caller's.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

ReturnT = TypeVar("ReturnT")


async def call_in_thread(fn: Callable[..., ReturnT], *args: Any) -> ReturnT:
    """Call it in a new thread, with this task's context variables; cancelling leaves the thread to itself."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[ReturnT] = loop.create_future()
    context = contextvars.copy_context()

    def tell(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def work() -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = context.run(fn, *args)
        except StopIteration as raised:  # a future cannot hold it
            error = RuntimeError(f"raised {type(raised).__name__}")
        except BaseException as raised:
            error = raised if isinstance(raised, Exception) else RuntimeError(f"raised {type(raised).__name__}")
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, result, error)

    threading.Thread(target=work, name=f"segue-{getattr(fn, '__name__', 'call')}", daemon=True).start()
    return await future
