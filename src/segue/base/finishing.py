"""Finishing: work that was begun in, its end out, also where whoever waits for it is cancelled meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from contextlib import suppress
from functools import partial
from typing import Any


async def to_the_end(work: Coroutine[Any, Any, None], *, at_once: bool = False) -> None:
    """Await it to its end, whoever cancels meanwhile.

    Args:
        at_once: It mostly never waits, and is begun here without a task of its own. Before its first wait it must not
            begin what holds on to the task it is in, as `asyncio.timeout` does.

    Raises:
        CancelledError: The work itself was cancelled.
    """
    if not at_once:
        await _shielded(asyncio.ensure_future(work))
        return
    here = asyncio.current_task()
    asked = here.cancelling() if here is not None else 0
    try:
        awaited = work.send(None)
    except StopIteration:
        if here is not None and here.cancelling() > asked:  # by the work: it would be told at the next wait
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        return
    await _shielded(asyncio.ensure_future(_awaited(_Rest(work, awaited))))


async def _shielded(task: asyncio.Future[None]) -> None:
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
    task.result()


class _Rest:
    """Work from what it waits for just now."""

    def __init__(self, work: Coroutine[Any, Any, None], awaited: Any) -> None:
        self._work = work
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, None]:
        work, awaited = self._work, self._awaited
        while True:
            try:
                given = yield awaited
            except BaseException as error:
                step = partial(work.throw, error)
            else:
                step = partial(work.send, given)
            try:
                awaited = step()
            except StopIteration:
                return


async def _awaited(rest: _Rest) -> None:
    await rest
