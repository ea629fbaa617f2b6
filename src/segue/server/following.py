"""Following: what runs tell in a process that serves nobody, written where servers read it.

So the stream of a job that a worker process has tells more than its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from segue.memory.database import open_database
from segue.server.hub import Hub
from segue.server.store import DAY_S, ServerStore, place_of
from segue.workspace.workspace import Workspace


@asynccontextmanager
async def followed(ws: Workspace) -> AsyncIterator[None]:
    """Write down the events of every run that begins or goes on in an open workspace, while inside.

    Raises:
        StoreError: They cannot be kept.
    """
    settings, now = ws.settings.server, ws.services.clock.now
    async with open_database(place_of(ws)) as database:
        store = ServerStore(database)
        await store.open()
        await store.forget(now() - settings.keep_events_days * DAY_S)
        hub = Hub(
            store, record=ws.records.get, now=now, buffer_bytes=settings.stream_buffer_bytes,
            keep_alive_s=settings.keep_alive_s,
        )  # fmt: skip
        writing = asyncio.get_running_loop().create_task(hub.run())
        ws.watch(hub.follow)
        try:
            yield
        finally:
            await hub.settle()
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
