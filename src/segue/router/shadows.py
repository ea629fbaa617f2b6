"""Shadow traffic: a share of a route's requests is asked of another route, too, and nobody waits for it or sees it.

In: a request that was answered, and the route that it is tried on. Out: a `Shadowed` for whoever asked, which compares
the two. No tool runs, nothing is shown, a failure harms nobody, and what is spent is the router's affair and not the
run's.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import orjson

from segue.base.errors import SegueError
from segue.base.messages import Message, text_of
from segue.router.types import Generation, GenerationRequest

MOST = 16
"""Requests that are tried side by side; what comes beyond is not tried."""
DEADLINE_S = 120.0
logger = logging.getLogger("segue.router")


@dataclass(frozen=True, kw_only=True)
class Shadowed:
    """What the other route made of a request."""

    route: str
    generation: Generation | None
    """`None` where it failed."""
    error: str = ""
    same_text: bool = False
    """Whether its text is that which was shown; that of two answers with tool calls alone is."""
    same_calls: bool = False
    """Whether it called the same tools with the same arguments, in the same order."""


OnShadow = Callable[[Shadowed], None]


class Shadows:
    """Tries requests on other routes, beside the answers that count."""

    def __init__(self, generate: Callable[..., Awaitable[Generation]]) -> None:
        """`generate` is the router's own."""
        self._generate = generate
        self._tasks: set[asyncio.Task[None]] = set()
        self.tried = 0
        self.left_out = 0
        """Requests that were not tried, since too many were being tried already."""

    def begin(self, request: GenerationRequest, shown: Generation, route: str, told: OnShadow | None) -> None:
        """Try it, if there is room."""
        if len(self._tasks) >= MOST:
            self.left_out += 1
            return
        self.tried += 1
        task = asyncio.get_running_loop().create_task(self._try(request, shown, route, told))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Give up what is being tried on the running event loop."""
        here = asyncio.get_running_loop()
        mine = [task for task in self._tasks if task.get_loop() is here]
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)

    async def _try(self, request: GenerationRequest, shown: Generation, route: str, told: OnShadow | None) -> None:
        request = replace(request, session=f"{request.session}~shadow" if request.session else "")
        try:
            found = await self._generate(request, route=route, deadline=time.monotonic() + DEADLINE_S, shadowing=True)
        except SegueError as error:
            logger.info("shadow route %r failed: %s", route, error)
            seen = Shadowed(route=route, generation=None, error=str(error))
        else:
            ours, theirs = shown.message, found.message
            seen = Shadowed(
                route=route, generation=found, same_text=text_of(ours).strip() == text_of(theirs).strip(),
                same_calls=_calls(ours) == _calls(theirs),
            )  # fmt: skip
        if told is not None:
            told(seen)


def _calls(message: Message) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for call in message.get("tool_calls") or ():
        text = call["function"]["arguments"]
        try:
            found.append((call["function"]["name"], orjson.loads(text)))
        except orjson.JSONDecodeError:
            found.append((call["function"]["name"], text))
    return found
