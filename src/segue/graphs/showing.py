"""Showing: the pieces of an answer in as they come, events out, and how much of it was seen."""

from __future__ import annotations

from typing import Any

from segue.context.events import TextAdded, TextReset
from segue.context.run import RunContext
from segue.router.types import Delta, ReasoningDelta, Reset, TextDelta, ToolCallDelta


class Seen:
    """Shows an answer while it comes, and knows about how many tokens of it were seen."""

    def __init__(self, ctx: RunContext[Any], agent: str) -> None:
        self._ctx = ctx
        self._agent = agent
        self._chars = 0
        self.lost = 0
        """Tokens of answers that broke off before another one came."""

    @property
    def tokens(self) -> int:
        """Of the answer that is under way: a token for three characters, rather too many than too few."""
        return -(-self._chars // 3) if self._chars else 0

    def __call__(self, delta: Delta) -> None:
        """Take one piece."""
        at = {"run_id": self._ctx.run_id, "agent": self._agent, "task_id": self._ctx.task_id}
        match delta:
            case TextDelta(text=text):
                self._chars += len(text)
                self._ctx.emit(TextAdded(at=self._ctx.now(), text=text, **at))
            case Reset(reason=reason):
                self.lost, self._chars = self.lost + self.tokens, 0
                self._ctx.emit(TextReset(at=self._ctx.now(), reason=reason, **at))
            case ReasoningDelta(text=text):
                self._chars += len(text)
            case ToolCallDelta(arguments=text):
                self._chars += len(text)
