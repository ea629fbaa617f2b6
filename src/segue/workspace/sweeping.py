"""Sweeping: how long spans are kept in; those that are older taken out, now and once an hour, off the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from contextlib import AsyncExitStack

from segue.base.errors import StoreError
from segue.base.ports import Clock
from segue.tracing.settings import TracingSection
from segue.tracing.store import TraceStore

_log = logging.getLogger("segue.workspace")
_EVERY_S = 3600.0
_DAY_NS = 86_400 * 10**9


def sweep(tracing: TracingSection, traces: TraceStore, now: float) -> int:
    """Take out the spans of runs that are older than their tenant's days; how many. Blocks.

    Raises:
        StoreError: They cannot be taken out.
    """
    now_ns, count = int(now * 1e9), 0
    for tenant, section in tracing.tenants.items():
        count += traces.sweep(now_ns - int(section.keep_days * _DAY_NS), tenant=tenant)
    if tracing.keep_days is not None:
        count += traces.sweep(now_ns - int(tracing.keep_days * _DAY_NS), but=tuple(tracing.tenants))
    return count


async def swept(tracing: TracingSection, traces: TraceStore, clock: Clock, stack: AsyncExitStack) -> None:
    """Sweep in the background until the stack closes, where anything is to be taken out at all."""
    if tracing.keep_days is None and not tracing.tenants:
        return
    stop = asyncio.Event()
    task = asyncio.get_running_loop().create_task(_again_and_again(tracing, traces, clock, stop))

    async def end() -> None:
        stop.set()
        await asyncio.wait({task}, timeout=10)
        task.cancel()

    stack.push_async_callback(end)


async def _again_and_again(tracing: TracingSection, traces: TraceStore, clock: Clock, stop: asyncio.Event) -> None:
    while True:
        try:
            if count := await asyncio.to_thread(sweep, tracing, traces, clock.now()):
                _log.info("%d spans were older than they are kept, and are gone", count)
        except StoreError as error:
            _log.warning("old spans cannot be taken out: %s", error)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _EVERY_S)
            return
