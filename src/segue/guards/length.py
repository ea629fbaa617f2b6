"""Length: text in, and out comes whether it is short enough."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from segue.base.errors import UserError
from segue.context.decisions import Allow, Block, Decision, Rewrite
from segue.context.run import RunContext
from segue.guards.rail import Place, Rail, Subject, checked_places

CHARS_PER_TOKEN = 4
"""The same estimate that messages are counted by when they enter a run."""


def max_length(
    chars: int | None = None,
    *,
    tokens: int | None = None,
    action: Literal["block", "cut"] = "block",
    places: Iterable[Place] = ("input", "output"),
) -> Rail:
    """Text of at most so many characters, or so many tokens, estimated as four characters each.

    With `cut`, longer text is cut off at the limit; data (a plan, arguments) is always blocked, since it cannot be cut.

    Raises:
        UserError: Not exactly one limit is given, or it is below 1.
    """
    given = {"chars": chars, "tokens": tokens}
    limits = {unit: limit for unit, limit in given.items() if limit is not None}
    if len(limits) != 1 or any(limit < 1 for limit in limits.values()):
        raise UserError(f"max_length takes either chars or tokens, 1 or more; it was given {limits or 'neither'}")
    unit, limit = limits.popitem()
    return _Length(limit * (CHARS_PER_TOKEN if unit == "tokens" else 1), f"{limit} {unit}", action == "cut", places)


class _Length(Rail):
    name = "max_length"

    def __init__(self, chars: int, limit: str, cut: bool, places: Iterable[Place]) -> None:
        self.places = checked_places(places, self.name)
        self._chars, self._limit, self._cut = chars, limit, cut

    async def check(self, subject: Subject, ctx: RunContext[Any]) -> Decision:
        if len(subject.text) <= self._chars:
            return Allow()
        reason = f"{len(subject.text)} characters are more than {self._limit}"
        if self._cut and subject.value is None:
            return Rewrite(subject.text[: self._chars], f"{reason}; cut off there", self.name)
        return Block(reason, self.name)
