"""Showing: the pieces of an answer in as they come, events out, and how much of it was seen.

Where rails stand at the output, what is shown is what they have let through; where one of them wants the whole answer,
or the answer is data, nothing is shown before the end.
"""

from __future__ import annotations

import asyncio
from typing import Any

from segue.context.events import TextAdded, TextReset
from segue.context.run import RunContext
from segue.guards.streaming import StreamGuard, readable, streams
from segue.router.types import Delta, ReasoningDelta, Reset, TextDelta, ToolCallDelta


class Seen:
    """Shows an answer while it comes, and knows about how many tokens of it were seen."""

    def __init__(self, ctx: RunContext[Any], agent: str, *, whole: bool = False) -> None:
        """`whole` says that it is data: text within it is known only at its end."""
        self._ctx = ctx
        self._agent = agent
        self._chars = 0
        self._whole = whole
        self._silent = ctx.quiet or (bool(ctx.shows) and (whole or not streams(ctx.shows)))
        self._guarded = not self._silent and bool(ctx.shows)
        self._guard: StreamGuard | None = None
        """From the first text on: most replies only ask for tools."""
        self._waiting: list[str] = []
        self._pump: asyncio.Task[None] | None = None
        self.lost = 0
        """Tokens of answers that broke off before another one came."""

    @property
    def tokens(self) -> int:
        """Of the answer that is under way: a token for three characters, rather too many than too few."""
        return -(-self._chars // 3) if self._chars else 0

    def __call__(self, delta: Delta) -> None:
        """Take one piece."""
        match delta:
            case TextDelta(text=text):
                self._chars += len(text)
                if self._guarded:
                    self._hold(text)
                elif not self._silent:
                    self._show(text)
            case Reset(reason=reason):
                self.lost, self._chars = self.lost + self.tokens, 0
                self._reset(reason)
            case ReasoningDelta(text=text):
                self._chars += len(text)
            case ToolCallDelta(arguments=text):
                self._chars += len(text)

    async def end(self, text: str) -> str:
        """The answer is whole, and this its text: show what is still held. What of it may be told comes back."""
        guard = self._guard
        if guard is None and self._guarded:
            self._ctx.told[self._ctx.task_id] = ""
            return ""
        if guard is None and self._ctx.shows and self._whole:
            return ""  # what stands in data is known to its own rails only, decoded
        if guard is None:
            return await readable(self._ctx.shows, text, self._ctx)
        if self._pump is not None:
            await self._pump
        await self._feed(guard)
        self._show(await guard.close())
        self._ctx.told[self._ctx.task_id] = guard.shown
        return guard.shown if guard.stopped is None else ""

    def stop(self) -> None:
        """No answer comes: what is held is never shown."""
        if self._pump is not None:
            self._pump.cancel()

    def _hold(self, text: str) -> None:
        guard = self._guard
        if guard is None:
            guard = self._guard = StreamGuard(self._ctx.shows, self._ctx, agent=self._agent)
        self._waiting.append(text)
        if (self._pump is None or self._pump.done()) and guard.wants(sum(map(len, self._waiting))):
            self._pump = asyncio.get_running_loop().create_task(self._feed(guard))

    async def _feed(self, guard: StreamGuard) -> None:
        while self._waiting:
            text = "".join(self._waiting)
            self._waiting.clear()
            shown = await guard.feed(text)
            if guard is self._guard:
                self._show(shown)

    def _reset(self, reason: str) -> None:
        shown = not self._silent and not self._guarded
        if self._guard is not None:
            self.stop()
            shown = bool(self._guard.shown)
            self._waiting.clear()
            self._pump = self._guard = None
        if shown:
            self._ctx.emit(TextReset(at=self._ctx.now(), reason=reason, **self._at()))

    def _show(self, text: str) -> None:
        if text:
            self._ctx.emit(TextAdded(at=self._ctx.now(), text=text, **self._at()))

    def _at(self) -> dict[str, str]:
        return {"run_id": self._ctx.run_id, "agent": self._agent, "task_id": self._ctx.task_id}
