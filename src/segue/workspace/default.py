"""The default workspace: one for each event loop, opened when first used and closed with its loop.

It stands on the current folder. An open async generator is what the loop closes when it ends: that closes it.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator
from typing import Any

from segue.workspace.workspace import Workspace

_held: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Workspace] = weakref.WeakKeyDictionary()


class _Default(Workspace):
    """Closes itself when its loop ends."""

    _keeper: AsyncGenerator[None, None] | None = None

    async def ensure_open(self) -> None:
        """Open it, and have the loop close it."""
        await super().ensure_open()
        if self._keeper is None:
            self._keeper = self._keep()
            await anext(self._keeper)

    async def _keep(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await super().close()

    async def close(self) -> None:
        """Close it now; the next use opens it again."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            await keeper.aclose()
        else:
            await super().close()


def default_workspace() -> Any:
    """The workspace of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _held.get(loop)
    if found is None:
        found = _Default()
        _held[loop] = found
    return found
